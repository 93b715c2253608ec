"""A group whose members are on hosts of their own, each with nothing but its own file, and what happens to its requests while it is
rekeyed. R54, R55."""

import json
import shutil
import signal
import subprocess
import threading

import pytest

from conftest import BUILD, Program
from probe import log_lines, wait_for
from protected import Keys, kill, make_state, settings


class Host(Program):
    """One member and the folder that is all it has."""

    def __init__(self, folder, file, group, *arguments):
        folder.mkdir(exist_ok=True)
        self.folder, self.keys, self.group, self.arguments = folder, folder / "member.json", group, arguments
        self.give(file)
        self.start()

    def give(self, file):
        shutil.copy(file, self.keys)

    def start(self):
        super().__init__([BUILD / "castgate-member", "--keys", self.keys, "--group", self.group.uri, *self.arguments],
                         self.folder / "log", stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line == "ready 1\n", f"said {line!r}:\n{self.log()}"

    def rekey(self, file):
        before = self.log().count("read again")
        self.give(file)
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.log().count("read again") > before)


@pytest.fixture
def hosts(tmp_path, group):
    """hosts(ID, file, …): a host for the member with that Sender ID."""
    started = {}

    def start(name, file, *arguments):
        started[name] = Host(tmp_path / f"host-{name}", file, group, *arguments)
        return started[name]

    yield start
    for one in started.values():
        assert one.stop() == 0, one.log()


@pytest.fixture
def group_of_three(tmp_path, group, hosts, gateway):
    """Gateway, keys and three hosts by Sender ID."""
    keys = Keys(tmp_path / "keys", 3, group.port)
    members = {name: hosts(name, keys.folder / f"member-{name}.json") for name in ("11", "12", "13")}
    state = make_state(tmp_path / "state", keys)
    entry = {"file": str(keys.gateway), "next": str(keys.folder / "gateway.next.json")}
    gate = gateway({**settings(state, (group, keys, {"timeout": 5})), "security_groups": {keys.name: entry}})
    return gate, keys, members


def kids(reply):
    assert all(answer["verified"] == "source" for answer in reply["answers"])
    return {answer["kid"] for answer in reply["answers"]}


def hup(gate, event):
    before = len(log_lines(gate, event))
    gate.process.send_signal(signal.SIGHUP)
    wait_for(lambda: len(log_lines(gate, event)) > before)


def test_three_hosts_with_their_own_secrets_only(group_of_three):
    gate, keys, members = group_of_three
    group = keys.load()
    for member in group["members"]:
        folder = members[member["sender_id"]].folder
        text = "".join(path.read_text() for path in folder.iterdir())
        others = [other["private_key"] for other in (*group["members"], group["gateway"], group["group_manager"]) if other is not member]
        assert member["private_key"] in text and not any(key in text for key in others)
    first = gate.get_json("/lights/status")
    assert kids(first) == {"11", "12", "13"} and {answer["via"] for answer in first["answers"]} == {"unicast"}  # challenged
    second = gate.get_json("/lights/status")
    assert kids(second) == {"11", "12", "13"} and {answer["via"] for answer in second["answers"]} == {"multicast"}


@pytest.mark.parametrize("option, count", [("--no-pairwise", 2), ("--no-group-mode", 1)])
def test_hosts_of_groups_with_one_mode_only(tmp_path, group, hosts, gateway, option, count):
    """The challenge at the start is answered in the mode that there is."""
    keys = Keys(tmp_path / "keys", count, group.port, option)
    names = {f"{0x11 + i:02x}" for i in range(count)}
    for name in names:
        hosts(name, keys.folder / f"member-{name}.json")
    gate = gateway(settings(make_state(tmp_path / "state", keys), (group, keys, {"timeout": 5})))
    for _ in range(2):
        assert kids(gate.get_json("/lights/status")) == names


def test_a_member_that_was_killed_comes_back(group_of_three):
    """It takes nothing for new that it may have seen, and repeats none of its numbers."""
    gate, keys, members = group_of_three
    gate.get_json("/lights/status")
    first = (members["12"].folder / "member.json.numbers").read_text()
    kill(members["12"])
    members["12"].process.stdout.close()
    members["12"].start()
    assert int((members["12"].folder / "member.json.numbers").read_text()) > int(first)
    reply = gate.get_json("/lights/status")
    assert kids(reply) == {"11", "12", "13"}
    assert {answer["kid"]: answer["via"] for answer in reply["answers"]} == {"11": "multicast", "12": "unicast", "13": "multicast"}
    assert reply["summary"]["rejected"] == 0


class Requests(threading.Thread):
    """One request after the other, until somebody says stop."""

    def __init__(self, gate):
        super().__init__(daemon=True)
        self.gate, self.replies, self.over = gate, [], threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            self.replies.append(self.gate.request("/lights/status", headers={"Accept": "application/json"}))

    def wait(self, count=2):
        """For so many that begin from now on."""
        wanted = len(self.replies) + 1 + count
        wait_for(lambda: len(self.replies) >= wanted, timeout=60)

    def stop(self):
        self.over.set()
        self.join(60)
        return [reply.json() for reply in self.replies]


@pytest.mark.parametrize("command", ["rekey", "new-sender-id"])
def test_no_member_and_no_request_is_lost_in_a_rekey_R54(group_of_three, tmp_path, command):
    gate, keys, members = group_of_three
    file_before = gate.file.read_bytes()
    requests = Requests(gate)
    requests.wait()
    Keys.run(command, keys.folder)
    Keys.run("claim", keys.folder / "gateway.next.json", "--state", tmp_path / "state")
    hup(gate, "keys-prepared")
    for name, member in members.items():
        requests.wait()
        member.rekey(keys.folder / f"member-{name}.next.json")
    requests.wait()
    Keys.run("finish", keys.folder)
    hup(gate, "keys-activated")
    requests.wait()
    replies = requests.stop()
    assert len(replies) > 12 and gate.file.read_bytes() == file_before
    for reply in replies:
        assert kids(reply) == {"11", "12", "13"} and reply["missing"] == [], reply
    hup(gate, "reload")  # the settings still name "next", whose file is gone
    assert len(log_lines(gate, "keys-activated")) == 2  # the first is the start's
    assert len(log_lines(gate, "keys-prepared")) == 1


def test_add_and_evict_in_one_walk_R54_R55(group_of_three, hosts, tmp_path):
    gate, keys, members = group_of_three
    assert kids(gate.get_json("/lights/status")) == {"11", "12", "13"}
    first = int(keys.load()["members"][0]["address"].split(":")[1])
    for command, gone in ((["add", keys.folder, "--name", "lamp", "--addresses", f"127.1.0.4:{first}"], None),
                          (["rekey", keys.folder, "--evict", "12"], "12")):
        Keys.run(*command)
        Keys.run("claim", keys.folder / "gateway.next.json", "--state", tmp_path / "state")
        hup(gate, "keys-prepared")
        for name, member in members.items():
            if name != gone:
                member.rekey(keys.folder / f"member-{name}.next.json")
        if gone is None:
            members["14"] = hosts("14", keys.folder / "member-14.next.json")
        Keys.run("finish", keys.folder)
        hup(gate, "keys-activated")
        assert kids(gate.get_json("/lights/status")) == set(members) - {gone}
    assert not (keys.folder / "member-12.json").exists()
    assert members["12"].running()  # it hears everything, and can read none of it


@pytest.mark.parametrize("file, arguments, message", [
    ("gateway", [], "is the gateway's"),
    ("member-11", ["--count", "5"], "--count 5 needs the whole group's"),
    ("checker", [], "is a signature checker's file"),
])
def test_files_that_are_no_members(tmp_path, group, file, arguments, message):
    keys = Keys(tmp_path / "keys", 2, group.port)
    done = subprocess.run([BUILD / "castgate-member", "--keys", keys.folder / f"{file}.json", "--group", group.uri, *arguments],
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 1 and message in done.stderr
    assert all(secret.hex() not in done.stderr for secret in keys.secrets)


def test_a_member_names_whom_it_is(group_of_three):
    gate, keys, members = group_of_three
    statuses = [json.loads(answer["body"]) if "body" in answer else answer["json"]
                for answer in gate.get_json("/lights/status")["answers"]]
    assert {status["address"] for status in statuses} == {member["address"] for member in keys.load()["members"]}
