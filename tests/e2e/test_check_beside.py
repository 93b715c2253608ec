"""castgate --check beside a running gateway: that one sends the request, by its control socket, under its own keys and from its own
port, and what only this host shows is looked at by whoever checks."""

import json
import socket
import subprocess
import time

import pytest

from conftest import BUILD, in_namespace, plain_mapping
from links import new_far  # noqa: F401
from probe import counter, running, silent_mapping, wait_for
from protected import served
from test_check import FAR, MEMBERS, NEAR, STATEFUL, URI, check_file, group_mapping, three
from test_control import connect, path_of


def ready(gate):
    wait_for(lambda: path_of(gate).exists())
    return gate


@pytest.fixture
def secured(gateway, group, tmp_path):
    """A gateway with a protected group of two, its members, and its keys."""
    with served(gateway, group, tmp_path) as (gate, _):
        yield ready(gate)


def test_a_protected_mapping(secured):
    """Which the state folder's lock forbids to everybody else."""
    status, text, fields, hints = check_file(secured.file, "lights/status")
    assert status == 0, text
    assert fields["this check"][0].startswith("GET /status, by the gateway that runs, listens for ")
    assert len(fields["answers"]) == 2 and all(", kid " in a and "  verified" in a for a in fields["answers"])
    assert "OSCORE" in fields["datagram"][1]
    assert secured.get_json("/lights/status")["summary"]["answered"] == 2
    assert counter(secured, "requests_total", "lights") >= 2


def test_without_its_control_socket(secured):
    path_of(secured).unlink()
    status, text, fields, hints = check_file(secured.file, "lights")
    assert status == 1 and "is locked by another gateway" in text
    assert "control.sock" in hints[0]


def test_its_clients_see_nothing_of_it(gateway, members):
    """Neither a mapping that lets nobody in nor budgets and finish rules are in the way; nothing is shared with clients."""
    fleet = members(3)
    gate = ready(gateway({"mappings": [plain_mapping(fleet, clients=[], budget={"requests_per_minute": 1}, finish="count:1",
                                                     anonymise=False)]}))
    for _ in range(3):
        status, text, fields, hints = check_file(gate.file, "lights/status")
        assert status == 0 and len(fields["answers"]) == 3
    assert gate.request("/lights/status").status == 401


@in_namespace
def test_a_firewall(new_far, gateway, tmp_path):
    """From the gateway's own port, for which there is no rule; with one all is well."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    three(far)
    gate = ready(gateway({"group": {"interface": NEAR, "port": 61616}, "mappings": [group_mapping(URI, members=MEMBERS)]}))
    subprocess.run(["nft", "-f", "-"], input=STATEFUL, text=True, check=True)
    status, text, fields, hints = check_file(gate.file, "lights")
    assert status == 1 and fields["source"] == ["10.7.1.1:61616"]
    assert hints[0].startswith("  - a firewall on this host: 3 datagrams for the gateway's port arrived here, 3 of them were dropped")
    subprocess.run("nft add rule inet filter input udp dport 61616 accept".split(), check=True)
    status, text, fields, hints = check_file(gate.file, "lights")
    assert (status, hints) == (0, [])
    assert fields["arrived"] == ["3 datagrams for the gateway's port at this host's interfaces, 3 of them at the gateway, all of its "
                                 "traffic included"]


def test_mappings_that_the_gateway_has_otherwise(gateway, members, tmp_path):
    """One that it does not know yet is checked without it; of one that it has with other settings that is said."""
    fleet = members(2)
    gate = ready(gateway({"mappings": [plain_mapping(fleet)]}))
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**gate.settings, "state": str(path_of(gate).parent),
                                 "mappings": [plain_mapping(fleet, timeout=3), plain_mapping(fleet, "new")]}))
    status, text, fields, hints = check_file(other, "lights")
    assert status == 0 and text.startswith("The running gateway has other settings of this mapping than the file")
    status, text, fields, hints = check_file(other, "new")
    assert status == 0 and text.startswith("Checked without the gateway that runs: ") and 'knows no mapping "new": reload it' in text
    assert fields["this check"][0].startswith("GET /.well-known/core, by a gateway of its own")


def test_a_name_that_is_no_group(gateway):
    """What a name stands for the gateway knows, and the program that was called does not ask for it once more."""
    gate = ready(gateway({"mappings": [group_mapping("coap://localhost")]}))
    wait_for(lambda: "localhost is no group: the name stands for" in check_file(gate.file, "lights")[2]["interface"][0])


def test_an_impatient_person(gateway, group):
    """Ctrl-C ends the waiting, not the telling; the gateway goes on."""
    gate = ready(gateway({"mappings": [silent_mapping(group, timeout=50)]}))
    process = subprocess.Popen([BUILD / "castgate", "-c", gate.file, "--check", "silent"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("mapping")
    wait_for(lambda: running(gate) == 1)
    start = time.monotonic()
    process.send_signal(2)
    out, _ = process.communicate(timeout=10)
    assert time.monotonic() - start < 5 and process.returncode == 1
    assert "ended by a signal" in out
    assert running(gate) == 0


def order(**more):
    return json.dumps({"command": "check", "mapping": "silent", "rest": "", "query": "", "core": False, **more}).encode() + b"\n"


def test_who_leaves_ends_it(gateway, group):
    gate = ready(gateway({"group": {"interface": "lo", "nstart": 100}, "mappings": [silent_mapping(group, timeout=50)]}))
    for _ in range(10):
        with connect(gate) as one:
            one.sendall(order())
    wait_for(lambda: running(gate) == 0)
    time.sleep(0.5)  # what comes a moment later is waited for, too
    sent = counter(gate, "sent_total", "silent")
    with connect(gate) as one:
        one.sendall(order())
        wait_for(lambda: counter(gate, "sent_total", "silent") == sent + 1)
        one.shutdown(socket.SHUT_WR)
        told = json.loads(one.recv(65536))
        assert told["ended_by"] == "limit", told


def test_four_at_once(gateway, group):
    gate = ready(gateway({"mappings": [silent_mapping(group, timeout=50)]}))
    crowd = [connect(gate) for _ in range(6)]
    for one in crowd:
        one.sendall(order())
    wait_for(lambda: running(gate) == 4)
    told = [json.loads(one.recv(65536)) for one in crowd[4:]]
    assert all(not t["ok"] and "4 at most" in t["error"] for t in told)
    assert gate.stop() == 0  # the end waits for no check
    for one in crowd:
        one.close()


@pytest.mark.parametrize("more", [{"mapping": "nobody"}, {"mapping": 7}, {"rest": "x"}, {"rest": "/%zz"}, {"only": "nobody"}])
def test_orders_that_are_none(gateway, group, more):
    gate = ready(gateway({"mappings": [silent_mapping(group, timeout=50)]}))
    with connect(gate) as one:
        one.sendall(order(**more))
        assert json.loads(one.recv(65536))["ok"] is False
    assert running(gate) == 0
