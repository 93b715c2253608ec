"""CoAP clients over UDP: a request there, separate responses back (draft-ietf-core-groupcomm-proxy), and what clients do that is out
of the ordinary."""

import os
import subprocess
import time

import pytest

import coap
from coap import ACK, CON, EMPTY, GET, MULTICAST_TIMEOUT, NON, PUT, REPLY_FROM, RST, Client, Message
from conftest import free_udp_port, plain_mapping
from probe import cbor, counter, log_lines, metrics, running, wait_for


def quick(fleet, name="lights", **more):
    """A mapping that asks at once, however often."""
    return plain_mapping(fleet, name, max_timeout=30, **more)


@pytest.fixture
def lamps(members, gateway):
    """lamps(count, …): a gateway with a CoAP listener before a fleet; .coap is where it listens."""

    def start(count=3, *arguments, mapping=None, coap_settings=None, **settings):
        fleet = members(count, *arguments)
        port = free_udp_port()
        gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"], **(coap_settings or {})},
                        "group": {"interface": "lo", "nstart": 1000, "probing_rate": 1000000},
                        "mappings": [quick(fleet, **(mapping or {}))], **settings})
        gate.coap = ("127.0.0.1", port)
        return gate, fleet

    return start


@pytest.fixture
def client():
    """client(gateway, …): a client of it."""
    started = []

    def start(gate, **more):
        started.append(Client(gate.coap, **more))
        return started[-1]

    yield start
    for one in started:
        one.socket.close()


def origin(message):
    """The address that Reply-From names."""
    (scheme, authority), end = cbor(message.one(REPLY_FROM))
    assert scheme == -1 and end == len(message.one(REPLY_FROM))
    host, port = authority[0], authority[1] if len(authority) > 1 else 5683
    return ".".join(str(byte) for byte in host), port


# ---- There and back ----


def test_each_answer_is_a_response_of_its_own(lamps, client):
    gate, fleet = lamps(3)
    one = client(gate)
    request = one.ask("lights/light", timeout=1)
    first = one.hear()
    assert (first.type, first.code, first.mid) == (ACK, EMPTY, request.mid)
    answers = one.hear_all(1.5)
    assert len(answers) == 3
    assert {a.token for a in answers} == {request.token}
    assert {origin(a) for a in answers} == set(fleet.addresses)
    assert {a.code_text for a in answers} == {"2.05"}
    assert all(a.one(MULTICAST_TIMEOUT) is None for a in answers)
    (line,) = log_lines(gate, "exchange")
    assert (line["path"], line["method"], line["answered"]) == ("/lights/light", "GET", "3")
    assert line["peer"] == f"127.0.0.1:{one.port}"
    assert running(gate) == 0


def test_a_nonconfirmable_request_is_not_acknowledged(lamps, client):
    gate, fleet = lamps(1)
    (answer,) = client(gate).hear_all(0) or client(gate).gather("lights/light", type=NON, timeout=1, seconds=1.5)
    assert answer.type == NON and origin(answer) == fleet.addresses[0]


def test_the_forward_proxy(lamps, client, group):
    gate, fleet = lamps(2, mapping={"forward": True})
    uri = f"{group.uri}/light".encode()
    answers = client(gate).gather(options=[(coap.PROXY_URI, uri)], timeout=1, seconds=1.5)
    assert {origin(a) for a in answers} == set(fleet.addresses)


def test_the_forward_proxy_where_it_is_switched_off(lamps, client, group, capture):
    """RFC 10020 §3.5.1."""
    gate, fleet = lamps(2)
    seen = capture()
    answer = client(gate).call(options=[(coap.PROXY_URI, f"{group.uri}/light".encode())], timeout=1)
    assert answer.code_text == "5.01" and answer.payload
    assert seen.messages() == []


def test_libcoaps_client(lamps):
    """It is content with the first response."""
    gate, fleet = lamps(3)
    out = subprocess.run(["coap-client-openssl", "-m", "get", "-O", "2,\x01", "-B", "5", "-v", "6",
                          f"coap://127.0.0.1:{gate.coap[1]}/lights/light"], capture_output=True, timeout=20)
    said = out.stdout + out.stderr
    assert b"c:2.05" in said and f" {REPLY_FROM}:".encode() in said, said


# ---- Multicast-Timeout ----


def test_multicast_timeout_is_missing(lamps, client, capture):
    gate, fleet = lamps(1)
    seen = capture()
    answer = client(gate).call("lights/light", timeout=None)
    assert (answer.type, answer.code_text, answer.one(MULTICAST_TIMEOUT)) == (ACK, "4.00", b"")
    assert b"Multicast-Timeout" in answer.payload
    assert seen.messages() == []


def test_multicast_timeout_is_too_long(lamps, client, capture):
    gate, fleet = lamps(1)
    seen = capture()
    answer = client(gate).call("lights/light", timeout=31)
    assert (answer.code_text, answer.one(MULTICAST_TIMEOUT)) == ("4.00", None)
    assert seen.messages() == []


def test_multicast_timeout_zero(lamps, client, capture):
    gate, fleet = lamps(1)
    seen = capture()
    one = client(gate)
    request = one.ask("lights/light", timeout=0)
    assert [(m.type, m.code, m.mid) for m in one.hear_all(0.7)] == [(ACK, EMPTY, request.mid)]
    assert len(seen.messages()) == 1


# ---- Who may ----


def test_unknown_clients_hear_that_before_anything_else(lamps, client, capture):
    gate, fleet = lamps(1, mapping={"clients": ["someone"]}, clients={"someone": {"token_sha256": "00" * 32}})
    seen = capture()
    answer = client(gate).call("lights/light", timeout=None)
    assert (answer.code_text, answer.one(MULTICAST_TIMEOUT)) == ("4.01", None)
    assert seen.messages() == []


def test_more_than_a_client_may_have(lamps, client):
    gate, fleet = lamps(1, mapping={"budget": {"requests_per_minute": 2}})
    one = client(gate)
    for _ in range(2):
        one.ask("lights/light", timeout=1)
    answer = one.call("lights/light", timeout=1)
    assert answer.code_text == "4.29" and 0 < answer.uint(coap.MAX_AGE) <= 60


# ---- Tokens ----


@pytest.mark.parametrize("length", [0, 1, 8, 9, 12, 13, 14, 64])
def test_tokens_come_back_whole(lamps, client, length):
    gate, fleet = lamps(2)
    token = os.urandom(length)
    answers = client(gate).gather("lights/light", count=2, token=token)
    assert [a.token for a in answers] == [token] * 2


def test_a_token_that_is_too_long(lamps, client):
    gate, fleet = lamps(1)
    one = client(gate)
    request = one.ask("lights/light", token=os.urandom(65))
    answer = one.hear()
    assert (answer.type, answer.code_text, answer.mid) == (ACK, "4.00", request.mid)


def early_stop(one, token, type=CON):
    return one.ask(timeout=0, token=token, type=type)


def test_early_stop(lamps, client):
    gate, fleet = lamps(3, "--delay", "700:700")
    one = client(gate)
    request = one.ask("lights/light", timeout=5)
    assert one.hear().type == ACK
    stop = early_stop(one, request.token)
    assert [(m.type, m.code, m.mid) for m in one.hear_all(1.5)] == [(ACK, EMPTY, stop.mid)]
    assert running(gate) == 0
    (line,) = log_lines(gate, "exchange")
    assert line["ended_by"] == "client"


def test_early_stop_where_nothing_runs(lamps, client, capture):
    gate, fleet = lamps(1, mapping={"path": "/"})
    seen = capture()
    one = client(gate)
    stop = early_stop(one, b"none")
    assert [(m.type, m.code, m.mid) for m in one.hear_all(0.5)] == [(ACK, EMPTY, stop.mid)]
    early_stop(one, b"none", NON)
    assert one.hear_all(0.5) == []
    assert seen.messages() == []


def test_a_token_in_use(lamps, client, capture):
    """RFC 10020 §3.5.2."""
    gate, fleet = lamps(2, "--delay", "700:700")
    seen = capture()
    one = client(gate)
    one.ask("lights/light", timeout=5, token=b"t")
    again = one.ask("lights/status", timeout=5, token=b"t")
    acknowledged, answer = one.hear(), one.hear()
    assert acknowledged.code == EMPTY
    assert (answer.code_text, answer.mid) == ("4.00", again.mid) and b"reverse proxy" in answer.payload
    assert one.hear_all(1.5) == []
    assert len(seen.messages()) == 1
    assert len(one.gather("lights/light", timeout=1, seconds=1.5, token=b"t")) == 2
    assert running(gate) == 0


def test_two_clients_may_have_the_same_token(lamps, client):
    gate, fleet = lamps(2)
    one, other = client(gate), client(gate)
    for each in (one, other):
        each.ask("lights/light", token=b"t")
    for each in (one, other):
        assert sum(m.code != EMPTY for m in each.hear_all(1)) == 2


# ---- Messages that come twice, and clients that leave ----


def test_a_repeated_request_is_one(lamps, client, capture):
    gate, fleet = lamps(2)
    seen = capture()
    one = client(gate)
    request = one.ask("lights/light", timeout=1)
    for _ in range(3):
        one.socket.send(request.emit())
    heard = one.hear_all(1.5)
    assert sum(m.code != EMPTY for m in heard) == 2
    assert [m.mid for m in heard if m.code == EMPTY] == [request.mid] * 4
    assert len(seen.messages()) == 1
    answer = one.call("nowhere")
    refused = one.ask("nowhere")
    assert answer.code_text == "4.04"
    first = one.hear()
    one.socket.send(refused.emit())
    assert one.hear() == first


def test_a_reset_ends_it(lamps, client):
    """GCP §5.2.3."""
    gate, fleet = lamps(2, "--delay", "0:1500", "--seed", "4")
    one, other = client(gate), client(gate)
    one.ask("lights/light", timeout=20, token=b"a")
    other.ask("lights/light", timeout=20, token=b"a")
    answer = one.hear()
    while answer.code == EMPTY:
        answer = one.hear()
    one.socket.send(Message(RST, EMPTY, answer.mid).emit())
    wait_for(lambda: running(gate) == 1)
    early_stop(other, b"a")
    wait_for(lambda: running(gate) == 0)


def test_a_client_that_changes_its_port(lamps, client):
    """To the gateway it is another one: what it asked for goes to where it was, and its token is free."""
    gate, fleet = lamps(2, "--delay", "300:300")
    one, other = client(gate), client(gate)
    one.ask("lights/light", timeout=2, token=b"t")
    assert len(other.gather("lights/light", timeout=2, count=2, token=b"t")) == 2
    assert sum(m.code != EMPTY for m in one.hear_all(1)) == 2


def test_a_client_that_acknowledges_nothing(lamps, client):
    """Beyond its window nothing goes to it, and nobody else waits for it."""
    gate, fleet = lamps(60)
    silent, other = client(gate, quiet=True), client(gate)
    silent.ask("lights/light", timeout=10, token=b"s")
    got = {m.mid for m in silent.hear_all(3) if m.code != EMPTY}
    assert 0 < len(got) < 60
    assert len(other.gather("lights/light", timeout=5, count=60)) == 60
    early_stop(silent, b"s")
    wait_for(lambda: running(gate) <= 1)


def test_the_end_waits_for_what_runs(lamps, client):
    gate, fleet = lamps(2, "--delay", "500:500")
    one = client(gate)
    one.ask("lights/light", timeout=2)
    assert one.hear().type == ACK
    gate.process.terminate()
    time.sleep(0.1)
    refused = one.call("lights/light", timeout=2)
    assert refused.code_text == "5.03"
    assert sum(m.code != EMPTY for m in one.hear_all(1.5)) == 2
    assert gate.process.wait(timeout=10) == 0


# ---- Figures ----


def test_metrics(lamps, client):
    gate, fleet = lamps(2)
    one = client(gate)
    one.gather("lights/light", timeout=1, seconds=1.2)
    early_stop(one, b"none")
    one.hear()
    figures = metrics(gate)
    assert figures["castgate_coap_challenges_total"] == 0
    assert figures['castgate_coap_token_reuse_total{kind="stop-nothing"}'] == 1
    assert figures['castgate_coap_separate_responses_total{result="sent"}'] == 2
    assert figures["castgate_coap_exchanges_running"] == 0
