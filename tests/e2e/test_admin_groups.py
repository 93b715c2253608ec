"""Security groups by the admin side alone: made, handed out, joined, evicted, rekeyed, and back after a restart. R4, R11, R54, R55, R59."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from conftest import BUILD, Gateway
from probe import wait_for
from protected import Keys, kill, make_state
from test_rekey import Host, Requests, kids

TOKEN = "the-administrators"
ROOT = {"root": {"token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "role": "admin"}}


class Admin:
    def __init__(self, gate):
        self.gate = gate

    def ask(self, method, path, body=None, **headers):
        headers = {"Authorization": f"Bearer {TOKEN}", **{key.replace("_", "-"): value for key, value in headers.items()}}
        data = None if body is None else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = "application/json"
        return self.gate.request(f"/admin/v1/{path}", method, headers, data, to=self.gate.admin)

    def done(self, method, path, body=None, **headers):
        reply = self.ask(method, path, body, **headers)
        assert reply.status in (200, 201, 204), (reply.status, reply.body)
        return reply.json() if reply.body else None


def make_seal(path):
    path.write_bytes(os.urandom(32))
    path.chmod(0o600)
    return path


@pytest.fixture
def administered(tmp_path, gateway):
    """administered(**settings): a gateway with nothing but an administrator and a seal, and its admin side."""
    state = make_state(tmp_path / "state")
    seal = make_seal(tmp_path / "seal")

    def start(**more):
        gate = gateway({"state": str(state), "seal_key": str(seal), "clients": ROOT, "group": {"interface": "lo", "nstart": 100},
                        **more})
        return gate, Admin(gate)

    return start


@pytest.fixture
def hosts(tmp_path, group):
    started = {}

    def start(name, file):
        path = tmp_path / f"given-{name}.json"
        give(path, file)
        started[name] = Host(tmp_path / f"host-{name}", path, group)
        return started[name]

    yield start
    for one in started.values():
        assert one.stop() == 0, one.log()


def give(path, file):
    path.write_text(json.dumps(file))
    path.chmod(0o600)
    return path


def member(number, port):
    return {"name": f"lamp-{number}", "address": f"127.1.0.{number}:{port}"}


def mapping(group, **more):
    return {"path": "/lights", "group": group.uri, "security": "lights", "timeout": 5, "membership": "complete", "finish": "all",
            "clients": ["anonymous"], **more}


GROUP = "security-groups/lights"


@pytest.fixture
def lights(administered, hosts, group):
    """A group of two, made by the admin side, whose members have their files from there."""
    gate, admin = administered()
    made = admin.done("POST", "security-groups", {"name": "lights", "members": [member(n, group.port) for n in (1, 2)]})
    assert [one["id"] for one in made["members"]] == ["11", "12"] and made["state"] == "in-use", made
    admin.done("PUT", "mappings/lights", mapping(group))
    members = {name: hosts(name, admin.done("GET", f"{GROUP}/members/{name}/file")) for name in ("11", "12")}
    return gate, admin, members


def test_a_group_is_made_and_its_files_are_given_once_R11(lights, tmp_path):
    gate, admin, members = lights
    assert kids(gate.get_json("/lights/status")) == {"11", "12"}
    again = admin.ask("GET", f"{GROUP}/members/11/file")
    assert again.status == 409 and "fetched by root" in again.json()["detail"]
    shown = admin.done("GET", GROUP)
    assert [one["holds"]["current"] for one in shown["members"]] == ["proven", "proven"]
    assert shown["keys"]["numbers"]["state"] == "sends" and shown["keys"]["numbers"]["used"] > 0
    secrets = [json.loads((host.folder / "member.json").read_text()) for host in members.values()]
    seen = gate.log() + "".join(admin.ask("GET", path).body.decode() for path in
                                (GROUP, "security-groups", "audit", "revisions", "mappings", "export"))
    stored = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir() if path.is_file())
    for file in secrets:
        for secret in (file["common"]["master_secret"], file["common"]["master_salt"], file["self"]["private_key"]):
            assert secret not in seen and secret.encode() not in stored and bytes.fromhex(secret) not in stored


def test_members_are_cold_until_they_have_taken_what_the_key_in_use_sends(lights):
    gate, admin, _ = lights

    def shown(key):
        return {one["name"]: one[key] for one in admin.done("GET", "members")["items"]}

    everybody = "lamp-1", "lamp-2"
    assert shown("warmth") == dict.fromkeys(everybody, {"lights": "cold"}) and shown("heard") == dict.fromkeys(everybody, [])
    for _ in range(3):
        assert kids(gate.get_json("/lights/status")) == {"11", "12"}
    assert shown("warmth") == dict.fromkeys(everybody, {"lights": "warm"})
    heard = shown("heard")["lamp-1"][0]
    assert 0 < heard["median_ms"] <= heard["p99_ms"], heard
    admin.done("POST", f"{GROUP}/prepare-rekey")
    assert shown("warmth") == dict.fromkeys(everybody, {"lights": "warm"})
    admin.done("POST", f"{GROUP}/activate", {"force": True})
    assert shown("warmth") == dict.fromkeys(everybody, {"lights": "cold"})
    assert shown("heard")["lamp-1"][0] == heard


def test_rekeyed_by_the_admin_side_no_request_is_lost_R4_R54_R55(lights, hosts, group):
    gate, admin, members = lights
    requests = Requests(gate)
    requests.wait()
    joined = admin.done("POST", f"{GROUP}/members", member(3, group.port))
    assert joined["epoch"] == "next"
    refused = admin.ask("POST", f"{GROUP}/activate")
    assert refused.status == 409 and "lamp-1" in refused.json()["detail"] and "lamp-3" not in refused.json()["detail"]
    for name, host in members.items():
        host.rekey(give(host.folder.with_name(f"given-{name}.json"), admin.done("GET", f"{GROUP}/members/{name}/file?epoch=next")))
        requests.wait()
    members["13"] = hosts("13", joined["file"])
    admin.done("POST", f"{GROUP}/activate")
    requests.wait(4)
    replies = requests.stop()
    for reply in replies:
        assert {"11", "12"} <= kids(reply) and not [one for one in reply["missing"] if one["member"] != "lamp-3"], reply
    assert kids(replies[-1]) == {"11", "12", "13"}
    # And one goes.
    admin.done("DELETE", f"{GROUP}/members/12")
    for name in ("11", "13"):
        host = members[name]
        host.rekey(give(host.folder.with_name(f"given-{name}.json"), admin.done("GET", f"{GROUP}/members/{name}/file")))
    assert admin.ask("GET", f"{GROUP}/members/12/file").status == 404
    admin.done("POST", f"{GROUP}/activate", {})
    assert kids(gate.get_json("/lights/status")) == {"11", "13"}
    assert [one["id"] for one in admin.done("GET", GROUP)["members"]] == ["11", "13"]


def test_a_stored_group_is_back_after_a_restart_and_after_a_kill(lights, gateway, tmp_path):
    gate, admin, _ = lights
    assert kids(gate.get_json("/lights/status")) == {"11", "12"}
    assert gate.stop() == 0
    killed = Gateway(gate.settings, tmp_path / "killed")
    killed.wait()
    assert kids(killed.get_json("/lights/status")) == {"11", "12"}
    Admin(killed).done("POST", f"{GROUP}/prepare-rekey")
    kill(killed)
    gate = gateway(gate.settings)
    assert kids(gate.get_json("/lights/status")) == {"11", "12"}
    assert [one["holds"]["next"] for one in Admin(gate).done("GET", GROUP)["members"]] == ["unknown", "unknown"]


def test_without_its_seal_the_group_is_out_of_use_and_the_rest_runs(lights, gateway, tmp_path):
    gate, admin, _ = lights
    assert gate.stop() == 0
    for name, reason in (("other", "another key"), ("none", "is not there")):
        seal = tmp_path / name
        if name == "other":
            make_seal(seal)
        gate = gateway({**gate.settings, "seal_key": str(seal)} if name == "other"
                       else {key: value for key, value in gate.settings.items() if key != "seal_key"})
        shown = Admin(gate).done("GET", GROUP)
        assert shown["state"] == "disabled" and reason in shown["reason"], shown
        assert gate.request("/lights/status").status == 404
        assert Admin(gate).done("GET", "mappings/lights")["state"] == "disabled"
        if name == "none":
            refused = Admin(gate).ask("POST", "security-groups", {"name": "more", "members": 1})
            assert refused.status == 409 and "seal_key" in refused.json()["detail"]
        assert gate.stop() == 0


def test_a_pending_group_says_whom_it_waits_for_R59(administered):
    gate, admin = administered()
    waits = {"name": "pumps", "pending": True, "group_manager": "coap://gm.example/ace-group/pumps"}
    made = admin.done("POST", "security-groups", waits)
    assert made["state"] == "disabled" and "coap://gm.example/ace-group/pumps" in made["reason"], made
    assert admin.done("GET", "security-groups")["items"][0]["name"] == "pumps"


def test_a_program_hands_the_files_out(administered, group, tmp_path):
    told = tmp_path / "told"
    script = tmp_path / "hand-out"
    script.write_text(f'#!/bin/sh\ncat >>{told}.$CASTGATE_EVENT\ntest "$1" = with-this\n')
    script.chmod(0o700)
    gate, admin = administered(hooks={"after_rekey": [str(script), "with-this"]})
    admin.done("POST", "security-groups", {"name": "lights", "members": 2})
    admin.done("POST", f"{GROUP}/prepare-rekey")
    wait_for(lambda: [one["holds"]["next"] for one in admin.done("GET", GROUP)["members"]] == ["fetched", "fetched"])
    files = json.loads(told.with_suffix(".prepared").read_text())
    assert files["group"] == "lights" and set(files["files"]) == {"11", "12"}
    assert files["files"]["11"]["common"]["gid"] == files["gid"] == admin.done("GET", GROUP)["next"]["gid"]
    admin.done("POST", f"{GROUP}/activate")
    wait_for(lambda: told.with_suffix(".activated").exists() and told.with_suffix(".activated").read_text().endswith("}\n"))
    assert json.loads(told.with_suffix(".activated").read_text())["files"] == {}
    assert files["files"]["11"]["self"]["private_key"] not in gate.log()


def test_what_a_program_fails_at_is_told(administered, tmp_path):
    gate, admin = administered(hooks={"after_rekey": ["/bin/false"]})
    admin.done("POST", "security-groups", {"name": "lights", "members": 1})
    admin.done("POST", f"{GROUP}/prepare-rekey")
    wait_for(lambda: "status 1" in gate.log())
    wait_for(lambda: any(one["operation"] == "hooks.after_rekey" and one["result"] == "failed"
                         for one in admin.done("GET", "audit")["items"]))
    assert admin.done("GET", GROUP)["members"][0]["holds"]["next"] == "unknown"


def test_what_cannot_be_undone_says_the_way_forward(administered, group):
    """And the settings file's groups are its own, whatever is asked of them."""
    _, admin = administered()
    admin.done("POST", "security-groups", {"name": "lights", "members": [{"name": "lamp-1", "address": "127.1.0.1:5683"}]})
    admin.done("GET", "security-groups/lights/members/11/file")
    admin.done("POST", "security-groups/lights/prepare-rekey", {})
    admin.done("POST", "clients", {"name": "eye", "role": "viewer"})
    token = admin.done("POST", "clients/eye/tokens")
    admin.done("DELETE", f"clients/eye/tokens/{token['id']}")
    final = [one for one in admin.done("GET", "revisions")["items"] if not one["undoable"]]
    assert len(final) == 5 and all(one["way_forward"] for one in final), final
    reply = admin.ask("POST", f"revisions/{final[0]['number']}/undo")
    assert reply.status == 409 and final[0]["way_forward"] in reply.json()["detail"]


@pytest.mark.parametrize("method, body", [("PUT", {"warm": True}), ("PATCH", {"warm": True}), ("DELETE", None)])
def test_the_settings_files_groups_are_its_own(administered, tmp_path, method, body):
    keys = Keys(tmp_path / "keys", 1, 5683)
    _, admin = administered(security_groups={"hall": str(keys.gateway)})
    for match in ({}, {"If_Match": "*"}):
        reply = admin.ask(method, "security-groups/hall", body, **match)
        assert reply.status == 409 and "settings file" in reply.json()["detail"], reply.body


def test_a_backup_has_all_that_is_stored(lights, administered, tmp_path):
    """Made beside the gateway, put in place of a folder that is lost: all is there, and its keys send nothing until a rekey."""
    gate, admin, members = lights
    state, copy = tmp_path / "state", tmp_path / "copy.db"
    assert kids(gate.get_json("/lights/status")) == {"11", "12"}
    export, history = admin.done("GET", "export"), admin.done("GET", "revisions")
    done = subprocess.run([BUILD / "castgate", "-c", gate.file, "--backup", copy], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "copy.db.items" in done.stdout, done
    assert not list(state.glob("castgate.copy-*"))
    admin.done("DELETE", "mappings/lights", If_Match="*")
    assert gate.stop() == 0
    shutil.rmtree(state)
    state.mkdir(mode=0o700)
    shutil.copy(copy, state / "castgate.db")
    shutil.copy(tmp_path / "copy.db.items", state / "castgate.items.db")
    gate, admin = administered()
    assert admin.done("GET", "export") == export and admin.done("GET", "revisions") == history
    assert gate.request("/lights/status").status == 503
    assert admin.done("GET", GROUP)["keys"]["numbers"]["state"] == "spent"
    admin.done("POST", f"{GROUP}/prepare-rekey", {})
    for name, host in members.items():
        host.rekey(give(tmp_path / f"anew-{name}.json", admin.done("GET", f"{GROUP}/members/{name}/file?epoch=next")))
    admin.done("POST", f"{GROUP}/activate")
    assert kids(gate.get_json("/lights/status")) == {"11", "12"}
