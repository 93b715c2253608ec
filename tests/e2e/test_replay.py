"""Transcripts of exchanges, and the program that runs them once more."""

import json
import subprocess

import pytest

from conftest import BUILD, plain_mapping
from protected import Keys, ProtectedMembers, make_state, mapping, settings
from test_exchanges import ask, clients


def replay(tmp_path, transcript, name="transcript.json"):
    file = tmp_path / name
    file.write_bytes(transcript if isinstance(transcript, bytes) else json.dumps(transcript).encode())
    return subprocess.run([BUILD / "castgate", "--replay", file], capture_output=True, text=True, timeout=60, cwd="/")


def transcript_of(gate, reply, who="boss"):
    given = ask(gate, f"/exchanges/{reply.headers['Castgate-Exchange']}/transcript", who)
    assert given.status == 200, given.body
    return given.body


def is_same(tmp_path, transcript):
    run = replay(tmp_path, transcript)
    assert run.returncode == 0 and run.stdout.endswith("same as recorded\n"), run.stdout + run.stderr
    return run.stdout


@pytest.fixture
def gate(members, gateway):
    """Three members answer, one of them with an error, and one is not there."""
    fleet = members(3, "--fail", "1:4.04", "--answer-errors", "--duplicate", "1")
    listed = [{"name": f"lamp-{i}", "address": text} for i, text in enumerate([*fleet.texts, "127.9.9.9:5683"], 1)]
    lights = plain_mapping(fleet, members=listed, membership="complete", timeout=1)
    big = {**lights, "name": "big", "path": "/big", "block_size": 256}
    hidden = plain_mapping(fleet, anonymise=True, timeout=1) | {"name": "hidden", "path": "/hidden"}
    return gateway({"mappings": [lights, big, hidden], "clients": clients()})


def test_an_exchange_is_the_same_once_more(gate, tmp_path):
    told = is_same(tmp_path, transcript_of(gate, gate.request("/lights/status")))
    assert "3 answered, 1 failed, 1 missing, ended by deadline" in told
    assert "lamp-4" in told and "missing: " in told


def test_after_others_that_have_taught_something_of_members(gate, tmp_path):
    for _ in range(5):
        reply = gate.request("/lights/status")
    is_same(tmp_path, transcript_of(gate, reply))


def test_an_answer_in_blocks(gate, tmp_path):
    told = is_same(tmp_path, transcript_of(gate, gate.request("/big/big")))
    assert "4096 bytes" in told


def test_nobody_answers(group, gateway, tmp_path):
    lights = {"name": "lights", "path": "/lights", "group": group.uri, "security": "none", "timeout": 1, "clients": ["anonymous"]}
    gate = gateway({"mappings": [lights], "clients": clients()})
    reply = gate.request("/lights/status")
    assert reply.status == 504
    assert "silent" in is_same(tmp_path, transcript_of(gate, reply))


def test_a_secured_group_without_its_keys_or_what_was_said(group, gateway, tmp_path):
    keys = Keys(tmp_path / "keys", 3, group.port)
    fleet = ProtectedMembers(keys, group, 2, "127.1.0.1", [], tmp_path / "members.log")
    try:
        given = settings(make_state(tmp_path / "state-of-it", keys), (group, keys))
        given["mappings"] = [mapping(group, keys, timeout=1)]
        gate = gateway({**given, "clients": {**given["clients"], **clients()}})
        for _ in range(2):
            reply = gate.request(f"/{keys.name}/status")
            transcript = transcript_of(gate, reply)
            told = is_same(tmp_path, transcript)
            assert "2 answered" in told and "1 missing" in told
        whole = json.loads(transcript)
        answers = [word for word in whole["words"] if word["word"] == "answer"]
        assert answers and all(word["verified"] and word["bytes"] > 0 and "payload" not in word for word in answers)
        secret = json.loads(keys.gateway.read_text())
        text = transcript.decode()
        for value in [v for v in secret.values() if isinstance(v, str) and len(v) >= 24]:
            assert value not in text
    finally:
        fleet.stop()


def test_payloads_are_administrators_alone_and_as_the_settings_say(gate, gateway, members, tmp_path):
    reply = gate.request("/lights/status")
    assert b'"payload"' in transcript_of(gate, reply)
    operators = transcript_of(gate, reply, "operator")
    assert b'"payload"' not in operators and b'"same":' in operators
    is_same(tmp_path, operators)
    assert ask(gate, f"/exchanges/{reply.headers['Castgate-Exchange']}/transcript", "watcher").status == 403


def test_what_a_mapping_hides_is_given_to_nobody(gate):
    id = gate.request("/hidden/status").headers["Castgate-Exchange"]
    assert ask(gate, f"/exchanges/{id}/transcript", "boss").status == 403


def test_none_at_all(gate):
    id = gate.request("/nowhere").headers["Castgate-Exchange"]
    assert ask(gate, f"/exchanges/{id}/transcript", "boss").status == 404
    assert ask(gate, "/exchanges/0123456789abcdef/transcript", "boss").status == 404


def test_a_transcript_that_says_otherwise(gate, tmp_path):
    whole = json.loads(transcript_of(gate, gate.request("/lights/status")))
    whole["exchange"]["answers"][0]["code"] = "2.04"
    run = replay(tmp_path, whole)
    assert run.returncode == 1 and "differs: answers/0 was" in run.stdout
    del whole["words"][-3:]
    assert replay(tmp_path, whole).returncode == 1


def hostile():
    yield "empty", b""
    yield "deep", b"[" * 100000
    yield "binary", bytes(range(256)) * 64
    yield "other", b'{"transcript": 7}'
    yield "double", b'{"transcript": 1, "transcript": 1}'


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in hostile()])
def test_a_file_that_is_none(tmp_path, text):
    run = replay(tmp_path, text)
    assert run.returncode == 2 and "cannot be replayed" in run.stderr and len(run.stderr) < 400


def test_no_file(tmp_path):
    run = subprocess.run([BUILD / "castgate", "--replay", tmp_path / "nothing"], capture_output=True, text=True, timeout=60)
    assert run.returncode == 2 and "cannot be read" in run.stderr


@pytest.mark.parametrize("path, value", [
    (("scene", "mapping", "targets"), []),
    (("scene", "mapping", "targets", 0, "group"), "127.0.0.1:5683"),
    (("scene", "mapping", "members", 0, "address"), "nowhere"),
    (("scene", "mapping", "members", 0, "name"), "lamp-2"),
    (("scene", "mapping", "block_size"), 17),
    (("request", "rest"), "/%zz"),
    (("request", "method"), "SHOUT"),
    (("request", "observes"), True),
    (("words", 0, "word"), "shouted"),
    (("words", 1, "leg"), -1),
    (("words", 2, "at_us"), 1 << 62),
    (("words", 2, "at_us"), -5),
    (("exchange",), None),
])
def test_what_cannot_be_is_refused_by_name(gate, tmp_path, path, value):
    whole = json.loads(transcript_of(gate, gate.request("/lights/status")))
    at = whole
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    run = replay(tmp_path, whole)
    assert run.returncode == 2 and "cannot be replayed" in run.stderr


def test_a_terminal_is_told_nothing_but_text(gate, tmp_path):
    whole = json.loads(transcript_of(gate, gate.request("/lights/status")))
    whole["scene"]["mapping"]["members"][0]["name"] = "\x1b[2Jlamp"
    run = replay(tmp_path, whole)
    assert run.returncode == 1 and "\x1b" not in run.stdout and "?[2Jlamp" in run.stdout
