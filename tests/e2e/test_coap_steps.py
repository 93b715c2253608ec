"""What draft-ietf-core-groupcomm-proxy and RFC 10020 ask of a proxy towards CoAP clients, step by step, as clients and members see it.
tests/standards/ says which sentence each test is for."""

import json
import socket
import struct
import subprocess

import pytest

import coap
from coap import (ACK, CON, EMPTY, MULTICAST_TIMEOUT, NON, PROXY_CRI, PROXY_SCHEME, PROXY_SCHEME_NUMBER, PROXY_URI, REPLY_FROM, RST, URI_HOST,
                  URI_PATH, URI_PORT, Client, Message)
from conftest import BUILD, IPV4_GROUP, PATIENCE, Gateway, free_udp_port, in_namespace, plain_mapping
from probe import Tap, answer_to, cbor, log_lines, running, silent_mapping, wait_for

OTHER_OPTIONS = [(coap.IF_MATCH, b"e"), (coap.ACCEPT, b""), (coap.NO_RESPONSE, b"\x02")]


@pytest.fixture
def proxy(gateway):
    """proxy(mapping, …): a client of a gateway with these mappings, on loopback."""
    clients = []

    def start(*mappings, **more):
        port = free_udp_port()
        gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"], **more.pop("coap", {})},
                        "group": {"interface": "lo", "nstart": 1000, "probing_rate": 1000000, **more.pop("group", {})},
                        "mappings": list(mappings), **more})
        clients.append(Client(("127.0.0.1", port)))
        return gate, clients[-1]

    yield start
    for one in clients:
        one.socket.close()


def open_mapping(group, name="lights", **more):
    """A mapping of a group whose members nobody has named."""
    return silent_mapping(group, name, **{"forward": True, "timeout": 2, **more})


def responses(client, seconds):
    return [message for message in client.hear_all(seconds) if message.code != EMPTY]


def origin(message):
    """Of a CRI with scheme and authority, and nothing else behind it."""
    value = message.one(REPLY_FROM)
    cri, end = cbor(value)
    assert end == len(value), "a second element"
    scheme, (ip, *port) = cri
    assert scheme == -1, "coap"
    return socket.inet_ntop(socket.AF_INET if len(ip) == 4 else socket.AF_INET6, ip), port[0] if port else 5683


# ---- 5.2.1: who may, and what is missing ----


def test_the_allow_list_is_by_client_and_group(proxy, group, new_group):
    """Whom one mapping lets in, the other does not: the group decides, however it is named."""
    other = new_group()
    someone = {"someone": {"token_sha256": "00" * 32}}
    gate, client = proxy(open_mapping(group), open_mapping(other, "closed", clients=["someone"]), clients=someone)
    with Tap(group) as tap, Tap(other) as silence:
        for target in ([(PROXY_URI, f"{other.uri}/x".encode())], [(URI_PATH, b"closed")]):
            answer = client.call(options=target, timeout=1)
            assert (answer.code_text, answer.one(MULTICAST_TIMEOUT)) == ("4.01", None)
        client.ask(options=[(PROXY_URI, f"{group.uri}/x".encode())], timeout=1)
        assert tap.next().message.path == "/x"
        assert silence.packets() == []


def test_a_forward_request_without_multicast_timeout(proxy, group):
    gate, client = proxy(open_mapping(group))
    with Tap(group) as tap:
        for type in (CON, NON):
            answer = client.call(options=[(PROXY_URI, f"{group.uri}/x".encode())], timeout=None, type=type)
            assert (answer.type, answer.code_text, answer.one(MULTICAST_TIMEOUT)) == (ACK if type == CON else NON, "4.00", b"")
            assert b"Multicast-Timeout" in answer.payload
        assert tap.packets() == []


# ---- 5.2.1: what goes out ----


def forms(group):
    """The same target in each way there is to say it."""
    host, port = group.address.encode(), group.port
    ip = socket.inet_aton(group.address)
    uri = [(URI_HOST, host), (URI_PORT, coap.uint(port)), (URI_PATH, b"a"), (coap.URI_QUERY, b"q=1")]
    cri = (b"\x84\x20\x82\x44" + ip + b"\x19" + struct.pack("!H", port)  # [-1, [h'…', port], ["a"], ["q=1"]]
           + b"\x81\x61a" + b"\x81\x63q=1")
    return [[(PROXY_URI, f"{group.uri}/a?q=1".encode())],
            [(PROXY_SCHEME, b"coap"), *uri],
            [(PROXY_SCHEME_NUMBER, b""), *uri],
            [(PROXY_CRI, cri)]]


@pytest.mark.parametrize("form", range(4), ids=["uri", "scheme", "scheme-number", "cri"])
def test_the_group_gets_the_request_without_what_is_the_proxys(proxy, group, form):
    """Non-confirmable, with the client's own options, and none of those that spoke to the proxy."""
    gate, client = proxy(open_mapping(group))
    with Tap(group) as tap:
        request = client.ask(options=[*forms(group)[form], *OTHER_OPTIONS], timeout=1)
        message = tap.next().message
        assert (message.type, message.code) == (NON, coap.GET)
        assert message.token != request.token
        assert sorted(message.options) == sorted([(URI_PATH, b"a"), (coap.URI_QUERY, b"q=1"), *OTHER_OPTIONS])
        assert len(tap.packets()) == 1


def test_nstart_holds_for_coap_clients_too(proxy, group):
    """RFC 10020 §3.6: one outstanding request a group, whoever asks."""
    gate, client = proxy(open_mapping(group), group={"nstart": 1})
    with Tap(group) as tap:
        client.ask("lights/a", timeout=1)
        tap.next()
        client.ask("lights/b", timeout=1)
        assert len(tap.packets(settle=0.5)) == 1
        assert tap.next().message.path == "/b"


# ---- 5.4.1: what comes back ----


def test_reply_from_is_one_cri_of_the_member(proxy, members):
    """Where the proxy stands in for the group alone, and through the forward proxy always."""
    fleet = members(3)
    gate, client = proxy(plain_mapping(fleet, forward=True, max_timeout=10))
    for target in ([(URI_PATH, b"lights"), (URI_PATH, b"light")], [(PROXY_URI, f"{fleet.group.uri}/light".encode())]):
        answers = client.gather(options=target, count=3)
        assert {origin(message) for message in answers} == set(fleet.addresses)


def test_reply_from_of_who_stands_in_leads_back_to_the_member(proxy, members):
    """GCP §6.1, first case: the gateway's own address, and the path that leads on to the member. Following it gets that member's answer."""
    fleet = members(3)
    gate, client = proxy(plain_mapping(fleet, stand_in="members", max_timeout=10))
    answers = client.gather("lights/light", count=3)
    assert len(answers) == 3
    paths = set()
    for message in answers:
        value = message.one(REPLY_FROM)
        (scheme, authority), at = cbor(value)
        (discard, path), end = cbor(value, at)
        assert (scheme, authority, discard, end) == (-1, [bytes([127, 0, 0, 1]), client.to[1]], True, len(value))
        own = client.call(options=[(URI_PATH, segment.encode()) for segment in [*path, "light"]], timeout=None)
        assert (own.code_text, own.payload) == (message.code_text, message.payload)
        paths.add(tuple(path))
    assert len(paths) == 3


def test_several_responses_of_one_member_come_as_they_come(proxy, group):
    """Nothing is replaced, and nothing taken for a repetition: the client may know what they are worth."""
    gate, client = proxy(open_mapping(group))
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        request = client.ask("lights/x", timeout=2)
        packet = tap.next()
        for number in range(5):
            member.send_bytes(packet.source, answer_to(packet.message, b"%d" % number, mid=number))
        answers = responses(client, 2.5)
    assert [(m.payload, m.token, origin(m)) for m in answers] == [(b"%d" % n, request.token, ("127.66.0.1", member.port)) for n in range(5)]


def test_a_member_that_fails_is_told_of_too(proxy, group):
    """Any response is one, whatever its code."""
    gate, client = proxy(open_mapping(group))
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        client.ask("lights/x", timeout=1)
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"no", "4.04", options=[(coap.MAX_AGE, b"\x05")]))
        (answer,) = responses(client, 1.5)
    assert (answer.code_text, answer.payload, answer.uint(coap.MAX_AGE)) == ("4.04", b"no", 5)


def test_nothing_comes_after_the_timeout(proxy, group):
    gate, client = proxy(open_mapping(group))
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        client.ask("lights/x", timeout=1)
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"early", mid=1))
        assert [m.payload for m in responses(client, 1.5)] == [b"early"]
        wait_for(lambda: running(gate) == 0)
        member.send_bytes(packet.source, answer_to(packet.message, b"late", mid=2))
        assert responses(client, 0.5) == []


def test_nothing_comes_after_a_reset(proxy, group):
    """GCP §5.2.3: the client has freed its token, and says so."""
    gate, client = proxy(open_mapping(group))
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        client.ask("lights/x", timeout=10)
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"first", mid=1))
        first = next(m for m in iter(client.hear, None) if m.code != EMPTY)
        client.socket.send(Message(RST, EMPTY, first.mid).emit())
        wait_for(lambda: running(gate) == 0)
        member.send_bytes(packet.source, answer_to(packet.message, b"second", mid=2))
        assert responses(client, 0.5) == []


# ---- 10: what stands between client and proxy ----


def test_dtls_needs_a_way_to_prove_who_listens(tmp_path):
    """A coaps listener has a certificate, or shares a key with some client; test_settings.py has listeners without either."""
    file = tmp_path / "castgate.json"
    file.write_text(json.dumps({"coap": {"listen": ["coaps://0.0.0.0:5684"]}}))
    ran = subprocess.run([BUILD / "castgate", "-c", file, "-T"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 2 and "/coap/listen/0: coaps://0.0.0.0:5684 needs a certificate and key" in ran.stderr


# ---- All CoAP Nodes ----


def all_coap_nodes(query="", options=(), type=NON):
    return Message(type, coap.GET, 4711, b"acn", [*coap.path_options(f".well-known/core{query}"), *options]).emit()


@in_namespace
def test_all_coap_nodes_gets_only_the_links_that_were_asked_for(gateway, new_group):
    """RFC 10020 §3.6: small, and nothing where there is nothing useful to say."""
    group = new_group()
    gateway({"coap": {"listen": ["coap://127.0.0.1:5683"], "all_nodes": ["lo"]},
             "mappings": [silent_mapping(group, name) for name in ("attic", "hall")]})
    with coap.Endpoint() as client:
        for query, expected in (("?href=/hall", {"/hall"}), ("?rt=castgate.mapping", {"/attic", "/hall"})):
            client.send_bytes((IPV4_GROUP, 5683), all_coap_nodes(query))
            answer = client.receive(10).message
            assert (answer.type, answer.code_text, answer.token) == (NON, "2.05", b"acn")
            assert {link.partition(">")[0].strip("<") for link in answer.payload.decode().split(",")} == expected
        for nothing in (all_coap_nodes("?href=/cellar"), all_coap_nodes(type=CON), Message(NON, coap.GET, 1, b"acn", coap.path_options("hall")).emit(),
                        Message(NON, coap.GET, 2, b"acn", [(PROXY_URI, f"{group.uri}/x".encode()), (MULTICAST_TIMEOUT, b"\x01")]).emit()):
            client.send_bytes((IPV4_GROUP, 5683), nothing)
        assert client.receive(6) is None


@in_namespace
def test_all_coap_nodes_ignores_q_block2(gateway, new_group):
    """RFC 9177, as RFC 10020 §3.8 has it."""
    gateway({"coap": {"listen": ["coap://127.0.0.1:5683"], "all_nodes": ["lo"]}, "mappings": [silent_mapping(new_group(), "hall")]})
    with coap.Endpoint() as client:
        client.send_bytes((IPV4_GROUP, 5683), all_coap_nodes(options=[(31, b"\x02")]))
        assert client.receive(6) is None


# ---- Where it listens ----


@in_namespace
def test_the_default_listener_is_there_where_it_can_be(gateway, group):
    """Nobody wrote it, so that nobody need have it: a second gateway serves without, and says so."""
    first, second = (gateway({"coap": None, "mappings": [silent_mapping(group)]}) for _ in range(2))
    with Client(("127.0.0.1", 5683)) as client:
        assert client.call("nowhere").code_text == "4.04"
    assert [line["level"] for line in log_lines(first, "listening")] == ["info"] * 3  # HTTP, CoAP, admin
    lines = log_lines(second, "listening")
    assert sorted(line["level"] for line in lines) == ["info", "info", "warning"]
    (warning,) = [line["msg"] for line in lines if line["level"] == "warning"]
    assert "127.0.0.1:5683" in warning and "default" in warning
    assert second.request("/nowhere").status == 404
    assert first.request("/readyz", to=first.admin).body == b"ok\n"
    reply = second.request("/readyz", to=second.admin)
    assert (reply.status, reply.body) == (200, b"ok\nnot listening: coap coap://127.0.0.1:5683\n")


@in_namespace
def test_a_written_listener_must_be_there(gateway, group, tmp_path):
    settings = {"coap": {"listen": ["coap://127.0.0.1:5683"]}, "mappings": [silent_mapping(group)]}
    gateway(settings)
    other = Gateway(settings, tmp_path / "other")
    assert other.process.wait(timeout=PATIENCE) == 1
    assert "127.0.0.1:5683" in other.log()
