"""Warmed members act on the first command: after a restart of all, a rekey and a new Sender ID, ten times each, a hundred members that have lost
their replay windows each time."""

import signal

import pytest

from probe import log_lines
from protected import AUTHORIZED, Keys, ProtectedMembers, make_state, settings, wait_until
from test_rekey import hup
from test_warming import cold

MEMBERS, TIMES, ENOUGH = 100, 10, 995


class Town:
    def __init__(self, folder, group, gateway):
        self.folder, self.group, self.gateway = folder, group, gateway
        self.keys = Keys(folder / "keys", MEMBERS, group.port)
        self.state = make_state(folder / "state", self.keys)
        entry = {"file": str(self.keys.gateway), "next": str(self.keys.folder / "gateway.next.json"), "warm": True}
        particulars = {"timeout": 20, "leisure": 3}
        self.settings = {**settings(self.state, (group, self.keys, particulars)), "security_groups": {"lights": entry}}
        self.fleet = self.gate = None
        self.restart()

    def restart(self):
        self.end()
        self.fleet = ProtectedMembers(self.keys, self.group, MEMBERS, "127.1.0.1", ["--window-lost", "--delay", "0:1000"],
                                      self.folder / "members.log")
        self.gate = self.gateway(self.settings)

    def change(self, how):
        Keys.run(how, self.keys.folder)
        Keys.run("claim", self.keys.folder / "gateway.next.json", "--state", self.state)
        hup(self.gate, "keys-prepared")
        Keys.run("finish", self.keys.folder)
        before = self.fleet.log().count("read again")
        self.fleet.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.fleet.log().count("read again") > before)
        hup(self.gate, "keys-activated")

    def acts_at_once(self):
        """How many members the first command finds warm."""
        wait_until(lambda: cold(self.gate) == 0, timeout=60)
        reply = self.gate.request("/lights/light", method="PUT", body=b"1",
                                  headers={**AUTHORIZED, "Accept": "application/json", "Content-Type": "text/plain"}).json()
        assert reply["summary"]["answered"] == MEMBERS, reply["summary"]
        return sum(answer["via"] == "multicast" for answer in reply["answers"])

    def end(self):
        if self.gate is not None:
            assert self.gate.stop() == 0 and self.fleet.stop() == 0


@pytest.mark.parametrize("what", ["restart", "rekey", "new-sender-id"])
def test_they_act_on_the_first_command(tmp_path, group, gateway, what):
    town = Town(tmp_path, group, gateway)
    acted = 0
    for _ in range(TIMES):
        if what == "restart":
            town.restart()
        else:
            town.change(what)
        acted += town.acts_at_once()
    print(f"{what}: {acted} of {MEMBERS * TIMES}; {len(log_lines(town.gate, 'warming'))} requests since its start")
    town.end()
    assert acted >= ENOUGH
