"""What is changed by the admin API is in use at once, survives kill -9, is undone byte for byte, and is lost by nobody who races."""

import hashlib
import http.client
import json
import threading
import time

import pytest

from conftest import plain_mapping
from probe import wait_for
from protected import kill

TOKEN = "the-administrators"
ROOT = {"root": {"token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "role": "admin"}}
RACES = 60
PUTS = 40


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
        return reply

    def put(self, name, **mapping):
        return self.ask("PUT", f"mappings/{name}", mapping, If_Match="*")


def mapping_of(fleet, **more):
    mapping = plain_mapping(fleet, **more)
    del mapping["name"]
    return mapping


@pytest.fixture
def administered(gateway):
    def start(**more):
        gate = gateway({"clients": ROOT, **more})
        return gate, Admin(gate)

    return start


def end_at_once(gate):
    kill(gate)
    gate.process.returncode = 0  # as the fixture wants it: it did not fail, it was killed


def start_again(gateway, gate):
    end_at_once(gate)
    again = gateway(gate.settings | {"state": str(gate.file.parent / gate.settings["state"])})
    return again, Admin(again)


def status(gate, path):
    return gate.request(path).status


def test_a_mapping_that_is_put_is_in_use_and_stays(administered, gateway, members):
    gate, admin = administered()
    mapping = mapping_of(members(3), timeout=1)
    assert status(gate, "/lights/status") == 404
    made = admin.ask("PUT", "mappings/lights", mapping)
    assert made.status == 201 and made.headers["Location"] == "/admin/v1/mappings/lights", made
    assert status(gate, "/lights/status") == 200  # at once
    gate, admin = start_again(gateway, gate)
    assert status(gate, "/lights/status") == 200
    before = gate.log().count("the settings are in use")
    gate.reload(gate.settings)
    wait_for(lambda: gate.log().count("the settings are in use") > before)
    assert status(gate, "/lights/status") == 200
    assert admin.ask("DELETE", "mappings/lights").status == 428
    admin.done("DELETE", "mappings/lights", If_Match=made.headers["ETag"])
    assert status(gate, "/lights/status") == 404


def test_two_editors_who_race_lose_no_edit(administered, members):
    gate, admin = administered()
    admin.done("PUT", "mappings/lights", mapping_of(members(1), max_timeout=100))
    made, refused = [], []

    def edit():
        for _ in range(RACES):
            shown = admin.done("GET", "mappings/lights")
            item = shown.json()
            reply = admin.ask("PATCH", "mappings/lights", {"max_timeout": item["max_timeout"] + 1}, If_Match=shown.headers["ETag"])
            (made if reply.status == 200 else refused).append(reply.status)

    editors = [threading.Thread(target=edit) for _ in range(2)]
    for editor in editors:
        editor.start()
    for editor in editors:
        editor.join()
    assert admin.done("GET", "mappings/lights").json()["max_timeout"] == 100 + len(made)
    assert len(made) + len(refused) == 2 * RACES and set(refused) <= {412}


def test_what_was_answered_survives_a_kill(administered, gateway, members, pytestconfig):
    """By hand, for longer: pytest test_admin_changes.py --count 1000"""
    gate, admin = administered()
    mapping, known, halves = mapping_of(members(1)), 0, ("left", "right")
    for half in halves:
        admin.done("PUT", f"mappings/{half}", mapping | {"path": f"/{half}", "max_timeout": 100})
    for _ in range(pytestconfig.getoption("--count")):
        answered = []

        def write():
            try:
                for number in range(known + 1, known + PUTS):
                    reply = admin.ask("POST", "changes", {"changes": [
                        {"method": "PATCH", "path": f"mappings/{half}", "if_match": "*",
                         "body": {"max_timeout": 100 + number % 1000}} for half in halves]})
                    assert reply.status == 200, reply
                    answered.append(number)
            except (OSError, http.client.HTTPException):
                pass  # it was killed

        writer = threading.Thread(target=write)
        writer.start()
        wait_for(lambda: len(answered) > 3)
        gate, again = start_again(gateway, gate)
        writer.join()
        admin, known = again, answered[-1] + 1
        there = [admin.done("GET", f"mappings/{half}").json()["max_timeout"] - 100 for half in halves]
        assert there[0] == there[1] and there[0] in (answered[-1] % 1000, known % 1000), (there, answered)


def test_changes_undone_in_reverse_leave_the_same_export(administered, members):
    gate, admin = administered()
    mapping = mapping_of(members(1))
    admin.done("PUT", "clients/dash", {})
    admin.done("PUT", "mappings/one", mapping | {"path": "/one", "clients": [{"name": "dash", "methods": ["GET"]}]})
    before = admin.done("GET", "export").body
    first = admin.done("GET", "revisions?limit=1").json()["items"][0]["number"]
    admin.done("PUT", "mappings/two", mapping | {"path": "/two", "timeout": 0.9})
    admin.done("DELETE", "clients/dash", If_Match="*")
    admin.done("PATCH", "mappings/one", {"timeout": 7}, If_Match="*")
    admin.done("DELETE", "mappings/two", If_Match="*")
    last = admin.done("GET", "revisions?limit=1").json()["items"][0]["number"]
    other = admin.done("GET", "export").body
    assert other != before
    refused = admin.ask("POST", f"revisions/{first + 1}/undo")
    assert refused.status == 409 and refused.json()["depends"][-1]["revision"] == last, refused
    for number in range(last, first, -1):
        admin.done("POST", f"revisions/{number}/undo")
    assert admin.done("GET", "export").body == before
    admin.done("PUT", "import", json.loads(other), If_Match="*")
    assert admin.done("GET", "export").body == other


def test_what_is_stored_and_cannot_be_read_is_said_and_read_at_a_reload(administered, gateway, members):
    gate, admin = administered()
    admin.done("PUT", "mappings/lights", mapping_of(members(1), timeout=1))
    items = gate.file.parent / "state" / "castgate.items.db"
    good = items.read_bytes()
    end_at_once(gate)
    items.write_bytes(b"no database" * 100)
    gate = gateway(gate.settings | {"state": str(items.parent)})
    admin = Admin(gate)
    ready = gate.request("/readyz", to=gate.admin)
    assert ready.status == 503 and b"what is stored is not in use" in ready.body, ready
    assert admin.ask("PUT", "clients/dash", {}).status == 503
    for method, path in (("GET", "export"), ("PUT", "clients/dash?dry_run=true")):  # nothing would look as if nothing were stored
        reply = admin.ask(method, path, None if method == "GET" else {})
        assert reply.status == 503 and "what is stored is not in use" in reply.json()["detail"], reply
    assert status(gate, "/lights/status") == 404
    items.write_bytes(good)
    gate.reload(gate.settings)
    wait_for(lambda: status(gate, "/lights/status") == 200)
    assert gate.request("/readyz", to=gate.admin).status == 200
    admin.done("PUT", "clients/dash", {})


def test_a_grant_that_is_taken_ends_what_runs_by_it(administered, members):
    gate, admin = administered(limits={"exchanges_per_client": 4})
    fleet = members(1, "--delay", "20000:20000")
    token = "dashboards"
    granted = mapping_of(fleet, timeout=60, max_timeout=60, finish="deadline")
    admin.done("PUT", "clients/dash", {"token_sha256": hashlib.sha256(token.encode()).hexdigest()})
    admin.done("PUT", "mappings/lights", granted | {"clients": [{"name": "dash", "methods": ["GET"]}]})
    seen = []

    def ask():
        seen.append(gate.request("/lights/status", headers={"Authorization": f"Bearer {token}"}))
        seen.append(time.monotonic())

    asker = threading.Thread(target=ask)
    asker.start()
    wait_for(lambda: admin.gate.request("/metrics", to=gate.admin).body.find(b"castgate_exchanges_running 1") > 0)
    admin.done("DELETE", "clients/dash", If_Match="*")
    gone = time.monotonic()
    asker.join(30)
    assert seen and seen[0].status in (401, 403) and seen[1] - gone < 5, seen
    assert admin.done("GET", "mappings/lights").json()["clients"] == []


def test_thousands_of_members_are_one_call(administered):
    gate, admin = administered()
    mapping = {"group": "coap://224.0.1.187:5690/", "security": "none", "timeout": 2, "membership": "complete"}
    listed = [{"name": f"lamp-{i}", "address": f"10.9.{i // 200}.{i % 200 + 1}:5683"} for i in range(8000)]
    admin.done("PUT", "mappings/hall", mapping | {"members": listed[:10]})
    wrong = admin.ask("PATCH", "mappings/hall", {"members": [*listed[:7999], {"name": "lamp-0", "address": "nowhere"}]}, If_Match="*")
    assert wrong.status == 400 and {one["pointer"] for one in wrong.json()["errors"]} == {
        "#/members/7999/name", "#/members/7999/address"}, wrong.body[:500]
    dry = admin.done("PATCH", "mappings/hall?dry_run=true", {"members": listed}, If_Match="*").json()
    assert dry["sends"][0]["expected"] == 8000 and dry["sends"][0]["datagrams"] == 1
    admin.done("POST", "changes", {"changes": [
        {"method": "PATCH", "path": "mappings/hall", "if_match": "*", "body": {"members": listed}}]})
    assert len(admin.done("GET", "mappings/hall").json()["members"]) == 8000
    shown = admin.done("GET", "members/lamp-7999")
    moved = admin.done("PATCH", "members/lamp-7999", {"address": "10.8.0.1"}, If_Match=shown.headers["ETag"])
    assert moved.json()["address"] == "10.8.0.1:5683" and moved.headers["ETag"] != shown.headers["ETag"]
    assert admin.ask("PATCH", "members/lamp-7999", {"mappings": []}, If_Match=shown.headers["ETag"]).status == 412
    latest = admin.done("GET", "revisions?limit=1").json()["items"][0]
    assert latest["operation"] == "members.patch" and latest["target"] == "members/lamp-7999"
    admin.done("POST", f"revisions/{latest['number']}/undo")
    assert admin.done("GET", "members/lamp-7999").json() == shown.json()
