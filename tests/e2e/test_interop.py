"""Servers that were not written here: five of libcoap's, each on a host of its own, answer one HTTP request."""

import os
import shutil
import subprocess

import pytest

import coap
from conftest import free_udp_port, in_namespace
from probe import parse_mixed, wait_for
from test_coap_observe import Watcher
from test_observe import Watch

SERVER = shutil.which("coap-server-openssl") or shutil.which("coap-server")
COUNT = 5

pytestmark = pytest.mark.skipif(SERVER is None, reason="libcoap's server is not installed")


def run(command):
    subprocess.run(command.split(), check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def servers():
    """servers(): five hosts on one link, each with a server; their addresses. The test's namespace is on the link as 10.9.0.254."""
    started = []

    def start():
        run("ip link add br0 type bridge mcast_snooping 0")
        run("ip addr add 10.9.0.254/24 dev br0")
        run("ip link set br0 up")
        for number in range(1, COUNT + 1):
            # Its network namespace is there once the shell says so; the server begins when its link is up.
            host = subprocess.Popen(["unshare", "-n", "sh", "-c", 'echo there; read go; exec "$0" "$@"', SERVER, "-A", "0.0.0.0",
                                     "-g", "224.0.1.187", "-G", "eth0", "-v", "7"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT)
            started.append(host)
            assert host.stdout.readline() == b"there\n"
            run(f"ip link add host{number} type veth peer name eth0 netns {host.pid}")
            run(f"ip link set host{number} master br0 up")
            inside = f"nsenter -t {host.pid} -n ip"
            for command in ("link set lo up", f"addr add 10.9.0.{number}/24 dev eth0", "link set eth0 up",
                            "route add 224.0.0.0/4 dev eth0"):
                run(f"{inside} {command}")
            host.stdin.write(b"go\n")
            host.stdin.flush()
        addresses = [(f"10.9.0.{number}", 5683) for number in range(1, COUNT + 1)]
        with coap.Endpoint("10.9.0.254", interface="br0") as endpoint:
            for address in addresses:
                wait_for(lambda: endpoint.request(address, "/", timeout=0.3))
        return addresses

    yield start
    for host in started:
        host.kill()
        host.wait()
        host.stdin.close()
        host.stdout.close()


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
