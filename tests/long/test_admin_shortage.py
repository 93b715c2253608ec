"""No memory on the admin side: each single allocation of what administrators ask fails once. They are refused or served, nothing
is changed by half, and the next one is served."""

import http.client
import json
import time

import pytest

from conftest import Gateway, plain_mapping
from preloaded import Shortage
from test_admin_changes import ROOT, TOKEN
from probe import wait_for
from test_shortage import IN_A_ROW, every_allocation

REFUSED = {503, None}  # None: no room even for a reply, so the connection ends without one
DISCOVERY_S = 1


class Administered:
    """As test_shortage's session, with nothing but an administrator, clients and two mappings of one group."""

    over_tls = False

    def __init__(self, tmp_path, members):
        self.folder, self.shortage, self.gate, self.turn = tmp_path, Shortage(tmp_path), None, 0
        self.said = None  # in the latest reply
        fleet = members(3, bind="127.1.0.1")
        seal = tmp_path / "seal"
        seal.write_bytes(bytes(range(32)))
        seal.chmod(0o600)
        self.settings = {"seal_key": str(seal), "clients": {**ROOT, "eye": {"role": "viewer"}},
                         "mappings": [plain_mapping(fleet), plain_mapping(fleet, "locks")]}
        self.group = fleet.group

    def start(self):
        settings = self.settings
        if self.gate is not None:  # one that has ended: with what it stored
            state = self.gate.file.parent / self.gate.settings["state"]
            settings = self.gate.settings | {"state": str(state)}
        with self.shortage.environment():
            self.gate = Gateway(settings, self.folder / f"gate-{self.turn}")
        self.gate.wait()
        wait_for(lambda: "event=ready " in self.gate.log())

    def stop(self):
        self.shortage.cancel()
        assert self.gate.stop() == 0, self.gate.log()[-3000:]

    def ask(self, method, path, body=None, **headers):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **headers}
        return self.gate.request(f"/admin/v1/{path}", method, headers, data, to=self.gate.admin)

    def asked(self, method, path, body=None, **headers):
        """The status, or None where there was no reply."""
        self.said = None
        try:
            reply = self.ask(method, path, body, **headers)
        except (ConnectionError, http.client.HTTPException):
            return None
        self.said = reply.body
        return reply.status

    def listed(self, path):
        return self.ask("GET", path).json()["items"]

    def mapping(self, name, timeout):
        return {"path": f"/{name}", "group": self.group.uri, "security": "none", "clients": ["eye"], "timeout": timeout}

    def timeouts(self, *names):
        """Of stored mappings; None: there is none."""
        replies = [self.ask("GET", f"mappings/{name}") for name in names]
        assert all(reply.status in (200, 404) for reply in replies), replies
        return [reply.json()["timeout"] if reply.status == 200 else None for reply in replies]


@pytest.fixture
def session(tmp_path, members):
    made = Administered(tmp_path, members)
    made.start()
    yield made
    made.stop()


def get(path):
    return lambda s: s.asked("GET", path)


def make_token(session):
    """One more, or none; then there is room for the next."""
    status = session.asked("POST", "clients/eye/tokens", {"label": "x", "lasts": 600})
    session.shortage.cancel()
    new = [one["id"] for one in session.listed("clients/eye/tokens")]
    assert len(new) == 1 if status == 201 else len(new) <= (status is None), (status, session.said, new)
    for one in new:
        assert session.ask("DELETE", f"clients/eye/tokens/{one}").status == 204
    return status


def check_change(session, status, before, wanted, *names):
    """All of it or nothing; who got no reply does not know which."""
    session.shortage.cancel()
    said, seen = session.said, session.timeouts(*names)
    if status is None:
        assert seen in (before, wanted), (before, wanted, seen)
    else:
        assert seen == (before if status == 503 else wanted), (status, said, before, wanted, seen)
    session.known = seen


def put(session):
    """A mapping, another one each time."""
    session.turn += 1
    before, wanted = getattr(session, "known", [None]), [1 + session.turn % 50]
    status = session.asked("PUT", "mappings/x", session.mapping("x", wanted[0]), **{"If-Match": "*"} if before[0] else {})
    check_change(session, status, before, wanted, "x")
    return 200 if status == 201 else status


def change_two(session):
    """In one revision."""
    session.turn += 1
    before, timeout = getattr(session, "known", [None, None]), 1 + session.turn % 50
    match = {"if_match": "*"} if before[0] else {}
    changes = [{"method": "PUT", "path": f"mappings/{name}", **match, "body": session.mapping(name, timeout)} for name in ("x", "y")]
    status = session.asked("POST", "changes", {"changes": changes})
    check_change(session, status, before, [timeout, timeout], "x", "y")
    return status


def make_group(session):
    """Its keys, dry: nothing is claimed."""
    return session.asked("POST", "security-groups?dry_run=true", {"name": "made", "members": 2})


def discover(session):
    """To its end; then there is room for the next."""
    status = session.asked("POST", "discovery", {"group": session.group.uri, "seconds": DISCOVERY_S, "filter": "rt=x"})
    time.sleep(DISCOVERY_S + 0.2)
    session.shortage.cancel()
    for one in session.listed("discovery"):
        assert one["state"] in ("done", "too-large", "running"), one
        assert session.ask("DELETE", f"discovery/{one['id']}").status == 204
    return status


def watch_events(session):
    """Its head; what is told then is asked for by the next one."""
    session.said = None
    connection = http.client.HTTPConnection(*session.gate.admin, timeout=10)
    try:
        connection.request("GET", "/admin/v1/events", headers={"Authorization": f"Bearer {TOKEN}"})
        return connection.getresponse().status
    except (ConnectionError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def try_it(query):
    return lambda s: s.asked("POST", f"try{query}", {"mapping": "lights", "path": "status"})


def put_dry(session):
    return session.asked("PUT", "mappings/x?dry_run=true", session.mapping("x", 1))


def import_dry(session):
    body = {"version": 1, "mappings": [{"name": name, **session.mapping(name, 1)} for name in ("x", "y")]}
    return session.asked("PUT", "import?dry_run=true", body)


ACTIONS = {
    "token": (make_token, 201),
    "tokens": (get("clients/eye/tokens"), 200),
    "members": (get("members"), 200),
    "mappings": (get("mappings"), 200),
    "mapping": (get("mappings/lights"), 200),
    "revisions": (get("revisions"), 200),
    "audit": (get("audit"), 200),
    "export": (get("export"), 200),
    "warnings": (get("warnings"), 200),
    "exchanges": (get("exchanges"), 200),
    "discoveries": (get("discovery"), 200),
    "discovery": (discover, 201),
    "put": (put, 200),
    "changes": (change_two, 200),
    "dry put": (put_dry, 200),
    "dry import": (import_dry, 200),
    "dry group": (make_group, 200),
    "try": (try_it(""), 200),
    "dry try": (try_it("?dry_run=true"), 200),
    "events": (watch_events, 200),
}


@pytest.mark.parametrize("more, step", [(0, 1), (IN_A_ROW, 3)], ids=["one", "several"])
@pytest.mark.parametrize("name", ACTIONS)
def test_an_administrator_without_memory_is_refused_and_the_next_one_served(session, name, more, step):
    act, good = ACTIONS[name]

    def check(status, reached):
        assert status in ({good} | REFUSED if reached else {good}), (status, session.said)

    assert act(session) == good, session.said  # and whatever is made once has been made
    count = every_allocation(session, lambda nth: act(session), check, more, step)
    print(f"{name}: {count} allocations")
    assert count >= 5
