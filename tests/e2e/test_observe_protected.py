"""A protected group that is observed: every notification is verified, in either mode and through a rekey. R39, R54, R55."""

import shutil
import signal

import pytest

from probe import log_lines, wait_for
from protected import Keys, ProtectedMembers, make_state, settings
from test_sse import Stream

OBSERVE = "Prefer: observe\r\n"


def count_of(answer):
    """What the light has counted up to."""
    return 0 if answer["body"] == "off" else int(answer["body"])


class Watch(Stream):
    """Who observes: the answers as they come."""

    def __init__(self, gate, path):
        super().__init__(gate, path, more=OBSERVE)
        self.head()
        assert self.status == 200 and self.headers["preference-applied"] == "observe"

    def answers(self, count):
        """So many more."""
        got = []
        while len(got) < count:
            name, data = self.next()
            assert name != "summary", data
            if name == "answer":
                got.append(data)
                assert data["verified"] == "source" and data["notification"] is True, data
        return got

    def until_each_says_more(self, kids, value):
        """The answers until each of them has counted beyond `value`."""
        got = []
        while {answer["kid"] for answer in got if count_of(answer) > value} != kids:
            got += self.answers(1)
        return got


KIDS = {"11", "12", "13"}


@pytest.fixture
def watched(tmp_path, group, gateway):
    """watched(MODE): a gateway, keys, and three members whose lights change twice a second."""
    started = []

    def start(mode):
        keys = Keys(tmp_path / "keys", 3, group.port)
        started.append(ProtectedMembers(keys, group, 3, "127.1.0.1", ["--mode", mode, "--changes", "0.5"], tmp_path / "members.log"))
        state = make_state(tmp_path / "state", keys)
        entry = {"file": str(keys.gateway), "next": str(keys.folder / "gateway.next.json")}
        gate = gateway({**settings(state, (group, keys, {"timeout": 2})), "security_groups": {keys.name: entry}})
        return gate, keys, started[0]

    yield start
    for one in started:
        assert one.stop() == 0, one.log()


def latest(answers):
    return max(count_of(answer) for answer in answers)


@pytest.mark.parametrize("mode", ["group", "pairwise"])
def test_notifications_are_verified_and_in_order(watched, mode):
    gate, _, _ = watched(mode)
    watch = Watch(gate, "/lights/light")
    first = watch.answers(3)
    assert {answer["kid"] for answer in first} == KIDS
    said = first + watch.answers(30)
    for kid in KIDS:  # each of its values once, in order
        values = [count_of(answer) for answer in said if answer["kid"] == kid]
        assert len(values) > 5 and values == list(range(values[0], values[0] + len(values)))
    watch.close()


def hup(program, log, word):
    before = log().count(word)
    program.process.send_signal(signal.SIGHUP)
    wait_for(lambda: log().count(word) > before)


@pytest.mark.parametrize("mode", ["group", "pairwise"])
def test_an_observation_survives_a_rekey_R54_R55(watched, tmp_path, mode):
    gate, keys, members = watched(mode)
    watch = Watch(gate, "/lights/light")
    value = latest(watch.until_each_says_more(KIDS, 1))
    Keys.run("rekey", keys.folder)
    Keys.run("claim", keys.folder / "gateway.next.json", "--state", tmp_path / "state")
    hup(gate, gate.log, "event=keys-prepared")
    value = latest(watch.until_each_says_more(KIDS, value))
    former = keys.folder / "group.former.json"
    shutil.copy(keys.group, former)
    shutil.copy(keys.folder / "group.next.json", keys.group)  # the members have the new keys first
    hup(members, members.log, "read again")
    value = latest(watch.until_each_says_more(KIDS, value + 1))
    shutil.copy(former, keys.group)
    former.unlink()
    Keys.run("finish", keys.folder)
    hup(gate, gate.log, "event=keys-activated")
    watch.until_each_says_more(KIDS, value + 4)
    assert not log_lines(gate, "exchange")  # it goes on
    watch.close()
