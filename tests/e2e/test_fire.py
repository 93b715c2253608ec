"""The fire: sensors are security group 1, doors 2, extinguishers 3. A sensor's alert commands both others (R25), each under its own
protection, which nobody of the other opens (R26); nothing else moves anything (R24, R27). The doors and the extinguishers hear the
same multicast group, so that each gets what is meant for the other."""

import json
import re
import subprocess

import pytest

import coap
from conftest import BUILD, free_udp_port
from probe import log_lines, metrics, wait_for
from protected import AUTHORIZED, Keys, Oscore, ProtectedMembers, make_state, settings

SENSOR, STRANGER = "11", "12"  # who may raise the alarm, and who of the same group may not


class House:
    def __init__(self, gateway, group, folder, capture):
        self.sensors = Keys(folder / "sensors", 2, group.port, name="sensors")
        self.doors = Keys(folder / "doors", 2, group.port, name="doors", first="127.2.0.1")
        self.extinguishers = Keys(folder / "extinguishers", 3, group.port, name="extinguishers", first="127.3.0.1")
        self.fleets = [ProtectedMembers(self.doors, group, 2, "127.2.0.1", [], folder / "doors.log"),
                       ProtectedMembers(self.extinguishers, group, 3, "127.3.0.1", [], folder / "extinguishers.log")]
        self.port, self.folder = free_udp_port(), folder
        state = make_state(folder / "state", self.sensors, self.doors, self.extinguishers)
        self.settings = settings(state, (group, self.doors), (group, self.extinguishers))
        self.settings["security_groups"]["sensors"] = str(self.sensors.gateway)
        for one in self.settings["mappings"]:
            one.update(leisure=1, timeout=5)
        self.settings["alerts"] = {"listen": [f"coap://127.0.0.1:{self.port}"], "groups": ["sensors"]}
        self.settings["reactions"] = [{
            "name": "fire", "when": {"group": "sensors", "path": "/fire", "from": [self.names()[SENSOR]]},
            "do": [{"mapping": "doors", "method": "PUT", "path": "/light", "body": "open", "content_type": "text/plain"},
                   {"mapping": "extinguishers", "method": "PUT", "path": "/light", "body": "spray", "content_type": "text/plain"}]}]
        self.casts = capture(group)
        self.gate = gateway(self.settings)
        wait_for(lambda: self.gate.request("/readyz", to=self.gate.admin).status == 200)

    def names(self):
        """What the sensors are called, by Sender ID."""
        return {member["sender_id"]: member.get("name", member["sender_id"]) for member in self.sensors.load()["members"]}

    def alert(self, *arguments, sender=SENSOR, keys=None, path="/fire"):
        return subprocess.run([BUILD / "castgate-member", "--alert", f"coap://127.0.0.1:{self.port}{path}", "--from", sender,
                               "--keys", (keys or self.sensors).group, *arguments], capture_output=True, text=True, timeout=120)

    def count(self, fate):
        found = re.findall(rf'castgate_alerts_total{{group="[^"]*",fate="{fate}"}} (\d+)',
                           self.gate.request("/metrics", to=self.gate.admin).body.decode())
        return sum(map(int, found))

    def ended(self, commands):
        """The log's lines of that many commands, by mapping."""
        def lines():
            found = [line for line in log_lines(self.gate, "reaction") if "outcome" in line]
            return found if len(found) == commands else None

        return {line["mapping"]: line for line in wait_for(lines)}

    def states(self, name):
        """What the members of that mapping show: asked only once all has happened, since asking casts, too."""
        answers = self.gate.get_json(f"/{name}/light")["answers"]
        return [answer["body"] for answer in answers]

    def stop(self):
        for fleet in self.fleets:
            assert fleet.stop() == 0, fleet.log()


@pytest.fixture
def house(gateway, group, tmp_path, capture):
    it = House(gateway, group, tmp_path, capture)
    yield it
    it.stop()


def test_an_alert_commands_both_groups_each_under_its_own_keys(house):
    done = house.alert("--body", "close everything")
    assert done.returncode == 0, done
    ended = house.ended(2)
    casts = house.casts.messages()
    assert len(casts) == 2  # exactly
    assert [message.type for message in casts] == [coap.NON, coap.NON]
    gids = [bytes.fromhex(keys.load()["common"]["gid"]) for keys in (house.doors, house.extinguishers)]
    assert [Oscore(message).kid_context for message in casts] == gids  # in the order of the settings
    # R26: everybody heard both; two and three answered, and nobody said anything to what was not theirs.
    assert {name: (line["outcome"], line["answered"]) for name, line in ended.items()} == {
        "doors": ("answered", "2"), "extinguishers": ("answered", "3")}
    exchanges = {line["mapping"]: line for line in log_lines(house.gate, "exchange")}
    assert {line["client"] for line in exchanges.values()} == {"reaction/fire"}
    assert {line["rejected"] for line in exchanges.values()} == {"0"}
    # R27: and now they have acted, by what the settings say: nothing of the alert's own words went anywhere.
    assert house.states("doors") == ["open"] * 2
    assert house.states("extinguishers") == ["spray"] * 3
    assert "close everything" not in house.gate.log()
    assert metrics(house.gate)['castgate_reactions_total{reaction="fire",outcome="answered"}'] == 2


def assert_quiet(house):
    """Nobody was commanded, and all are as they were (R24, R27)."""
    assert house.casts.datagrams() == []
    assert log_lines(house.gate, "reaction") == []
    assert house.states("doors") == ["off"] * 2
    assert house.states("extinguishers") == ["off"] * 3


def test_a_replay_commands_nobody_again(house):
    assert house.alert("--replay", "3").stdout.count("2.04") == 1
    house.ended(2)
    assert house.count("replayed") == 3
    assert len(house.casts.datagrams()) == 2


def test_a_flipped_bit_commands_nobody(house):
    assert house.alert("--flip").returncode == 1
    assert house.count("accepted") == 0
    assert_quiet(house)


def test_another_group_commands_nobody(house):
    assert house.alert(keys=house.doors).returncode == 1  # a group of the house, which alerts are not taken of
    foreign = Keys(house.folder / "foreign", 2, house.port, name="foreign")
    assert house.alert(keys=foreign).returncode == 1
    assert (house.count("accepted"), house.count("foreign")) == (0, 2)
    assert_quiet(house)


def test_a_member_that_may_not_is_answered_and_commands_nobody(house):
    assert house.alert(sender=STRANGER).returncode == 0
    assert house.alert(path="/smoke").returncode == 0
    assert house.count("accepted") == 2
    assert_quiet(house)


def test_a_reload_changes_what_follows(house):
    without = {**house.gate.settings, "reactions": []}
    before = len(log_lines(house.gate, "reload"))
    house.gate.reload(without)
    wait_for(lambda: len(log_lines(house.gate, "reload")) > before)
    assert house.alert().returncode == 0
    assert_quiet(house)


def reports(house, *arguments):
    done = subprocess.run([BUILD / "castgate", "-c", house.gate.file, "--reports", *arguments], capture_output=True, text=True,
                          timeout=60)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_reports_are_printed_in_their_order(house):
    """R15, R16: each was verified; a forged one is not among them."""
    assert reports(house) == []
    assert house.alert("--body", "one", path="/meter").returncode == 0
    assert house.alert("--flip", path="/meter").returncode == 1
    assert house.alert("--body", "two", sender=STRANGER, path="/meter").returncode == 0
    lines = reports(house, "sensors")
    assert [(line["group"], line["kid"], line["method"], line["path"], line["body"]) for line in lines] == [
        ("sensors", SENSOR, "POST", "/meter", "one"), ("sensors", STRANGER, "POST", "/meter", "two")]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["time"]) for line in lines)
    assert reports(house, "doors") == []
    unknown = subprocess.run([BUILD / "castgate", "-c", house.gate.file, "--reports", "nobody"], capture_output=True, text=True, timeout=60)
    assert unknown.returncode == 1 and "no security group" in unknown.stderr


def test_reports_are_followed_as_they_come(house):
    assert house.alert("--body", "before", path="/meter").returncode == 0
    with subprocess.Popen([BUILD / "castgate", "-c", house.gate.file, "--reports", "--follow"], stdout=subprocess.PIPE,
                          text=True) as reader:
        assert json.loads(reader.stdout.readline())["body"] == "before"
        for word in ("first", "second"):
            assert house.alert("--body", word, path="/meter").returncode == 0
            assert json.loads(reader.stdout.readline())["body"] == word
        reader.terminate()
    with subprocess.Popen([BUILD / "castgate", "-c", house.gate.file, "--reports", "--follow"], stdout=subprocess.PIPE,
                          text=True) as reader:
        assert [json.loads(reader.stdout.readline())["body"] for _ in range(3)] == ["before", "first", "second"]
        assert house.gate.stop() == 0
        assert reader.wait(timeout=30) == 0  # the end is no failure


def test_the_table_of_reactions_says_what_came_of_them(house):
    def table():
        done = subprocess.run([BUILD / "castgate", "-c", house.gate.file, "--reactions"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [re.split(r"  +", line.strip()) for line in done.stdout.splitlines()]

    assert len(table()) == 1
    assert house.alert().returncode == 0
    house.ended(2)
    head, row = table()
    assert head[:6] == ["reaction", "alerts", "answered", "no answer", "refused", "rate-limited"]
    assert row[:6] == ["fire", "1", "2", "0", "0", "0"]
