"""Amplification: nothing is asked of a group, and nothing but a small Echo is said, before a client's address has been shown to be its own
(RFC 9175 §2.4, RFC 10020 §6.3.1)."""

import os
import subprocess

import coap
from coap import ACK, CON, ECHO, EMPTY, MULTICAST_TIMEOUT, NON, RST, Client, Message
from conftest import free_udp_port, in_namespace, plain_mapping
from probe import log_lines, metrics, running

GATEWAY, CLIENT, OTHER = "192.0.2.1", "192.0.2.2", "192.0.2.3"


def start(members, gateway, **more):
    for address in (GATEWAY, CLIENT, OTHER):
        subprocess.run(f"ip addr add {address}/32 dev lo".split(), check=True)
    fleet, port = members(2), free_udp_port()
    gate = gateway({"coap": {"listen": [{"address": f"coap://{GATEWAY}:{port}", "insecure": True}]},
                    "group": {"interface": "lo", "nstart": 100, "probing_rate": 1000000},
                    "mappings": [plain_mapping(fleet, max_timeout=30, **more)]})
    gate.coap = (GATEWAY, port)
    return gate, fleet


def ask(one, *args, **more):
    """(size of the request, its answer and that one's size)"""
    request = one.ask(*args, **more)
    data, _ = one.receive_bytes(5)
    return request, len(request.emit()), Message.parse_extended(data), len(data)


@in_namespace
def test_only_an_echo_leaves_before_the_address_is_proven(members, gateway, capture):
    gate, fleet = start(members, gateway)
    seen = capture()
    with Client(gate.coap, address=CLIENT) as one:
        for type, token in ((CON, b""), (CON, b"t"), (NON, b"token"), (CON, os.urandom(64))):
            for path, timeout in (("lights/light", 2), ("", 0), ("nowhere", None), (".well-known/core", None), ("", None)):
                request, sent, answer, received = ask(one, path, type=type, token=token, timeout=timeout)
                assert (answer.code_text, answer.token, answer.payload) == ("4.01", token, b"")
                assert answer.type == (ACK if type == CON else NON)
                assert [number for number, _ in answer.options] == [ECHO] and 6 <= len(answer.one(ECHO)) <= 8
                assert received <= 3 * sent
        assert one.hear(0.3) is None
    assert seen.messages() == []
    assert running(gate) == 0 and log_lines(gate, "exchange") == []
    assert metrics(gate)["castgate_coap_challenges_total"] == 20


@in_namespace
def test_the_echo_proves_the_address(members, gateway, capture):
    gate, fleet = start(members, gateway)
    seen = capture()
    with Client(gate.coap, address=CLIENT) as one, Client(gate.coap, address=OTHER) as other:
        _, _, answer, _ = ask(one, "lights/light", token=b"t")
        echo = (ECHO, answer.one(ECHO))
        assert ask(other, "lights/light", token=b"t", options=[echo])[2].code_text == "4.01"
        with Client(gate.coap, address=CLIENT) as port:
            assert ask(port, "lights/light", token=b"t", options=[echo])[2].code_text == "4.01"
        assert len(one.gather("lights/light", token=b"t", options=[echo], timeout=1, seconds=2)) == 2
        assert len(one.gather("lights/light", timeout=1, seconds=2)) == 2  # and need not be shown again
    (first, second) = seen.messages()
    assert first.one(ECHO) is None and first.one(MULTICAST_TIMEOUT) is None


@in_namespace
def test_a_wrong_echo_proves_nothing(members, gateway, capture):
    gate, fleet = start(members, gateway)
    seen = capture()
    with Client(gate.coap, address=CLIENT) as one:
        for echo in (b"\0", bytes(8), os.urandom(6), os.urandom(40), bytes(300)):
            answer = ask(one, "lights/light", options=[(ECHO, echo)])[2]
            assert answer.code_text == "4.01" and answer.one(ECHO) != echo
    assert seen.messages() == []


@in_namespace
def test_libcoaps_client_shows_the_echo(members, gateway):
    """coap-client repeats its request with the Echo by itself."""
    gate, fleet = start(members, gateway)
    out = subprocess.run(["coap-client-openssl", "-a", CLIENT, "-m", "get", "-O", "2,\x01", "-B", "5", "-v", "6",
                          f"coap://{GATEWAY}:{gate.coap[1]}/lights/light"], capture_output=True, timeout=20)
    said = out.stdout + out.stderr
    assert b"c:2.05" in said and metrics(gate)["castgate_coap_challenges_total"] == 1, said
