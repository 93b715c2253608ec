"""What is known of members: learnt from their answers, listed, kept over a restart, forgotten on demand."""

import json
import signal
import sqlite3
import subprocess

import pytest

from conftest import BUILD, Gateway, plain_mapping
from probe import log_lines, wait_for
from protected import Keys, ProtectedMembers, kill, make_state, served, settings

FILE = "castgate.members.db"


def castgate(gate, *arguments):
    return subprocess.run([BUILD / "castgate", "-c", gate.file, *arguments], capture_output=True, text=True, timeout=60)


def listed(gate):
    """The table as {member: [other columns]}."""
    done = castgate(gate, "--members")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = (line.split("  ") for line in done.stdout.splitlines())
    assert [cell.strip() for cell in head if cell.strip()] == [
        "member", "kid", "address", "mapping", "last seen", "answers in", "loss", "reached"]
    cells = [[cell.strip() for cell in row if cell.strip()] for row in rows]
    return {row[0]: row[1:] for row in cells}


def forget(gate, name):
    return castgate(gate, "--forget-members", name)


def state_of(gate):
    return gate.file.parent / gate.settings["state"]


@pytest.fixture
def restarted():
    """restarted(gate): another process on its settings and state folder; it may be killed."""
    started = []

    def start(gate):
        started.append(Gateway(gate.settings, gate.file.parent))
        started[-1].wait()
        return started[-1]

    yield start
    for one in started:
        assert one.stop() in (0, -signal.SIGKILL), one.log()


NAMES = ["lamp-a", "lamp-b", "lamp-c"]


def named(fleet, **more):
    return plain_mapping(fleet, members=[{"name": n, "address": a} for n, a in zip(NAMES, fleet.texts)], **more)


def test_learnt_listed_restarted_still_known_forgotten(members, gateway, restarted):
    fleet = members(3)
    gate = gateway({"mappings": [named(fleet)]})
    assert listed(gate) == {}
    for _ in range(9):
        assert len(gate.get_json("/lights/status")["answers"]) == 3
    rows = listed(gate)
    assert set(rows) == set(NAMES)
    kid, address, of, seen, median, loss, reached = rows["lamp-b"]
    assert (kid, address, of, loss, reached) == ("-", fleet.texts[1], "lights", "0 %", "by multicast")
    assert seen.endswith(" s") and median.endswith(" ms")
    assert gate.stop() == 0
    file = state_of(gate) / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    again = restarted(gate)
    wait_for(lambda: set(listed(again)) == set(NAMES))
    assert listed(again)["lamp-b"][4] == median
    done = forget(again, "lamp-b")
    assert (done.returncode, done.stdout) == (0, "forgotten: 1 entries\n"), done.stderr
    assert set(listed(again)) == {"lamp-a", "lamp-c"}
    kill(again)
    assert b"lamp-b" not in file.read_bytes() and b"lamp-a" in file.read_bytes()
    third = restarted(gate)
    wait_for(lambda: set(listed(third)) == {"lamp-a", "lamp-c"})
    assert forget(third, "all").stdout == "forgotten: 2 entries\n"
    assert listed(third) == {}
    assert third.stop() == 0
    assert b"lamp-" not in file.read_bytes()


def test_who_is_not_known_is_forgotten_all_the_same(members, gateway):
    gate = gateway({"mappings": [named(members(3))]})
    assert forget(gate, "nobody' OR '1").stdout == "forgotten: 0 entries\n"
    assert gate.stop() == 0
    for done in (forget(gate, "all"), castgate(gate, "--members")):
        assert done.returncode == 1 and "no gateway runs" in done.stderr


def test_a_verified_member_is_shown_with_its_kid(gateway, group, tmp_path, restarted):
    with served(gateway, group, tmp_path) as (gate, keys):
        assert len(gate.get_json(f"/{keys.name}/status")["answers"]) == 2
        rows = listed(gate)
        assert sorted(row[0] for row in rows.values()) == ["11", "12"]
        assert gate.stop() == 0
        again = restarted(gate)
        wait_for(lambda: sorted(row[0] for row in listed(again).values()) == ["11", "12"])


def test_a_member_without_configured_address_is_found_after_a_restart(gateway, group, tmp_path, restarted):
    keys = Keys(tmp_path / "keys", 2, group.port)
    document = json.loads(keys.gateway.read_text())
    document["peers"] = {kid: {key: value for key, value in peer.items() if key != "address"} for kid, peer in document["peers"].items()}
    keys.gateway.write_text(json.dumps(document))
    fleet = ProtectedMembers(keys, group, 2, "127.1.0.1", [], tmp_path / "members.log")
    state = make_state(tmp_path / "state", keys)
    gate = gateway(settings(state, (group, keys, {"stand_in": "members", "clients": ["anonymous"]})))
    wait_for(lambda: gate.request("/readyz", to=gate.admin).status == 200)
    answers = gate.get_json(f"/{keys.name}/status")["answers"]
    assert gate.stop() == 0
    again = restarted(gate)
    wait_for(lambda: again.request("/readyz", to=again.admin).status == 200 and len(listed(again)) == 2)
    reply = again.get_json(f"/{keys.name}/.member/{answers[0]['member']}/status")
    assert [answer["from"] for answer in reply["answers"]] == [answers[0]["from"]]
    assert fleet.stop() == 0, fleet.log()


@pytest.mark.parametrize("spoil", ["damage", "folder", "other"])
def test_the_gateway_runs_on_without_the_file(members, gateway, restarted, spoil):
    gate = gateway({"mappings": [named(members(3))]})
    assert gate.stop() == 0
    file = state_of(gate) / FILE
    if spoil == "damage":
        file.write_bytes(b"no database, and long enough for a header of one to be looked for in it, which is a hundred bytes " * 2)
    elif spoil == "folder":
        file.unlink(missing_ok=True)
        file.mkdir()
    else:
        holder = sqlite3.connect(file, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
    again = restarted(gate)
    assert len(again.get_json("/lights/status")["answers"]) == 3
    assert set(listed(again)) == set(NAMES)
    wait_for(lambda: len(log_lines(again, "members")) == 1)
    assert again.stop() == 0
    (line,) = log_lines(again, "members")
    assert FILE in line["msg"] and line["level"] == "warning"
    assert file.with_name("castgate.members.damaged").exists() == (spoil == "damage")


def test_without_a_folder_nothing_is_made(members, gateway, tmp_path):
    gate = gateway({"mappings": [named(members(3))], "state": str(tmp_path / "nowhere")})
    assert len(gate.get_json("/lights/status")["answers"]) == 3
    assert gate.stop() == 0
    (line,) = log_lines(gate, "members")
    assert line["level"] == "info" and "there is no folder" in line["msg"]
    assert not (tmp_path / "nowhere").exists()


def test_hidden_members_are_counted_and_not_named(members, gateway):
    fleet = members(3)
    gate = gateway({"mappings": [named(fleet, anonymise=True, stand_in="members")]})
    assert len(gate.get_json("/lights/status")["answers"]) == 3
    done = castgate(gate, "--members")
    assert done.stdout.count("(hidden)") == 3
    assert not any(word in done.stdout for word in NAMES + fleet.texts)
    assert forget(gate, "lamp-b").stdout == "forgotten: 1 entries\n"
    assert castgate(gate, "--members").stdout.count("(hidden)") == 2
