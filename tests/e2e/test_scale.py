"""Ten thousand members and one gateway: nothing that the kernel handed over is lost, and what the kernel dropped is told."""

import resource
import time
from pathlib import Path

import pytest

from conftest import plain_mapping
from probe import Later, counter, metrics, parse_mixed, running, wait_for

MANY = 10000


@pytest.fixture(scope="module", autouse=True)
def enough_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * MANY:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (2 * MANY, 2 * MANY))
        except (ValueError, PermissionError):
            pytest.skip(f"only {hard} file descriptors")


def resident_mib(gate):
    return int(Path(f"/proc/{gate.process.pid}/statm").read_text().split()[1]) * 4 / 1024


def start(members, gateway, **group):
    fleet = members(MANY)
    mapping = plain_mapping(fleet, timeout=2, repair={"probe": False})
    return fleet, gateway({"group": {"interface": "lo", **group}, "mappings": [mapping]})


def test_ten_thousand_answers_at_once(members, gateway):
    """R17: with a receive buffer that holds the burst, all of them, in both forms of the reply, again and again."""
    fleet, gate = start(members, gateway, receive_buffer=64 << 20)
    origins = set(fleet.addresses)
    for _ in range(2):
        reply = gate.request("/lights/light")
        summary = reply.summary
        # Without the right to a buffer that large the kernel may drop some, and must be found out.
        assert summary["answered"] + summary["kernel_drops"] == MANY
        assert summary["kernel_drops"] == 0 or "receive buffer is" in gate.log()
        parts = parse_mixed(reply)
        assert len(parts) == summary["answered"] and {p.origin for p in parts} <= origins
        assert len({p.origin for p in parts}) == len(parts)
    document = gate.get_json("/lights/status")
    assert {a["json"]["address"] for a in document["answers"]} == {a["from"] for a in document["answers"]}
    assert len(document["answers"]) + len(document["missing"]) == MANY
    assert running(gate) == 0


@pytest.mark.parametrize("buffer", [4 << 20, 8192])
def test_what_the_kernel_drops_is_told(members, gateway, buffer):
    """R17: answered + kernel_drops is everybody, also with a buffer that is much too small."""
    fleet, gate = start(members, gateway, receive_buffer=buffer)
    drops = 0
    for _ in range(2):
        summary = gate.request("/lights/light").summary
        assert summary["answered"] + summary["kernel_drops"] == MANY == summary["answered"] + summary["missing"]
        assert (summary["duplicates"], summary["rejected"], summary["late"]) == (0, 0, 0)
        drops += summary["kernel_drops"]
    assert counter(gate, "kernel_drops_total", "lights") == drops
    assert counter(gate, "datagrams_total") + drops == 2 * MANY
    assert len(fleet.addresses) == MANY


def test_answers_spread_over_a_second(members, gateway):
    """R17: ten thousand within a second, as meters report: none is lost with the default buffer, and the memory is bounded."""
    fleet = members(MANY, "--delay", "0:1000", "--seed", "1")
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=20)]})
    before = resident_mib(gate)
    reply = gate.request("/lights/light", headers={"Accept": "application/json"})
    summary = reply.json()["summary"]
    assert (summary["answered"], summary["kernel_drops"], summary["missing"], summary["ended_by"]) == (MANY, 0, 0, "all")
    assert resident_mib(gate) - before < 100
    assert running(gate) == 0


def test_others_are_served_meanwhile(members, gateway, new_group):
    """While ten thousand answer, a small group's answers come through, at once."""
    crowd, few = members(MANY, "--delay", "0:1500", group=new_group()), members(3, group=new_group())
    gate = gateway({"mappings": [plain_mapping(crowd, "crowd", timeout=20), plain_mapping(few, "few", timeout=10)]})
    pending = Later(gate.request, "/crowd/light")
    wait_for(lambda: counter(gate, "sent_total", "crowd") == 1)
    asked = 0
    while pending.is_alive():
        begin = time.monotonic()
        assert gate.request("/few/light").summary["answered"] == 3
        assert time.monotonic() - begin < 10
        asked += 1
    assert asked > 3
    summary = pending.result().summary
    assert summary["answered"] + summary["kernel_drops"] == MANY


def test_beyond_max_answers(members, gateway):
    """An exchange keeps what it may, says that it is not all, and counts the rest."""
    fleet = members(3000)
    gate = gateway({"group": {"interface": "lo", "receive_buffer": 64 << 20},
                    "mappings": [plain_mapping(fleet, timeout=2, max_answers=1000)]})
    summary = gate.get_json("/lights/light")["summary"]
    assert (summary["answered"], summary["ended_by"]) == (1000, "limit")
    assert summary["answered"] + summary["rejected"] + summary["kernel_drops"] == 3000
    assert metrics(gate)['castgate_over_cap_total{mapping="lights"}'] == summary["rejected"]


def test_many_clients_at_once(members, gateway):
    """Three hundred requests, twelve at a time, to fifty members: every one gets fifty answers."""
    fleet = members(50)
    gate = gateway({"group": {"interface": "lo", "nstart": 16, "receive_buffer": 16 << 20},
                    "mappings": [plain_mapping(fleet, timeout=20)]})

    def client(name):
        return [gate.request(f"/lights/light?{name}-{i}").summary["answered"] for i in range(25)]

    workers = [Later(client, n) for n in range(12)]
    assert [w.result() for w in workers] == [[50] * 25] * 12
    assert running(gate) == 0
