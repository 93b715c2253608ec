"""What a CoAP client gets of what members answer: each answer as it comes, of whatever kind and size, in windows that it acknowledges
(draft-ietf-core-groupcomm-proxy §3.4)."""

import pytest

import coap
from coap import BLOCK2, CON, EMPTY, ETAG, NON, NO_RESPONSE, REPLY_FROM, SIZE2, Client, Endpoint, uint
from conftest import free_udp_port, plain_mapping
from probe import Tap, answer_to, cbor, counter, running, silent_mapping, wait_for

ASKS_AT_ONCE = {"interface": "lo", "nstart": 1000, "probing_rate": 1000000}


@pytest.fixture
def front(gateway):
    """front(mapping): a gateway with a CoAP listener, and a client of it."""
    clients = []

    def start(mapping, **settings):
        port = free_udp_port()
        gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]}, "group": ASKS_AT_ONCE, "mappings": [mapping], **settings})
        gate.coap = ("127.0.0.1", port)
        clients.append(Client(gate.coap))
        return gate, clients[-1]

    yield start
    for client in clients:
        client.socket.close()


@pytest.fixture
def scripted(front, group):
    """scripted(…): the same before a group in which this test is the only member, at 127.1.7.1."""
    made = []

    def start(**mapping):
        tap, member = Tap(group), Endpoint("127.1.7.1")
        made.extend((tap, member))
        gate, client = front(silent_mapping(group, "lights", max_timeout=30, **mapping))
        heard = []

        def answer(payload=b"", **more):
            if not heard:
                heard.append(tap.next())
            member.send_bytes(heard[0].source, answer_to(heard[0].message, payload, **more))

        return gate, client, answer

    yield start
    for one in made:
        one.socket.close()


def crs(value):
    """The CBOR sequence of a Reply-From."""
    found, at = [], 0
    while at < len(value):
        item, at = cbor(value, at)
        found.append(item)
    return found


# ---- As they come ----


def test_several_answers_of_one_member_are_several_responses(front, members):
    fleet = members(2, "--misbehave", "repeat:3")
    gate, client = front(plain_mapping(fleet, max_timeout=30))
    answers = client.gather("lights/light", count=6, timeout=2)
    assert len(answers) == 6 and {a.code_text for a in answers} == {"2.05"}
    assert len({a.one(REPLY_FROM) for a in answers}) == 2
    assert counter(gate, "duplicate_total", "lights") == 4


def test_one_message_that_comes_twice_is_one_response(scripted):
    gate, client, answer = scripted()
    client.ask("lights", timeout=2)
    for payload, mid in ((b"on", 7), (b"on", 7), (b"on", 8), (b"off", 8), (b"on", 7), (b"off", 9)):
        answer(payload, mid=mid)
    payloads = [m.payload for m in client.hear_all(2.5) if m.code != EMPTY]
    assert payloads == [b"on", b"on", b"off", b"off"]
    assert running(gate) == 0


def test_a_finish_rule_does_not_shorten_it(front, members):
    """The mapping finishes when all have answered; who takes answers as they come listens for all of its time."""
    fleet = members(3)
    gate, client = front(plain_mapping(fleet, max_timeout=30))
    assert len(client.gather("lights/light", count=3, timeout=3)) == 3
    assert gate.get_json("/lights/light")["summary"]["ended_by"] == "all"
    assert running(gate) == 1
    wait_for(lambda: running(gate) == 0)


def test_confirmable_answers_are_passed_on_in_the_clients_own_way(front, members):
    fleet = members(2, "--misbehave", "con")
    _, client = front(plain_mapping(fleet, max_timeout=30))
    answers = client.gather("lights/light", count=2, timeout=2)
    assert [a.type for a in answers] == [NON, NON]


def test_classes_that_the_client_suppresses(scripted):
    _, client, answer = scripted()
    client.ask("lights", timeout=1, options=[(NO_RESPONSE, uint(2))])  # of 2.xx nothing
    answer(b"on")
    answer(b"no such lamp", code="4.04")
    assert [m.code_text for m in client.hear_all(1.5) if m.code != EMPTY] == ["4.04"]


# ---- Windows ----


@pytest.mark.parametrize("count", [10, 300])
def test_a_crowd_comes_in_windows(front, members, count):
    """Few enough for one window need no acknowledgement, but for its last."""
    gate, client = front(plain_mapping(members(count), max_timeout=30))
    answers = client.gather("lights/light", count=count, timeout=10, seconds=20)
    assert len({a.one(REPLY_FROM) for a in answers}) == count
    confirmable = sum(a.type == CON for a in answers)
    assert confirmable == 1 if count == 10 else 3 <= confirmable <= 30


# ---- What is in them ----


def test_reply_from_of_a_proxy_that_stands_in(front, members):
    """GCP §5.1: a CRI that leads to the gateway, and the path that stands for the member there."""
    fleet = members(2)
    gate, client = front(plain_mapping(fleet, stand_in="members", max_timeout=30))
    answers = client.gather("lights/light", count=2, timeout=2)
    found = [crs(a.one(REPLY_FROM)) for a in answers]
    assert {str(f) for f in found} == {
        str([[-1, [bytes((127, 0, 0, 1)), gate.coap[1]]], [True, ["lights", ".member", text]]]) for text in fleet.texts}


def test_hidden_members_have_no_reply_from(front, members):
    fleet = members(2)
    _, client = front(plain_mapping(fleet, stand_in="members", anonymise=True, max_timeout=30))
    answers = client.gather("lights/light", count=2, timeout=2)
    assert [a.one(REPLY_FROM) for a in answers] == [None, None]


def test_options_that_are_safe_to_forward_pass(scripted):
    _, client, answer = scripted()
    client.ask("lights", timeout=1)
    answer(b"on", options=[(ETAG, b"e"), (REPLY_FROM, b"a lie"), (65001, b"critical")])
    (got,) = [m for m in client.hear_all(1.5) if m.code != EMPTY]
    assert (got.one(ETAG), got.one(65001), got.payload) == (b"e", b"critical", b"on")
    assert crs(got.one(REPLY_FROM))[0][1][0] == bytes((127, 1, 7, 1))


def test_an_unsafe_option_makes_it_5_02(scripted):
    """RFC 7252 §5.7, GCP §3.4: the client hears who has answered so."""
    gate, client, answer = scripted()
    client.ask("lights", timeout=1)
    answer(b"on", options=[(65002, b"unsafe")])
    (got,) = [m for m in client.hear_all(1.5) if m.code != EMPTY]
    assert got.code_text == "5.02" and b"on" != got.payload
    assert crs(got.one(REPLY_FROM))[0][1][0] == bytes((127, 1, 7, 1))
    assert counter(gate, "rejected_total", "lights") == 1


def test_a_large_answer_comes_by_its_first_block(front, members):
    """RFC 10020 §3.8."""
    fleet = members(2)
    _, client = front(plain_mapping(fleet, max_timeout=30))
    answers = client.gather("lights/big", count=2, timeout=5)
    for answer in answers:
        assert answer.block(BLOCK2) == (0, True, 1024) and answer.uint(SIZE2) == 4096
        assert len(answer.payload) == 1024 and answer.one(ETAG)


def test_blocks_as_small_as_the_client_wants_them(front, members):
    _, client = front(plain_mapping(members(1, "--seed", "1"), max_timeout=30))
    (answer,) = client.gather("lights/big", count=1, timeout=5, options=[(BLOCK2, coap.block(0, False, 64))])
    assert answer.block(BLOCK2) == (0, True, 64) and len(answer.payload) == 64
