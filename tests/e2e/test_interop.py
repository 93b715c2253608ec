"""Servers that were not written here: five of libcoap's, each on a host of its own, answer one HTTP request."""

import os
import shutil

import pytest

import coap
from conftest import free_udp_port, in_namespace
from links import new_lan  # noqa: F401, the fixture
from probe import parse_mixed, wait_for
from test_coap_observe import Watcher
from test_observe import Watch

SERVER = shutil.which("coap-server-openssl") or shutil.which("coap-server")
COUNT = 5

pytestmark = pytest.mark.skipif(SERVER is None, reason="libcoap's server is not installed")


@pytest.fixture
def servers(new_lan):  # noqa: F811
    """servers(): five hosts on one link, each with a server; their addresses."""

    def start():
        lan = new_lan()
        server = [SERVER, "-A", "0.0.0.0", "-g", "224.0.1.187", "-G", "eth0", "-v", "7"]
        addresses = [(lan.host(server), 5683) for _ in range(COUNT)]
        with coap.Endpoint("10.9.0.254", interface="br0") as endpoint:
            for address in addresses:
                wait_for(lambda: endpoint.request(address, "/", timeout=0.3))
        return addresses

    return start


@in_namespace
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_five_libcoap_servers(servers, gateway):
    """R30, R31: all five are in the one reply. They spread their answers over five seconds and use the request's message ID."""
    addresses = servers()
    texts = [f"{ip}:{port}" for ip, port in addresses]
    mapping = {**silent("libcoap"), "timeout": 20, "membership": "complete", "members": texts}
    gate = gateway({"group": {"interface": "br0", "nstart": 4}, "mappings": [mapping]})
    reply = gate.request("/libcoap/.well-known/core")
    parts = parse_mixed(reply)
    assert {p.origin for p in parts} == set(addresses) and len(parts) == COUNT
    for part in parts:
        assert (part.status, part.header("Content-Type")) == (200, "application/link-format")
        assert b'</time>;if="clock"' in part.body
        assert part.member[0] == "%s:%d" % part.origin
    assert reply.summary["missing"] == 0


@in_namespace
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_libcoap_servers_by_unicast(servers, gateway):
    """R6, R40: one known member is asked by unicast, with its large representation in blocks."""
    addresses = servers()
    ip, port = addresses[0]
    mapping = {**silent("one"), "membership": "complete", "members": [f"{ip}:{port}"], "unsafe_methods": True}
    gate = gateway({"group": {"interface": "br0"}, "mappings": [mapping]})
    [answer] = gate.get_json("/one/")["answers"]
    assert (answer["via"], answer["code"]) == ("unicast", "2.05") and "This is a test server" in answer["body"]
    [answer] = gate.get_json("/one/nothing")["answers"]
    assert answer["code"] == "4.04"


@in_namespace
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_libcoap_servers_are_watched(servers, gateway):
    """R39: /time changes each second. They were registered by one multicast, which they answer within five seconds."""
    addresses = servers()
    texts = [f"{ip}:{port}" for ip, port in addresses]
    port = free_udp_port()
    mapping = {**silent("libcoap"), "membership": "complete", "members": texts}
    gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]}, "group": {"interface": "br0", "nstart": 4}, "mappings": [mapping]})
    watch = Watch(gate, "/libcoap/time")
    assert watch.headers["preference-applied"] == "observe"
    watch.until(lambda w: {m: sum(a["member"] == m for a in w.heard) >= 3 for m in texts} == dict.fromkeys(texts, True), seconds=30)
    assert all(answer["notification"] and answer["code"] == "2.05" for answer in watch.heard)
    watcher = Watcher(gate, "libcoap/time", timeout=10)
    watcher.until(lambda w: len(w.heard) >= 15 and len(w.latest) == COUNT, seconds=30)
    assert watcher.orders == sorted(set(watcher.orders))
    watch.close()
    watcher.observe((coap.OBSERVE, b"\1"))
    watcher.hear_all(0.5)
    assert watcher.hear_all(2.5) == []
    watcher.socket.close()
    assert gate.get_json("/libcoap/time")["summary"]["answered"] == COUNT  # without Observe as ever


def silent(name):
    return {"name": name, "path": f"/{name}", "group": "coap://224.0.1.187:5683", "security": "none", "timeout": 10,
            "clients": ["anonymous"]}
