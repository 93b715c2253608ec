"""CoAP clients that ask one member again, where its answer came from (draft-ietf-core-groupcomm-proxy §3.5): who may be asked so, and
who may not."""

import time

import pytest

import coap
from coap import CON, EMPTY, MULTICAST_TIMEOUT, REPLY_FROM, Client, Message
from conftest import free_udp_port, plain_mapping
from probe import Tap, answer_to, cbor, log_lines, running, silent_mapping


@pytest.fixture
def serve(gateway):
    """serve(mapping, …): a gateway with a CoAP listener, open to target URIs; .client() is one of its clients."""
    clients = []

    def start(*mappings, **settings):
        port = free_udp_port()
        gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]},
                        "group": {"interface": "lo", "nstart": 1000, "probing_rate": 1000000},
                        "mappings": [{"forward": True, **mapping} for mapping in mappings], **settings})

        def client():
            clients.append(Client(("127.0.0.1", port)))
            return clients[-1]

        gate.client, gate.coap = client, ("127.0.0.1", port)
        return gate

    yield start
    for client in clients:
        client.socket.close()


def to(uri):
    return [(coap.PROXY_URI, uri.encode())]


def origin(message):
    (scheme, authority), _ = cbor(message.one(REPLY_FROM))
    host, port = authority[0], authority[1] if len(authority) > 1 else 5683
    return ".".join(str(byte) for byte in host), port


def ask_one(client, address, path="", **more):
    """A request to one member alone: no Multicast-Timeout."""
    host, port = address
    more = {"timeout": None, **more}
    return client.call(options=to(f"coap://{host}:{port}{path}"), **more)


@pytest.mark.parametrize("configured", [True, False])
def test_a_client_asks_where_an_answer_came_from(serve, members, configured):
    fleet = members(3)
    more = {} if configured else {"members": [], "membership": "open", "finish": "deadline"}
    gate = serve(plain_mapping(fleet, max_timeout=30, **more))
    client = gate.client()
    found = [origin(a) for a in client.gather(options=to(f"{fleet.group.uri}/status"), timeout=1, seconds=1.5)]
    assert set(found) == set(fleet.addresses)
    for address in found:
        for _ in range(2):
            answer = ask_one(client, address, "/light?x")
            assert (answer.code_text, answer.one(REPLY_FROM), answer.one(MULTICAST_TIMEOUT)) == ("2.05", None, None)
    assert ask_one(client, found[0], "/nothing").code_text == "4.04"  # the member's own word
    answer = ask_one(client, found[1], "/status", timeout=5)          # a bound, and nothing else
    assert answer.code_text == "2.05" and answer.one(REPLY_FROM) is None
    assert client.hear_all(0.3) == []                                 # there is one response
    assert {line.get("member") for line in log_lines(gate, "exchange")} > {f"{h}:{p}" for h, p in found}
    assert running(gate) == 0


def test_who_is_no_member_is_not_asked(serve, members, group, endpoint):
    fleet = members(1)
    gate = serve(plain_mapping(fleet, max_timeout=30))
    client = gate.client()
    stranger = endpoint.socket.getsockname()[:2]
    assert ask_one(client, gate.coap, "/x").code_text == "4.04"  # itself it asks no more than its own paths (RFC 7252 §5.7.2)
    for address in (stranger, gate.http, gate.admin, ("127.1.0.99", 5683), ("0.0.0.0", 5683)):
        answer = ask_one(client, address, "/x")
        assert answer.code_text == "4.01" and answer.payload
    for uri in ("coap://localhost:5683/x", "coap://lamp.example/x"):
        assert client.call(options=to(uri), timeout=None).code_text == "4.01"
    endpoint.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        endpoint.socket.recv(100)


def test_an_answer_from_a_made_up_address_is_not_followed(serve, group, endpoint):
    """It gets pings, and who asked hears 5.04."""
    gate = serve(silent_mapping(group, max_timeout=30))
    client = gate.client()
    with Tap(group) as tap:
        request = client.ask(options=to(group.uri + "/x"), timeout=1)
        packet = tap.next()
        endpoint.send_bytes(packet.source, answer_to(packet.message, b"forged"))
        time.sleep(1.2)
        forged = [m for m in client.hear_all(0.3) if m.token == request.token and m.code != EMPTY]
        assert [origin(m) for m in forged] == [endpoint.socket.getsockname()[:2]]
    answer = ask_one(client, origin(forged[0]), "/secret", timeout=2)
    assert answer.code_text == "5.04" and b"ping" in answer.payload
    endpoint.socket.settimeout(0.2)
    heard = []
    try:
        while True:
            heard.append(Message.parse(endpoint.socket.recv(100)))
    except TimeoutError:
        pass
    assert heard and {(m.type, m.code) for m in heard} == {(CON, EMPTY)}


def test_silence_is_504(serve, group):
    gate = serve(silent_mapping(group, members=["127.9.9.9:9"], max_timeout=1, timeout=1))
    started = time.monotonic()
    answer = ask_one(gate.client(), ("127.9.9.9", 9), "/x")
    assert answer.code_text == "5.04" and 0.8 < time.monotonic() - started < 8


def test_a_member_behind_the_gateways_path(serve, members):
    """The reverse proxy's way to the same: no Multicast-Timeout either."""
    fleet = members(2)
    named = [{"name": f"lamp-{i + 1}", "address": address} for i, address in enumerate(fleet.texts)]
    gate = serve(plain_mapping(fleet, max_timeout=30, stand_in="members", members=named))
    answer = gate.client().call("lights/.member/lamp-2/status", timeout=None)
    assert answer.code_text == "2.05" and answer.payload
