"""Faults for test_causes.py, here and in the long tests: each is injected between a gateway and members, and says whom it hit. One gateway a
fault; what a fault needs of the network is made in a namespace of its own."""

import json
import signal
import subprocess
import threading

from conftest import IPV4_GROUP, Group, Members, free_udp_port, plain_mapping
from protected import Keys, ProtectedMembers, make_state, settings

TIME = {"timeout": 2, "leisure": 0.5}


def rule(*words):
    subprocess.run(["iptables", *words], check=True)


class Bench:
    """What a fault is made with: programs that end with the test."""

    def __init__(self, folder, gateway):
        self.folder, self.start_gateway, self.started = folder, gateway, []
        self.group = Group(IPV4_GROUP, free_udp_port())

    def plain(self, count, bind, *arguments, group=None):
        fleet = Members(group or self.group, count, bind, [str(a) for a in arguments], self._log())
        fleet.wait()
        self.started.append(fleet)
        return fleet

    def keys(self, count=2):
        return Keys(self.folder / "keys", count, self.group.port)

    def protected(self, file, bind, *arguments):
        """One member with the keys of that file."""
        class Only:
            group = file
        fleet = ProtectedMembers(Only, self.group, 1, bind, arguments, self._log())
        self.started.append(fleet)
        return fleet

    def _log(self):
        return self.folder / f"fleet{len(self.started)}.log"

    def gateway(self, fleets, more=(), group=None, **mapping):
        texts = [text for fleet in fleets for text in fleet.texts] + list(more)
        one = plain_mapping(fleets[0], **{**TIME, "members": texts, **mapping})
        return self.start_gateway({"group": {"interface": "lo", **(group or {})}, "mappings": [one],
                                   **({"limits": self.limits} if getattr(self, "limits", None) else {})})

    def secured(self, keys, **mapping):
        return self.start_gateway(settings(make_state(self.folder / "state", keys), (self.group, keys, {**TIME, **mapping})))

    def close(self):
        for fleet in self.started:
            if fleet.running():
                fleet.process.send_signal(signal.SIGCONT)
                assert fleet.stop() == 0, fleet.log()


def dead(bench):
    """Its process is dead."""
    gate = bench.gateway([bench.plain(1, "127.1.0.1")], [f"127.1.0.2:{bench.group.port}"])
    return gate, "not-listening"


def gone(bench):
    """No host has its address."""
    subprocess.run("ip link add gone0 type veth peer name gone1".split(), check=True)
    subprocess.run("ip addr add 10.7.9.1/24 dev gone0".split(), check=True)
    subprocess.run("ip link set gone0 up".split(), check=True)
    subprocess.run("ip link set gone1 up".split(), check=True)
    gate = bench.gateway([bench.plain(1, "127.1.0.1")], [f"10.7.9.2:{bench.group.port}"])
    return gate, "asleep"


def unjoined(bench):
    """Multicast does not get to it: it is in another group, at the same port."""
    other = Group("224.0.1.188", bench.group.port)
    gate = bench.gateway([bench.plain(1, "127.1.0.1"), bench.plain(1, "127.1.0.2", group=other)])
    return gate, "never-reached"


def slow(bench):
    """It takes longer than is waited."""
    gate = bench.gateway([bench.plain(1, "127.1.0.1"), bench.plain(1, "127.1.0.2", "--delay", "4000:4000")])
    return gate, "late"


def challenger(bench):
    """It wants an Echo, and unicast to it is lost."""
    keys = bench.keys()
    bench.protected(keys.folder / "member-11.json", "127.1.0.1")
    bench.protected(keys.folder / "member-12.json", "127.1.0.2")
    rule("-A", "INPUT", "-d", "127.1.0.2", "-j", "DROP")
    return bench.secured(keys), "challenged"


def former_epoch(bench):
    """It has the keys of the former epoch."""
    old = bench.keys()
    new = old.rekeyed(bench.folder / "new")
    bench.protected(new.folder / "member-11.json", "127.1.0.1")
    bench.protected(old.folder / "member-12.json", "127.1.0.2")
    return bench.secured(new), "stale-key"


def other_secret(bench):
    """Its Master Secret is another one."""
    keys = bench.keys()
    path = keys.folder / "member-12.json"
    member = json.loads(path.read_text())
    member["common"]["master_secret"] = "00" * (len(member["common"]["master_secret"]) // 2)
    path.write_text(json.dumps(member))
    bench.protected(keys.folder / "member-11.json", "127.1.0.1")
    bench.protected(path, "127.1.0.2")
    return bench.secured(keys), "wrong-key"


def refuser(bench):
    """Its answer is larger than the limit."""
    bench.limits = {"answer": 32768}
    gate = bench.gateway([bench.plain(1, "127.1.0.1"), bench.plain(1, "127.1.0.2", "--misbehave", "oversized")])
    return gate, "refused"


def deaf_way_back(bench):
    """What it sends is lost, but for the smallest datagrams."""
    fleets = [bench.plain(1, "127.1.0.1"), bench.plain(1, "127.1.0.2")]
    rule("-A", "OUTPUT", "-s", "127.1.0.2", "-p", "udp", "-m", "length", "--length", "37:65535", "-j", "DROP")
    return bench.gateway(fleets), "answer-lost"


def small_buffer(bench):
    """The gateway's receive buffer is too small for so many."""
    fleet = bench.plain(400, "127.1.0.1", "--resource", "/status=" + "x" * 900)
    return bench.gateway([fleet], group={"receive_buffer": 4096}), "kernel-drop"


def stopped(bench):
    """It sleeps: its host takes all datagrams, and nothing comes back."""
    sleeper = bench.plain(1, "127.1.0.2")
    gate = bench.gateway([bench.plain(1, "127.1.0.1"), sleeper])
    sleeper.process.send_signal(signal.SIGSTOP)
    return gate, "asleep"


def evicted(bench):
    """It is evicted while its answer is on its way."""
    keys = bench.keys()
    bench.protected(keys.folder / "member-11.json", "127.1.0.1")
    bench.protected(keys.folder / "member-12.json", "127.1.0.2", "--delay", "3000:3000")
    gate = bench.secured(keys, timeout=6, repair={"probe": False})
    Keys.run("rekey", keys.folder, "--evict", "12")
    Keys.run("claim", keys.folder / "gateway.next.json", "--state", bench.folder / "state")
    Keys.run("finish", keys.folder)
    return gate, "evicted"


FAULTS = [dead, gone, unjoined, slow, challenger, former_epoch, other_secret, evicted, refuser, deaf_way_back, small_buffer, stopped]


def causes(gate, fault):
    """Of all who are missing in one reply, together."""
    path = "/lights/status"
    if fault is evicted:
        threading.Timer(1, lambda: gate.process.send_signal(signal.SIGHUP)).start()
    reply = gate.request(path, headers={"Accept": "application/json"}).json()
    assert reply["missing"], reply
    return {missing["cause"] for missing in reply["missing"]}, reply


__all__ = ["FAULTS", "Bench", "causes"]
