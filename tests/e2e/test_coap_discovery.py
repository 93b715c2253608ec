"""/.well-known/core for CoAP clients (RFC 6690, R20), and All CoAP Nodes (RFC 7252 §12.8, R36): answered where the settings name an
interface, after a leisure, and silent about everything else."""

import subprocess
import sys
import time
from pathlib import Path

import coap
from coap import ACCEPT, ACK, BLOCK2, CONTENT_FORMAT, ETAG, NON, POST, Client, Endpoint
from conftest import free_udp_port, in_namespace
from links import new_far, quiet_ipv6, run, wait_for_ipv6  # noqa: F401
from probe import metrics, wait_for

LEISURE = 5  # seconds
GROUPS = ("224.0.1.187", "ff02::fd", "ff03::fd", "ff05::fd")


def mapping(name, **more):
    return {"name": name, "path": f"/{name}", "group": "coap://224.0.1.99", "security": "none", "interface": "lo",
            "clients": ["anonymous"], **more}


def link(name, base=""):
    return f'<{base}/{name}>;rt="castgate.mapping";title="{name}"'


def serve(gateway, *mappings, listen=None, **settings):
    port = free_udp_port()
    gate = gateway({"coap": {"listen": listen or [f"coap://127.0.0.1:{port}"], **settings}, "mappings": list(mappings)})
    gate.coap = ("127.0.0.1", port)
    return gate


def libcoap(*arguments, enter=()):
    return subprocess.run([*enter, "coap-client-openssl", "-v", "3", *arguments], capture_output=True, text=True, timeout=30).stdout


# ---- By unicast ----


def test_links(gateway):
    gate = serve(gateway, mapping("floor3"), mapping("floor4", aggregate=True), mapping("theirs", clients=[]))
    with Client(gate.coap) as client:
        request = client.ask(".well-known/core", timeout=None)
        reply = client.hear()
    assert (reply.type, reply.mid, reply.token, reply.code_text) == (ACK, request.mid, request.token, "2.05")
    assert reply.uint(CONTENT_FORMAT) == 40
    assert reply.payload.decode() == f'{link("floor3")},{link("floor4")};ct="62"'


def test_filters(gateway):
    gate = serve(gateway, mapping("floor3"), mapping("floor4"))
    with Client(gate.coap) as client:
        def ask(query, **more):
            client.ask(f".well-known/core?{query}", timeout=None, **more)
            return client.hear()
        assert ask("href=/floor4").payload.decode() == link("floor4")
        assert ask("title=floor*").payload.decode() == f'{link("floor3")},{link("floor4")}'
        assert (ask("rt=temperature").code_text, ask("rt=temperature").payload) == ("2.05", b"")
        assert ask("rt").code_text == "4.00"
        assert ask("", method=POST).code_text == "4.05"
        assert ask("", options=[(ACCEPT, b"\x32")]).code_text == "4.06"
        assert ask("", options=[(2049, b"")]).code_text == "4.02"


def test_long_lists_come_in_blocks(gateway):
    names = [f"floor{i}" for i in range(60)]
    gate = serve(gateway, *map(mapping, names))
    uri = "coap://{}:{}/.well-known/core".format(*gate.coap)
    assert libcoap(uri).strip() == ",".join(map(link, names))
    assert libcoap("-b", "64", uri).strip() == ",".join(map(link, names))
    with Client(gate.coap) as client:
        client.ask(".well-known/core", timeout=None)
        first = client.hear()
        client.ask(".well-known/core", timeout=None, options=[(BLOCK2, coap.block(1, False, 1024))])
        second = client.hear()
    assert first.block() == (0, True, 1024) and second.block() == (1, True, 1024)
    assert first.one(ETAG) == second.one(ETAG)


# ---- All CoAP Nodes ----


FAR_ASKER = """
import coap, sys
group, address, interface, seconds = sys.argv[1:]
with coap.Endpoint(address, interface=interface) as asker:
    asker.send((group, 5683), ".well-known/core")
    got = asker.receive(float(seconds))
    print(got.message.payload.decode() if got else "silence")
"""


def ask_from(far, group, address, interface):
    return subprocess.run([*far.enter, sys.executable, "-c", FAR_ASKER, group, address, interface, str(LEISURE + 1)], text=True,
                          capture_output=True, check=True, cwd=Path(__file__).parent, timeout=30).stdout.strip()


def memberships():
    """The groups that this namespace's sockets have joined, of those that matter here."""
    out = subprocess.run(["ip", "maddr", "show"], check=True, capture_output=True, text=True).stdout
    return {group for group in GROUPS if f" {group}\n" in out or f" {group} " in out}


def ask_group(group, address, query="", interface="lo", **more):
    """The one answer that came within the leisure, or None."""
    with Endpoint(address, interface=interface) as asker:
        message = asker.send((group, 5683), f".well-known/core{query}", **more)
        got = asker.collect(timeout=LEISURE + 1.5)
    assert len(got) <= 1
    assert all(one.message.token == message.token and one.message.type == NON for one in got)
    return got[0] if got else None


@in_namespace
def test_all_nodes_hear_what_there_is(gateway):
    serve(gateway, mapping("floor3"), mapping("theirs", clients=[]), listen=["coap://127.0.0.1:5683", "coap://[::1]:5685"], all_nodes=["lo"])
    assert memberships() == set(GROUPS)
    got = ask_group("224.0.1.187", "127.0.0.1")
    assert (got.source, got.message.code_text, got.message.uint(CONTENT_FORMAT)) == (("127.0.0.1", 5683), "2.05", 40)
    assert got.message.payload.decode() == link("floor3")
    for group in GROUPS[1:]:
        got = ask_group(group, "::1", "?title=floor3")
        assert got.message.payload.decode() == link("floor3", "coap://[::1]:5685"), group


@in_namespace
def test_all_nodes_are_silent_about_the_rest(gateway):
    gate = serve(gateway, mapping("floor3"), listen=["coap://127.0.0.1:5683"], all_nodes=["lo"])
    askers = [Endpoint(f"127.0.0.{i}") for i in range(10, 20)]
    to = ("224.0.1.187", 5683)
    askers[0].send(to, ".well-known/core?rt=temperature")
    askers[1].send(to, "floor3", options=[(coap.MULTICAST_TIMEOUT, b"\1")])
    askers[2].send(to, ".well-known/core", type=coap.CON)
    askers[3].send(to, ".well-known/core", method=POST)
    askers[4].send(to, ".well-known/core?rt")
    askers[5].send(to, ".well-known/core", options=[(coap.PROXY_URI, b"coap://224.0.1.99/")])
    askers[6].send_bytes(to, b"\x50")
    askers[7].send_bytes(to, b"")
    for _ in range(20):
        askers[8].send(to, ".well-known/core")
    time.sleep(LEISURE + 1)
    assert [len(one.collect(timeout=0.01)) for one in askers] == [0] * 8 + [1, 0]
    counts = metrics(gate)
    assert counts['castgate_coap_all_nodes_questions_total{result="over"}'] == 19
    assert counts['castgate_coap_all_nodes_questions_total{result="answered"}'] == 1
    for one in askers:
        one.socket.close()


@in_namespace
def test_nobody_joins_unasked(gateway):
    """R9: who only sends to groups is in none."""
    serve(gateway, mapping("floor3"), listen=["coap://127.0.0.1:5683"])
    assert memberships() == set()
    assert ask_group("224.0.1.187", "127.0.0.1") is None


@in_namespace
def test_all_nodes_on_a_link(gateway, new_far):
    """libcoap's client, from another host; the interface comes after the start."""
    quiet_ipv6()
    run("ip addr add 10.7.1.1/24 dev lo")
    serve(gateway, mapping("floor3"), all_nodes=["near0"],
          listen=[{"address": "coap://10.7.1.1:5683", "insecure": True}, {"address": "coap://[::]:5683", "insecure": True}])
    assert memberships() == set()
    run("ip addr del 10.7.1.1/24 dev lo")
    far = new_far()
    far.cable("near0", "far0", "10.7.1")
    far.run("ip route add 224.0.0.0/4 dev far0")
    wait_for_ipv6("near0")
    wait_for(lambda: memberships() == set(GROUPS))
    got = libcoap("-N", "-B", str(LEISURE + 1), "coap://224.0.1.187/.well-known/core?title=floor3", enter=far.enter)
    assert link("floor3") in got
    assert ask_from(far, "ff02::fd", "::", "far0") == link("floor3")
