"""A gateway that is killed at any moment while its mappings are changed over HTTP has every change that it acknowledged, and none
by half. By hand, for longer: pytest test_admin_kill.py --count 1000"""

import http.client
import json
import random
import threading
import time

from protected import kill
from test_admin_changes import ROOT, TOKEN, mapping_of

WRITERS = 3
HALVES = ("left", "right")  # that one change always changes together
STEP = 0.001  # a mapping's timeout says which change made it so


class Writer:
    """Changes its two mappings for ever, each time both in one change. What it sent, and what of that was acknowledged."""

    def __init__(self, number, mapping):
        self.names = [f"{half}{number}" for half in HALVES]
        self.mapping, self.sent, self.acknowledged, self.replies = mapping, 0, 0, 0
        self.exists, self.refusals = False, []

    def changes(self):
        match = {"if_match": "*"} if self.exists else {}
        return {"changes": [{"method": "PUT", "path": f"mappings/{name}", **match,
                             "body": {**self.mapping, "path": f"/{name}", "timeout": round(1 + self.sent * STEP, 3)}}
                            for name in self.names]}

    def run(self, address, stopping):
        connection = http.client.HTTPConnection(*address, timeout=10)
        try:
            while not stopping.is_set():
                self.sent += 1
                connection.request("POST", "/admin/v1/changes", json.dumps(self.changes()),
                                   {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"})
                reply = connection.getresponse()
                body = reply.read()
                if reply.status == 200:
                    self.acknowledged, self.replies, self.exists = self.sent, self.replies + 1, True
                else:
                    self.refusals.append((reply.status, body))
                    return
        except (OSError, http.client.HTTPException):
            pass  # killed
        finally:
            connection.close()

    def check(self, items):
        """One state of both, no older than what was acknowledged, no newer than what was sent."""
        states = {round((items[name]["timeout"] - 1) / STEP) if name in items else 0 for name in self.names}
        assert len(states) == 1, (self.names, states)
        self.exists = self.names[0] in items
        assert self.acknowledged <= states.pop() <= self.sent


def mappings_of(gate):
    reply = gate.request("/admin/v1/mappings?limit=1000", headers={"Authorization": f"Bearer {TOKEN}"}, to=gate.admin)
    assert reply.status == 200, reply
    return {item["name"]: item for item in reply.json()["items"]}


def state_of(gate):
    return gate.file.parent / gate.settings["state"]


def test_what_was_acknowledged_is_there_and_nothing_by_half(gateway, members, pytestconfig):
    kills = pytestconfig.getoption("--count")
    mapping = mapping_of(members(1))
    writers = [Writer(number, mapping) for number in range(WRITERS)]
    gate = gateway({"clients": ROOT})
    settings = gate.settings | {"state": str(state_of(gate))}
    chance = random.Random(2)
    for _ in range(kills):
        stopping = threading.Event()
        threads = [threading.Thread(target=writer.run, args=(gate.admin, stopping)) for writer in writers]
        for thread in threads:
            thread.start()
        time.sleep(chance.choice((chance.uniform(0, 0.03), chance.uniform(0, 0.3))))
        kill(gate)
        gate.process.returncode = 0  # as the fixture wants it: it did not fail, it was killed
        stopping.set()
        for thread in threads:
            thread.join(20)
        gate = gateway(settings)
        items = mappings_of(gate)
        for writer in writers:
            writer.check(items)
            assert writer.refusals == []
    print(f"{kills} kills, {sum(writer.sent for writer in writers)} changes, {sum(w.replies for w in writers)} acknowledged")
    assert sum(writer.replies for writer in writers) > kills
