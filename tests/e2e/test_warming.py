"""Members that know no sender yet are met before they have to act, where the security group says so. Each member here has a file of its own
and so a lost replay window at its start and after each rekey: it challenges (Echo) whoever asks it first."""

import re
import subprocess
import time

import pytest

from conftest import BUILD
from probe import log_lines
from protected import AUTHORIZED, Keys, kill, make_state, settings, wait_until
from test_rekey import hosts, hup  # noqa: F401

IDS = ("11", "12", "13")


def cold(gate):
    """How many members the gateway knows to be cold."""
    for line in gate.request("/metrics", to=gate.admin).body.decode().splitlines():
        if line.startswith('castgate_cold_members{security_group="lights"}'):
            return int(line.split()[1])
    return None


def command(gate, method="PUT", path="/lights/light"):
    reply = gate.request(path, method=method, headers={**AUTHORIZED, "Accept": "application/json", "Content-Type": "text/plain"},
                         body=b"1")
    return {answer["kid"]: answer["via"] for answer in reply.json()["answers"]}


def in_one_go(gate):
    return command(gate) == dict.fromkeys(IDS, "multicast")


@pytest.fixture
def room(tmp_path, group, hosts, gateway):  # noqa: F811
    """room(warm, absent): a gateway with three members, each a host of its own, and what starts the gateway again."""

    class Room:
        def __init__(self, warm, absent=()):
            self.keys = Keys(tmp_path / "keys", 3, group.port)
            self.members = {name: hosts(name, self.keys.folder / f"member-{name}.json") for name in IDS}
            self.state = make_state(tmp_path / "state", self.keys)
            entry = {"file": str(self.keys.gateway), "next": str(self.keys.folder / "gateway.next.json"), "warm": warm}
            self.settings = {**settings(self.state, (group, self.keys, {"timeout": 5})), "security_groups": {"lights": entry}}
            for name in absent:
                kill(self.members[name])
                self.members[name].process.stdout.close()
            self.start()

        def start(self):
            self.gate = gateway(self.settings)
            return self.gate

        def change(self, how):
            Keys.run(how, self.keys.folder)
            Keys.run("claim", self.keys.folder / "gateway.next.json", "--state", self.state)
            hup(self.gate, "keys-prepared")
            for name, member in self.members.items():
                member.rekey(self.keys.folder / f"member-{name}.next.json")
            Keys.run("finish", self.keys.folder)
            hup(self.gate, "keys-activated")

        def table(self):
            """What `castgate --members` says of each, by kid: how it is reached."""
            done = subprocess.run([BUILD / "castgate", "-c", self.gate.file, "--members"], capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done.stderr
            rows = [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()[1:]]
            return {row[1]: row[-1] for row in rows}

        def all_are_warm(self):
            return wait_until(lambda: cold(self.gate) == 0, timeout=30)

    return Room


def test_warmed_members_act_on_the_first_command(room):
    it = room(True)
    assert it.all_are_warm()
    assert in_one_go(it.gate)
    lines = log_lines(it.gate, "warming")
    assert [(line["security_group"], line["members"], line["cold"]) for line in lines] == [("lights", "3", "0")]


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_who_was_not_warmed_acts_after_its_challenge_within_the_exchange(room, method):
    """POST, too: a verified challenge proves that the member has not acted."""
    it = room(False)
    assert cold(it.gate) == 3
    assert command(it.gate, method) == dict.fromkeys(IDS, "unicast")
    assert cold(it.gate) == 0
    assert log_lines(it.gate, "warming") == []
    assert in_one_go(it.gate)


@pytest.mark.parametrize("how", ["rekey", "new-sender-id"])
def test_after_other_keys(room, how):
    it = room(True)
    assert it.all_are_warm()
    it.change(how)
    assert it.all_are_warm()
    assert in_one_go(it.gate)
    assert len(log_lines(it.gate, "warming")) >= 2


def test_the_table_of_members_says_who_is_cold(room):
    it = room(False)
    assert set(command(it.gate)) == set(IDS)
    assert set(it.table()) == set(IDS) and "cold" not in str(it.table())
    it.change("rekey")
    assert all(reached.endswith(", cold") for reached in it.table().values())
    command(it.gate)
    assert "cold" not in str(it.table())


def test_after_a_restart_of_all_of_them(room):
    it = room(True)
    assert it.all_are_warm()
    assert it.gate.stop() == 0
    for member in it.members.values():
        kill(member)
        member.process.stdout.close()
        member.start()
    it.start()
    assert it.all_are_warm()
    assert in_one_go(it.gate)


def test_who_is_not_there_stays_cold_and_holds_nobody_up(room):
    it = room(True, absent=["13"])
    wait_until(lambda: cold(it.gate) == 1, timeout=30)
    start = time.monotonic()
    assert command(it.gate) == {"11": "multicast", "12": "multicast"}
    assert time.monotonic() - start < 15  # its own time is 5 s
    it.members["13"].start()
    assert command(it.gate)["13"] == "unicast"  # met by the command, as without warming
    assert cold(it.gate) == 0 and in_one_go(it.gate)


def test_a_restart_is_no_reason_to_wait_at_the_end(room):
    """What warming is about to do ends with the gateway, at once."""
    it = room(True, absent=["13"])
    wait_until(lambda: cold(it.gate) == 1, timeout=30)
    start = time.monotonic()
    assert it.gate.stop() == 0
    assert time.monotonic() - start < 3
    it.members["13"].start()
