"""castgatectl against a running gateway: declarative, idempotent, told in words, with exit statuses (R5)."""

import json
import signal
import subprocess

import pytest

from conftest import BUILD, Program, free_tcp_port, plain_mapping
from probe import wait_for

DONE, DIFFERS, USAGE, REFUSED, FAILED = range(5)


class Shell:
    """castgatectl as somebody types it who has the gateway's first token."""

    def __init__(self, gate, folder):
        self.url, self.folder = f"http://127.0.0.1:{gate.admin[1]}", folder
        first = gate.file.parent / "state" / "admin.token"
        wait_for(lambda: first.exists() and first.read_text())
        self.token = folder / "ctl.token"
        self.token.touch(0o600)
        self.token.write_text(first.read_text())

    def arguments(self, *words):
        return [BUILD / "castgatectl", *map(str, words), "--url", self.url, "--token-file", self.token]

    def type(self, *words, status=DONE, **more):
        ran = subprocess.run(self.arguments(*words), capture_output=True, text=True, timeout=60, **more)
        assert ran.returncode == status, f"{words}: {ran.returncode}\n{ran.stdout}{ran.stderr}"
        return ran.stderr if status in (USAGE, REFUSED, FAILED) else ran.stdout

    def file(self, document, name="wanted.json"):
        file = self.folder / name
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        return file

    def get(self, path):
        return json.loads(self.type("call", "GET", path))


@pytest.fixture
def shell(gateway, tmp_path):
    return lambda gate: Shell(gate, tmp_path)


def mapping(name="floor3", **more):
    return {"name": name, "path": f"/{name}", "group": "coap://224.0.1.187:5690/", "security": "none", "timeout": 2,
            "clients": ["anonymous"], **more}


def test_what_is_applied_twice_changes_nothing(gateway, shell):
    ctl = shell(gateway({}))
    wanted = ctl.file({"clients": {"dashboard": {"token_sha256": "ab" * 32}},
                       "mappings": [mapping(clients=[{"name": "dashboard", "methods": ["GET"]}])]})
    said = ctl.type("diff", "-f", wanted, status=DIFFERS)
    assert "+ clients/dashboard" in said and "+ mappings/floor3" in said
    said = ctl.type("apply", "-f", wanted, "--dry-run")
    assert "+ mappings/floor3" in said and "nothing was changed" in said
    assert ctl.type("call", "GET", "mappings/floor3", status=REFUSED).count("404") == 1
    said = ctl.type("apply", "-f", wanted)
    assert "+ mappings/floor3" in said and "revision " in said
    exported, history = ctl.type("export"), ctl.get("revisions")
    assert ctl.type("apply", "-f", wanted) == "nothing to change\n"
    assert ctl.type("diff", "-f", wanted) == ""
    assert ctl.type("export") == exported and ctl.get("revisions") == history


def test_what_was_exported_can_be_applied(gateway, shell):
    ctl = shell(gateway({}))
    ctl.type("apply", "-f", ctl.file({"settings": {"group": {"hops": 3}}, "mappings": [mapping(), mapping("floor4")]}))
    exported = ctl.type("export")
    ctl.type("apply", "-f", ctl.file({"mappings": []}), "--prune")
    assert ctl.get("mappings")["items"] == []
    ctl.type("apply", "-f", ctl.file(exported))
    assert ctl.type("export") == exported
    assert ctl.type("diff", "--prune", "-f", ctl.file(exported)) == ""


def test_a_change_is_told_key_by_key(gateway, shell):
    ctl = shell(gateway({}))
    ctl.type("apply", "-f", ctl.file({"mappings": [mapping()]}))
    said = ctl.type("diff", "-f", ctl.file({"mappings": [mapping(timeout=3, leisure=1)]}), status=DIFFERS)
    assert said == "~ mappings/floor3\n    timeout: 2 -> 3\n    leisure: (not set) -> 1\n"


def test_what_is_no_good_is_refused_and_changes_nothing(gateway, shell):
    gate = gateway({"mappings": [{**mapping("own"), "group": "coap://224.0.1.187/"}]})
    ctl = shell(gate)
    said = ctl.type("apply", "-f", ctl.file({"mappings": [mapping(), mapping("floor4", security="nowhere")]}), status=REFUSED)
    assert "400" in said and "nowhere" in said and "wanted.json: mappings/1/security: " in said and "changes" not in said
    said = ctl.type("apply", "-f", ctl.file({"mappings": {"floor4": mapping("floor4", timeout="x")}}), status=REFUSED)
    assert "wanted.json: mappings/floor4/timeout: " in said
    assert [item["source"] for item in ctl.get("mappings")["items"]] == ["file"]
    assert "settings file" in ctl.type("apply", "-f", ctl.file({"mappings": [mapping("own")]}), status=USAGE)
    assert "line 1" in ctl.type("apply", "-f", ctl.file('{"mappings": [}'), status=USAGE)
    assert "cannot be read" in ctl.type("apply", "-f", ctl.folder / "nothing", status=USAGE)
    assert "cannot be applied" in ctl.type("diff", "-f", ctl.file({"http": {}}), status=USAGE)


def test_a_token_stays_where_it_belongs(gateway, shell):
    ctl = shell(gateway({}))
    secret = ctl.token.read_text().strip()
    ctl.token.chmod(0o644)
    said = ctl.type("export", status=USAGE)
    assert secret not in said and str(ctl.token) in said
    ctl.token.chmod(0o600)
    ran = subprocess.run([BUILD / "castgatectl", "export", "--url", ctl.url, "--token-file", "-"], input=secret, text=True,
                         capture_output=True, timeout=60)
    assert ran.returncode == DONE, ran.stderr
    for url, status in (("http://192.0.2.1:1", USAGE), (f"http://127.0.0.1:{free_tcp_port()}", FAILED)):
        ran = subprocess.run([BUILD / "castgatectl", "export", "--url", url, "--token-file", ctl.token], text=True,
                             capture_output=True, timeout=60)
        assert ran.returncode == status and secret not in ran.stdout + ran.stderr, ran
    ctl.token.write_text("another")
    assert "401" in ctl.type("export", status=REFUSED)


def test_a_try_tells_who_answered(gateway, members, shell):
    fleet = members(3)
    ctl = shell(gateway({}))
    ctl.type("apply", "-f", ctl.file({"mappings": [plain_mapping(fleet)]}))
    said = ctl.type("try", "lights/status")
    assert said.startswith("3 answered") and all(address in said for address in fleet.texts)
    assert len(json.loads(ctl.type("try", "lights/status", "--json"))["answers"]) == 3
    assert "403" in ctl.type("try", "lights/light", "-X", "PUT", "-d", "on", "--client", "anonymous", status=REFUSED)
    assert "404" in ctl.type("try", "nothing", status=REFUSED)
    fleet.stop()
    assert "is silent" in ctl.type("try", "lights/status", status=DIFFERS)


def test_history_is_told_and_undone(gateway, shell):
    ctl = shell(gateway({}))
    before = ctl.type("export")
    ctl.type("apply", "-f", ctl.file({"mappings": [mapping()]}))
    latest = ctl.get("revisions")["items"][0]["number"]
    assert ctl.type("history", "-n", 1).startswith(f"{latest:6}  ")
    assert "+ mappings/floor3" in ctl.type("history", latest)
    assert "nothing was changed" in ctl.type("undo", latest, "--dry-run")
    assert "- mappings/floor3" in ctl.type("undo", latest)
    assert ctl.type("export") == before
    assert "404" in ctl.type("undo", 999999, status=REFUSED)
    ctl.type("undo", "x", status=USAGE)


def test_what_happens_is_told_as_it_happens(gateway, shell, tmp_path):
    ctl = shell(gateway({}))
    with open(tmp_path / "tail.out", "wb") as out:
        tail = Program(ctl.arguments("tail"), tmp_path / "tail.log", stdout=out)
    try:
        said = (tmp_path / "tail.out").read_text
        count = iter(range(1000))

        def told():
            ctl.type("apply", "-f", ctl.file({"mappings": [mapping(timeout=2 + next(count) / 100)]}))
            return "floor3" in said()
        wait_for(told)
    finally:
        assert tail.stop() in (-signal.SIGTERM, 0)


def test_a_member_makes_no_terminal_do_anything(gateway, members, shell):
    fleet = members(1, "--resource", "/evil=\x1b]0;owned\x07")
    ctl = shell(gateway({}))
    ctl.type("apply", "-f", ctl.file({"mappings": [plain_mapping(fleet)]}))
    said = ctl.type("try", "lights/evil")
    assert "\x1b" not in said and "\x07" not in said and "owned" in said
