"""End to end over CoAP: a client that is a member of the group speaks to it through the gateway, which has no keys and changes no byte
of what is protected (GCP REQ3, RFC 10021 §7). Members that must say certain bytes are sockets of the test."""

import os

import pytest

import coap
from coap import CONTENT_FORMAT, FETCH, MAX_AGE, MULTICAST_TIMEOUT, OSCORE, POST, REPLY_FROM, Client
from conftest import free_udp_port
from probe import Tap, answer_to, cbor
from protected import Keys, ProtectedMembers, make_state, settings

NOBODY = (204, 504)  # it went out, and nobody answered
GROUP_FLAG = 0x20  # of the OSCORE option: the group mode (RFC 10021 §4)


@pytest.fixture
def keys(tmp_path, group):
    return Keys(tmp_path / "keys", 2, group.port)


@pytest.fixture
def messages(gateway, new_group, tmp_path, keys):
    """messages(): one more protected request of a member, as its option and payload."""
    own = new_group()
    member = gateway(settings(make_state(tmp_path / "member-state", keys),
                              (own, keys, {"timeout": 0.05, "finish": "deadline", "membership": "open"})))

    def make():
        with Tap(own) as tap:
            assert member.request("/lights/status").status in NOBODY
            message = tap.packets()[0].message
        return message.one(OSCORE), message.payload

    return make


@pytest.fixture
def relay(gateway, group):
    """relay(…): a client of a gateway that relays to this test's group."""
    clients = []

    def start(**more):
        port = free_udp_port()
        gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]}, "group": {"interface": "lo", "nstart": 100, "probing_rate": 1000000},
                 "mappings": [{"name": "relay", "path": "/relay", "group": group.uri, "security": "relay", "clients": ["anonymous"], **more}]})
        clients.append(Client(("127.0.0.1", port)))
        return clients[-1]

    yield start
    for one in clients:
        one.socket.close()


def send(client, option, payload, method=POST, **more):
    return client.ask("relay", method, options=[(OSCORE, option)], payload=payload, **more)


def responses(client, seconds):
    return [message for message in client.hear_all(seconds) if message.code != coap.EMPTY]


def origin(message):
    (scheme, (ip, *port)), end = cbor(message.one(REPLY_FROM))
    assert scheme == -1 and end == len(message.one(REPLY_FROM))
    return ".".join(map(str, ip)), port[0] if port else 5683


@pytest.mark.parametrize("method", [POST, FETCH])
def test_requests_and_answers_are_passed_byte_for_byte(relay, group, method):
    client = relay()
    option, payload = bytes([0x39, 1, 2, 0x67, 0x69]) + os.urandom(20), os.urandom(300)
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as one, coap.Endpoint("127.66.0.2") as other:
        request = send(client, option, payload, method)
        packet = tap.next()
        asked = packet.message
        assert (asked.type, asked.code, asked.options, asked.payload) == (coap.NON, method, [(OSCORE, option)], payload)
        answers = {}
        for member, code in ((one, "2.04"), (other, "2.05")):
            protected = (bytes([0x28, 9]) + os.urandom(4), os.urandom(700))
            answers["127.66.0.1" if member is one else "127.66.0.2", member.port] = code, *protected
            member.send_bytes(packet.source, answer_to(asked, protected[1], code, options=[(OSCORE, protected[0])]))
        got = responses(client, 2.5)
    assert {message.token for message in got} == {request.token}
    assert {origin(m): (m.code_text, m.one(OSCORE), m.payload) for m in got} == answers
    assert all({number for number, _ in message.options} == {OSCORE, REPLY_FROM} for message in got)


def test_several_answers_of_one_member_are_passed_as_they_come(relay, group):
    """Without its keys nobody can tell which of them is worth more."""
    client = relay()
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        send(client, b"\x29\x01\x07", b"request")
        packet = tap.next()
        for number in range(3):
            member.send_bytes(packet.source, answer_to(packet.message, b"%d" % number, "2.04", mid=number, options=[(OSCORE, b"\x20")]))
        assert [message.payload for message in responses(client, 2.5)] == [b"0", b"1", b"2"]


def test_what_members_cannot_protect_is_passed(relay, group):
    """Their errors, when they cannot open a request: the client alone can judge them (RFC 10021 §7.4)."""
    client = relay()
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        send(client, b"\x29\x01\x07", b"request")
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"Security context not found", "4.01", options=[(MAX_AGE, b"")]))
        (message,) = responses(client, 2.5)
    assert (message.code_text, message.payload, message.one(OSCORE)) == ("4.01", b"Security context not found", None)
    assert message.uint(MAX_AGE) == 0 and origin(message) == ("127.66.0.1", member.port)


def test_what_the_members_say_themselves(relay, group, keys, messages, tmp_path):
    """Real members accept what the gateway relays, and answer it."""
    client = relay(check_signature=str(keys.checker))
    fleet = ProtectedMembers(keys, group, 2, "127.1.0.1", [], tmp_path / "members.log")
    send(client, *messages())
    got = responses(client, 2.5)
    assert {origin(message) for message in got} == set(fleet.addresses)
    assert all(message.code_text == "2.04" and message.one(OSCORE) is not None and message.payload for message in got)
    assert fleet.stop() == 0, fleet.log()


def test_a_pairwise_request_to_a_group_is_refused(relay, group, keys, messages):
    """It has no signature that could be checked (RFC 10021 §7.5)."""
    client = relay(check_signature=str(keys.checker))
    option, payload = messages()
    with Tap(group) as tap:
        answer = client.call("relay", method=POST, options=[(OSCORE, bytes([option[0] & ~GROUP_FLAG]) + option[1:])], payload=payload)
        assert (answer.code_text, answer.one(OSCORE)) == ("4.01", None)
        answer = client.call("relay", method=POST, options=[(OSCORE, option)], payload=payload[:-1] + bytes([payload[-1] ^ 1]))
        assert answer.code_text == "4.01"
        assert tap.packets() == []
        send(client, option, payload, timeout=1)
        assert [packet.message.payload for packet in tap.packets()] == [payload]


def test_what_is_not_protected_is_not_relayed(relay, group):
    client = relay()
    with Tap(group) as tap:
        answer = client.call("relay", method=POST, payload=b"on", options=[(CONTENT_FORMAT, b"")])
        assert (answer.code_text, answer.one(REPLY_FROM)) == ("4.01", None)
        answer = client.call("relay", method=POST, options=[(OSCORE, b"\x29\x01\x07")], payload=b"x", timeout=None)
        assert (answer.code_text, answer.one(MULTICAST_TIMEOUT)) == ("4.00", b"")
        assert tap.packets() == []
