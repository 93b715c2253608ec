"""What runs by a right ends within a second of it: collecting, observing and watching events, whichever way the right goes. And what no
answer, no file and no log line ever has: a token, a key."""

import json
import time
from pathlib import Path

import pytest

from probe import wait_for
from test_admin_access import Stream, ends_within_a_second
from test_admin_changes import ROOT, TOKEN, Admin, mapping_of
from test_admin_groups import administered, hosts, lights  # fixtures

VIEWER = "eye"
STREAM = {"Accept": "text/event-stream", "Multicast-Timeout": "25"}


def open_stream(gate, kind, token):
    """Its first event has come, or, of events, its first line."""
    if kind == "events":
        return Stream(gate.admin, "/admin/v1/events", token)
    return Stream(gate.http, "/lights/status", token, {"Prefer": "observe"} if kind == "observes" else {})


def revoke(admin, made):
    admin.done("DELETE", f"clients/{VIEWER}/tokens/{made['id']}")


def delete_client(admin, made):
    admin.done("DELETE", f"clients/{VIEWER}", If_Match="*")


def take_grant(admin, made):
    admin.done("PATCH", "mappings/lights", {"clients": []}, If_Match="*")


def take_method(admin, made):
    admin.done("PATCH", "mappings/lights", {"clients": [{"name": VIEWER, "methods": ["FETCH"]}]}, If_Match="*")


def take_role(admin, made):
    admin.done("PATCH", f"clients/{VIEWER}", {"role": None}, If_Match="*")


def import_nothing(admin, made):
    admin.done("PUT", "import", {"version": 1}, If_Match="*")


ENDS = [(kind, how) for kind in ("collects", "observes") for how in (revoke, delete_client, take_grant, take_method, import_nothing)]
ENDS += [("events", how) for how in (revoke, delete_client, take_role, import_nothing)]


@pytest.mark.parametrize("kind, how", ENDS)
def test_what_runs_by_a_right_ends_with_it(gateway, members, kind, how):
    gate = gateway({"clients": ROOT})
    admin, fleet = Admin(gate), members(2)
    admin.done("PUT", f"clients/{VIEWER}", {"role": "viewer"})
    admin.done("PUT", "mappings/lights", mapping_of(fleet, clients=[VIEWER], methods=["GET", "FETCH"], max_timeout=60, finish="deadline"))
    made = admin.done("POST", f"clients/{VIEWER}/tokens", {}).json()
    stream = open_stream(gate, kind, made["token"])
    try:
        wait_for(lambda: stream.lines if kind == "events" else stream.lines.count("event: answer") == 2)
        time.sleep(0.1)
        assert stream.ended is None
        began = time.monotonic()
        how(admin, made)
        ends_within_a_second(stream, began)
    finally:
        stream.close()


# --- what is told nowhere


def documents_of(admin):
    """Every answer to a GET: the collections, their items and what is below these, as the API's own description names them."""
    paths = [path for path, methods in admin.done("GET", "openapi.json")["paths"].items() if "get" in methods]
    names = {"mappings": ["lights"], "clients": ["root", VIEWER], "security-groups": ["lights"]}
    for path in paths:
        if path == "/events" or path.endswith("/file"):  # the one goes on, the other is the secret's way out, once
            continue
        collection = path.split("/")[1]
        if collection == "revisions":
            names["revisions"] = [str(one["number"]) for one in admin.done("GET", "revisions?limit=1000")["items"]]
        if collection == "exchanges":
            names["exchanges"] = [one["id"] for one in admin.done("GET", "exchanges")["items"]]
        for name in names.get(collection, ["x"]) if "{" in path else [""]:
            whole = path.replace("{name}", name).replace("{n}", name).replace("{id}", name)
            yield whole, admin.ask("GET", whole[1:]).body


def secrets_of(given, token):
    yield from (token, TOKEN)
    for file in given:
        for text in (file["common"]["master_secret"], file["self"]["private_key"]):
            yield text
            yield bytes.fromhex(text)


def test_a_secret_is_told_once_and_is_then_nowhere(lights):
    gate, admin, members = lights
    admin.done("PUT", f"clients/{VIEWER}", {"role": "viewer"})
    made = admin.done("POST", f"clients/{VIEWER}/tokens", {})
    watching = Stream(gate.admin, "/admin/v1/events", made["token"])
    given = [json.loads(one.keys.read_text()) for one in members.values()]
    admin.done("POST", "security-groups/lights/prepare-rekey", {})
    admin.done("PATCH", "mappings/lights", {"timeout": 3}, If_Match="*")
    assert admin.done("POST", "try", {"mapping": "lights", "method": "GET", "path": "/status"})["summary"]["answered"] == 2
    dry = [admin.ask("DELETE", f"{path}?dry_run=true", If_Match="*").body for path in ("mappings/lights", f"clients/{VIEWER}")]
    dry.append(admin.ask("PUT", "import?dry_run=true", {"version": 1}).body)
    said = dict(documents_of(admin))
    assert len(said) > 30 and b"prepare" in said["/audit"] and json.loads(said["/exchanges"])["items"]
    said |= {"dry run": b"".join(dry), "events": "\n".join(watching.lines).encode(), "log": gate.log().encode()}
    said |= {str(file): file.read_bytes() for file in Path(gate.settings["state"]).rglob("*") if file.is_file()}
    admin.done("DELETE", f"clients/{VIEWER}/tokens/{made['id']}")
    wait_for(lambda: watching.ended is not None)
    watching.close()
    for secret in secrets_of(given, made["token"]):
        raw = secret if isinstance(secret, bytes) else secret.encode()
        assert [where for where, text in said.items() if raw in text] == []
