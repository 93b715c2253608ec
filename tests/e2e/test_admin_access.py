"""Who may on the admin side: roles, tokens that are made, revoked and expire, the first one, and who guesses. What runs by a token ends
within a second of its end, whichever way it runs."""

import hashlib
import http.client
import json
import subprocess
import threading
import time

import pytest

from conftest import BUILD, plain_mapping
from probe import wait_for

ROOT = "/admin/v1"


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


CLIENTS = {"boss": {"role": "admin", "token_sha256": [digest("boss"), digest("boss-2")]},
           "hand": {"role": "operator", "token_sha256": digest("hand")},
           "eye": {"role": "viewer", "token_sha256": digest("eye")},
           "nobody": {"token_sha256": digest("nobody")}}


def ask(gate, method, path, token="boss", body=None, headers=None):
    headers = {"Authorization": f"Bearer {token}"} | (headers or {}) if token else dict(headers or {})
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    return gate.request(ROOT + path, method, headers, body, to=gate.admin)


def state_of(gate):
    return gate.file.parent / gate.settings["state"]


def new_token(gate, client, **terms):
    reply = ask(gate, "POST", f"/clients/{client}/tokens", body=terms)
    assert reply.status == 201, reply
    made = reply.json()
    assert reply.headers["Location"] == f"{ROOT}/clients/{client}/tokens/{made['id']}"
    return made


class Stream:
    """A streamed reply, read by a thread: `lines` as they come, `ended` when it is over."""

    def __init__(self, address, path, token, more=None):
        self.connection = http.client.HTTPConnection(*address, timeout=30)
        headers = {} if path.startswith(ROOT) else {"Accept": "text/event-stream", "Multicast-Timeout": "25"}
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {token}", **headers, **(more or {})})
        self.response = self.connection.getresponse()
        self.lines, self.ended = [], None
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for line in self.response:
                self.lines.append(line.decode().rstrip("\n"))
        except (OSError, http.client.HTTPException, AttributeError):  # the last: closed by the test meanwhile
            pass
        self.ended = time.monotonic()

    def close(self):
        self.connection.close()

    def events(self, name):
        return [json.loads(data[6:]) for kind, data in zip(self.lines, self.lines[1:]) if kind == f"event: {name}"]


@pytest.fixture
def stream():
    opened = []

    def open_one(*arguments):
        opened.append(Stream(*arguments))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def ends_within_a_second(stream, began):
    wait_for(lambda: stream.ended is not None)
    assert stream.ended - began < 1.5, stream.ended - began  # a second, and what a busy machine takes


@pytest.mark.parametrize("token, statuses", [("boss", (200, 201, 201)), ("boss-2", (200, 201, 201)), ("hand", (200, 201, 403)),
                                             ("eye", (200, 403, 403)), ("nobody", (403, 403, 403)), ("wrong", (401, 401, 401)),
                                             (None, (401, 401, 401))])
def test_what_each_role_may(gateway, group, token, statuses):
    gate = gateway({"clients": CLIENTS})
    got = (ask(gate, "GET", "/members", token).status,
           ask(gate, "POST", "/discovery", token, {"group": group.uri, "seconds": 1}).status,
           ask(gate, "POST", "/clients/eye/tokens", token).status)
    assert got == statuses


@pytest.mark.parametrize("token,role", [("boss", "admin"), ("boss-2", "admin"), ("hand", "operator"), ("eye", "viewer")])
def test_who_asks_is_told_which_client_and_role_that_is(gateway, token, role):
    gate = gateway({"clients": CLIENTS})
    reply = ask(gate, "GET", "/session", token)
    assert (reply.status, reply.json()) == (200, {"client": token.removesuffix("-2"), "role": role})
    assert ask(gate, "GET", "/session", "nobody").status == 403


def test_a_token_is_said_once_and_is_good_until_it_is_revoked(gateway):
    gate = gateway({"clients": CLIENTS})
    made = new_token(gate, "eye", label="phone")
    assert (made["client"], made["label"], made["expires"], made["expired"], made["made_by"]) == ("eye", "phone", None, False, "boss")
    listed = ask(gate, "GET", "/clients/eye/tokens", "eye").json()
    assert listed == {"items": [{key: value for key, value in made.items() if key != "token"}], "next": None}
    assert ask(gate, "GET", "/members", made["token"]).status == 200
    assert ask(gate, "DELETE", f"/clients/eye/tokens/{made['id']}", made["token"]).status == 403
    assert ask(gate, "DELETE", f"/clients/hand/tokens/{made['id']}").status == 404
    assert ask(gate, "DELETE", f"/clients/eye/tokens/{made['id']}").status == 204
    assert ask(gate, "GET", "/members", made["token"]).status == 401
    assert ask(gate, "DELETE", f"/clients/eye/tokens/{made['id']}").status == 404
    assert ask(gate, "GET", "/members", "eye").status == 200


@pytest.mark.parametrize("body, pointers", [
    ({"label": 7}, ["#/label"]), ({"label": "x" * 129}, ["#/label"]), ({"expires": "tomorrow"}, ["#/expires"]),
    ({"expires": "2001-01-01T00:00:00Z"}, ["#/expires"]), ({"lasts": 0}, ["#/lasts"]),
    ({"lasts": 5, "expires": "2100-01-01T00:00:00Z"}, ["#/lasts"]), ({"x": 1, "lasts": "1"}, ["#/x", "#/lasts"])])
def test_what_is_no_order_of_a_token(gateway, body, pointers):
    gate = gateway({"clients": CLIENTS})
    reply = ask(gate, "POST", "/clients/eye/tokens", body=body)
    assert reply.status == 400 and reply.json()["type"].endswith("invalid")
    assert [mistake["pointer"] for mistake in reply.json()["errors"]] == pointers
    assert ask(gate, "GET", "/clients/eye/tokens").json()["items"] == []


def test_no_client_has_more_tokens_than_may_be(gateway):
    gate = gateway({"clients": CLIENTS})
    for _ in range(16):
        new_token(gate, "eye")
    assert ask(gate, "POST", "/clients/eye/tokens").status == 409
    assert ask(gate, "POST", "/clients/hand/tokens").status == 201
    assert ask(gate, "POST", "/clients/missing/tokens").status == 404


def test_what_runs_by_a_token_ends_with_it(gateway, members, stream):
    """A stream of answers and a stream of events, by two tokens of one client: each ends with its own."""
    fleet = members(2)
    gate = gateway({"clients": CLIENTS, "mappings": [plain_mapping(fleet, clients=["eye"], max_timeout=60, finish="deadline")]})
    answers, events = new_token(gate, "eye"), new_token(gate, "eye")
    running = stream(gate.http, "/lights/status", answers["token"])
    watching = stream(gate.admin, ROOT + "/events", events["token"])
    wait_for(lambda: len([line for line in running.lines if line == "event: answer"]) == 2)
    wait_for(lambda: watching.lines)
    assert running.ended is None
    began = time.monotonic()
    assert ask(gate, "DELETE", f"/clients/eye/tokens/{answers['id']}").status == 204
    ends_within_a_second(running, began)
    time.sleep(0.6)
    assert watching.ended is None and watching.events("change")[-1]["operation"] == "tokens.delete"
    began = time.monotonic()
    assert ask(gate, "DELETE", f"/clients/eye/tokens/{events['id']}").status == 204
    ends_within_a_second(watching, began)


def test_what_runs_by_a_token_ends_when_it_expires(gateway, members, stream):
    fleet = members(2)
    gate = gateway({"clients": CLIENTS, "mappings": [plain_mapping(fleet, clients=["eye"], max_timeout=60, finish="deadline")]})
    made = new_token(gate, "eye", lasts=3)
    began = time.monotonic()
    running, watching = stream(gate.http, "/lights/status", made["token"]), stream(gate.admin, ROOT + "/events", made["token"])
    wait_for(lambda: running.ended is not None and watching.ended is not None)
    assert 1 < running.ended - began < 5 and 1 < watching.ended - began < 5
    assert ask(gate, "GET", "/members", made["token"]).status == 401
    assert "has expired" in gate.request("/lights/status", headers={"Authorization": f"Bearer {made['token']}"}).json()["detail"]
    assert ask(gate, "GET", "/clients/eye/tokens").json()["items"][0]["expired"] is True


def test_events_go_on_where_a_reader_was(gateway, stream):
    gate = gateway({"clients": CLIENTS})
    first = stream(gate.admin, ROOT + "/events", "eye")
    wait_for(lambda: first.lines)
    made = new_token(gate, "hand")
    wait_for(lambda: first.events("change"))
    seen = [line[4:] for line in first.lines if line.startswith("id: ")][-1]
    first.close()
    ask(gate, "DELETE", f"/clients/hand/tokens/{made['id']}")
    reply = http.client.HTTPConnection(*gate.admin, timeout=10)
    reply.request("GET", ROOT + "/events", headers={"Authorization": "Bearer eye", "Last-Event-ID": seen})
    response = reply.getresponse()
    assert response.headers["Content-Type"] == "text/event-stream"
    lines = [response.readline().decode() for _ in range(5)]
    assert lines[0].startswith(":") and lines[3] == "event: change\n"
    assert json.loads(lines[4][6:])["operation"] == "tokens.delete"
    reply.close()
    other = http.client.HTTPConnection(*gate.admin, timeout=10)
    other.request("GET", ROOT + "/events", headers={"Authorization": "Bearer eye", "Last-Event-ID": "00000000-7"})
    assert other.getresponse().read(100).count(b"event: gap") == 1
    other.close()


def test_guessing_is_slowed_and_locks_nobody_out(gateway):
    gate = gateway({"clients": CLIENTS})
    statuses = [ask(gate, "GET", "/members", f"guess-{i}").status for i in range(40)]
    assert statuses[:32] == [401] * 32 and statuses.count(429) >= 5
    slowed = ask(gate, "GET", "/members", "guess")
    assert slowed.status == 429 and int(slowed.headers["Retry-After"]) >= 1
    assert ask(gate, "GET", "/members").status == 200
    assert ask(gate, "GET", "/members", None).status == 401


# The first token


def admin_token(gate):
    return state_of(gate) / "admin.token"


def test_the_first_token_is_there_until_another_admin_comes(gateway):
    gate = gateway({})
    wait_for(lambda: admin_token(gate).exists() and "there was no admin" in gate.log())
    assert admin_token(gate).stat().st_mode & 0o777 == 0o600
    first = admin_token(gate).read_text().strip()
    assert ask(gate, "GET", "/members", first).status == 200
    assert admin_token(gate).exists()
    made = ask(gate, "POST", "/clients/admin/tokens", first).json()
    assert ask(gate, "GET", "/members", made["token"]).status == 200
    wait_for(lambda: not admin_token(gate).exists())
    assert ask(gate, "GET", "/members", first).status == 200
    assert first not in gate.log() and made["token"] not in gate.log()


def test_no_first_token_where_there_is_an_admin(gateway):
    gate = gateway({"clients": CLIENTS})
    assert ask(gate, "GET", "/members").status == 200
    assert not admin_token(gate).exists()


def test_the_first_token_counts_when_it_can_be_found(gateway):
    """Whoever waits for the file uses what is in it at once; R5."""
    for _ in range(10):
        gate = gateway({})
        while not admin_token(gate).exists():
            pass
        assert ask(gate, "GET", "/mappings", admin_token(gate).read_text().strip()).status == 200


@pytest.mark.parametrize("counts", [True, False])
def test_a_first_token_that_was_not_finished(gateway, counts):
    """It gets its name at the next start where it counts, and goes where it does not."""
    gate = gateway({})
    wait_for(lambda: admin_token(gate).exists())
    gate.stop()
    pending = admin_token(gate).rename(admin_token(gate).with_suffix(".token.pending"))
    if not counts:
        pending.write_text("not-a-token-of-anybody\n")
    gateway({"state": str(state_of(gate))})
    wait_for(lambda: not pending.exists())
    assert admin_token(gate).exists() == counts


def new_admin_token(gate):
    done = subprocess.run([BUILD / "castgate", "-c", gate.file, "--new-admin-token"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_access_is_recovered_beside_the_gateway_and_without_it(gateway):
    gate = gateway({"clients": {"admin": {"token_sha256": digest("no role")}}})
    wait_for(lambda: "there was no admin" in gate.log())
    beside = new_admin_token(gate)
    assert ask(gate, "GET", "/members", beside).status == 200
    labels = {item["label"] for item in ask(gate, "GET", "/clients/admin-2/tokens", beside).json()["items"]}
    assert labels == {"first token", "new admin token"}
    assert gate.stop() == 0
    alone = new_admin_token(gate)
    again = gateway(gate.settings | {"state": str(state_of(gate))})
    for token in (beside, alone):
        assert ask(again, "GET", "/members", token).status == 200
    assert ask(again, "GET", "/members", "no role").status == 403


def test_no_token_is_kept_or_told_anywhere(gateway, stream):
    gate = gateway({"clients": CLIENTS})
    watching = stream(gate.admin, ROOT + "/events", "eye")
    made = new_token(gate, "hand", label="secret-free")
    wait_for(lambda: watching.events("change"))
    said = [reply.body.decode() for reply in (ask(gate, "GET", path) for path in ("/clients/hand/tokens", "/openapi.json"))]
    said += ["\n".join(watching.lines), gate.log()]
    kept = [file.read_bytes() for file in state_of(gate).iterdir() if file.is_file()]
    assert not any(made["token"] in text for text in said) and not any(made["token"].encode() in text for text in kept)
    assert any(digest(made["token"]).encode() in text for text in kept)


# Members and discovery


def test_members_are_shown_by_name_and_forgotten(gateway, members):
    fleet = members(3)
    names = ["lamp-a", "lamp-b", "lamp-c"]
    listed = [{"name": n, "address": a} for n, a in zip(names, fleet.texts)]
    gate = gateway({"clients": CLIENTS, "mappings": [plain_mapping(fleet, members=listed)]})
    assert len(gate.get_json("/lights/status")["answers"]) == 3
    page = ask(gate, "GET", "/members?limit=2", "eye").json()
    assert [item["name"] for item in page["items"]] == names[:2]
    rest = ask(gate, "GET", f"/members?limit=2&cursor={page['next']}", "eye").json()
    assert [item["name"] for item in rest["items"]] == names[2:] and rest["next"] is None
    lamp = page["items"][1]
    assert (lamp["configured"], lamp["address"], lamp["mappings"], lamp["security_groups"]) == (True, fleet.texts[1], ["lights"], [])
    assert lamp["last_seen"] and lamp["heard"][0]["addresses"] == [fleet.texts[1]]
    assert ask(gate, "DELETE", "/members/lamp-b", "hand").status == 403
    assert ask(gate, "DELETE", "/members/lamp-b").status == 204
    assert ask(gate, "DELETE", "/members/lamp-b").status == 404
    again = ask(gate, "GET", "/members").json()["items"][1]
    assert (again["name"], again["heard"], again["last_seen"]) == ("lamp-b", [], None)


def test_a_discovery_is_begun_read_and_ended(gateway, members):
    fleet = members(3)
    gate = gateway({"clients": CLIENTS, "mappings": [plain_mapping(fleet)]})
    begun = ask(gate, "POST", "/discovery", "hand", {"mapping": "lights", "seconds": 2})
    assert begun.status == 201 and begun.json()["state"] == "running"
    path = begun.headers["Location"][len(ROOT):]
    wait_for(lambda: ask(gate, "GET", path, "eye").json()["state"] == "done")
    found = ask(gate, "GET", path, "eye").json()
    assert {node["from"] for node in found["nodes"]} == set(fleet.texts) and found["summary"]["answered"] == 3
    assert [item["id"] for item in ask(gate, "GET", "/discovery", "eye").json()["items"]] == [found["id"]]
    assert ask(gate, "DELETE", path, "hand").status == 204
    assert ask(gate, "GET", path).status == 404
    wrong = ask(gate, "POST", "/discovery", body={"mapping": "missing", "group": "x"})
    assert wrong.status == 400 and {mistake["pointer"] for mistake in wrong.json()["errors"]} == {"#/group"}
