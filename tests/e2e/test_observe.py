"""Watching a group over HTTP: one observation upstream however many watch, each told every member's latest first, and what ends it."""

import json
import shutil
import signal
import time

import pytest

import coap
from coap import OBSERVE, PUT
from conftest import plain_mapping
from probe import Tap, metrics, wait_for
from protected import AUTHORIZED, Keys, ProtectedMembers, make_state, settings
from test_sse import Stream

LIGHTS = "/lights/light"


class Watch(Stream):
    """A client that observes: what it hears of each member by name, the latest last."""

    def __init__(self, gateway, path=LIGHTS, more="", **others):
        super().__init__(gateway, path, more="Prefer: observe\r\n" + more, **others)
        self.head()
        self.heard, self.summary = [], None

    def step(self):
        event = self.next()
        if event is None:
            return False
        kind, data = event
        if kind == "answer":
            self.heard.append(data)
        elif kind == "summary":
            self.summary = data["summary"]
        return True

    @property
    def latest(self):
        return {answer["member"]: answer.get("body", answer["code"]) for answer in self.heard}

    def until(self, what, seconds=20):
        """Hears on until what(self) is so."""
        end = time.monotonic() + seconds
        self.socket.settimeout(seconds)
        while not what(self):
            assert time.monotonic() < end and self.step(), (self.latest, self.summary)
        return self

    def until_latest(self, *values, **more):
        return self.until(lambda w: sorted(w.latest.values()) == sorted(values), **more)

    def quiet_for(self, seconds):
        """Nothing but comments comes in that time."""
        before, end = len(self.heard), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                assert self.step()
            except TimeoutError:
                break
        assert len(self.heard) == before, self.heard[before:]

    def to_the_end(self):
        self.socket.settimeout(20)
        while self.step():
            pass
        return self


@pytest.fixture
def watch():
    """watch(gateway, …): a client, gone at the end of the test."""
    started = []

    def start(*args, **more):
        started.append(Watch(*args, **more))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def lights(gateway, members):
    """lights(count, …): a gateway before that many plain members; both."""

    def start(count=3, *arguments, gate=None, **more):
        fleet = members(count, *arguments)
        return gateway({"group": {"interface": "lo", "nstart": 100, "probing_rate": 1000000},
                        "mappings": [plain_mapping(fleet, timeout=1, **more)], **(gate or {})}), fleet

    return start


def put(endpoint, member, value):
    """At that member alone."""
    answer = endpoint.request(member, "/light", PUT, payload=value.encode(), options=[(coap.CONTENT_FORMAT, b"")])
    assert answer is not None and answer.code_text == "2.04"


def put_all(endpoint, group, value):
    endpoint.send(group.destination, "/light", PUT, payload=value.encode(), options=[(coap.CONTENT_FORMAT, b"")])


def registrations(tap):
    return [(p.message.token, p.message.uint(OBSERVE)) for p in tap.packets() if p.message.uint(OBSERVE) is not None]


# --- what is watched


def test_changes_are_events(lights, watch, endpoint, group):
    gate, fleet = lights()
    one = watch(gate)
    assert one.status == 200
    assert (one.headers["preference-applied"], one.headers["vary"]) == ("observe", "Prefer")
    assert (one.headers["content-type"], one.headers["x-accel-buffering"]) == ("text/event-stream", "no")
    one.until_latest("off", "off", "off")
    assert all(answer["notification"] is True for answer in one.heard)
    time.sleep(1.2)  # the time in which first answers count is over
    put(endpoint, fleet.addresses[1], "on")
    one.until_latest("off", "on", "off")
    assert (one.heard[-1]["member"], one.heard[-1]["body"]) == (fleet.texts[1], "on")
    put_all(endpoint, group, "dim")
    one.until_latest("dim", "dim", "dim")


def test_many_watch_and_the_group_is_asked_once(lights, watch, endpoint, group):
    with Tap(group) as tap:
        gate, fleet = lights()
        first = watch(gate).until_latest("off", "off", "off")
        put(endpoint, fleet.addresses[0], "on")
        first.until_latest("on", "off", "off")
        others = [watch(gate).until_latest("on", "off", "off") for _ in range(5)]  # told at once what is so
        put(endpoint, fleet.addresses[2], "on")
        for one in [first, *others]:
            one.until_latest("on", "off", "on")
        assert [order for _, order in registrations(tap)] == [0]
    assert all(len(one.heard) == 4 for one in others)


def test_the_members_forget_whoever_leaves(lights, watch, endpoint, group):
    with Tap(group) as tap:
        gate, fleet = lights()
        one, other = watch(gate), watch(gate)
        one.until_latest("off", "off", "off")
        other.until_latest("off", "off", "off")
        one.close()
        other.quiet_for(0.5)
        assert [order for _, order in registrations(tap)] == [0]
        other.close()
        wait_for(lambda: len(registrations(tap)) == 2)
        (token, begins), (same, ends) = registrations(tap)
        assert (begins, ends, same) == (0, 1, token)
    before = metrics(gate)
    put_all(endpoint, group, "on")
    time.sleep(0.5)
    fates = {name: value for name, value in metrics(gate).items() if name.startswith("castgate_datagram_fates_total")}
    assert fates == {name: before[name] for name in fates}  # nothing comes any more


def test_one_member_is_watched_alone(lights, watch, endpoint):
    gate, fleet = lights(stand_in="members")
    one = watch(gate, f"/lights/.member/{fleet.texts[1]}/light").until_latest("off")
    put(endpoint, fleet.addresses[0], "on")
    put(endpoint, fleet.addresses[1], "on")
    one.until_latest("on")
    assert {answer["member"] for answer in one.heard} == {fleet.texts[1]}


# --- the preference


@pytest.mark.parametrize("accept", ["application/json", "multipart/mixed", "*/*"])
def test_other_forms_know_no_changes(lights, accept):
    gate, fleet = lights()
    reply = gate.request(LIGHTS, headers={"Accept": accept, "Prefer": "observe"})
    assert reply.status == 200 and "Preference-Applied" not in reply.headers
    assert reply.summary["answered"] == 3


def test_fetch_may_observe_and_nothing_that_acts(lights, watch, group):
    gate, fleet = lights()
    with Tap(group) as tap:
        gate.request(LIGHTS, method="HEAD", headers={"Accept": "text/event-stream", "Prefer": "observe"})
        assert registrations(tap) == []
    with Tap(group) as tap, pytest.raises(TimeoutError):
        fetch = watch(gate, more="X-HTTP-Method-Override: FETCH\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n",
                      method="POST", body="x")
        assert fetch.headers["preference-applied"] == "observe"
        packet = tap.next().message
        assert (packet.code, packet.uint(OBSERVE), packet.payload) == (coap.FETCH, 0, b"x")
        fetch.socket.settimeout(0.1)
        while fetch.step():
            pass


def test_what_nobody_can_observe_ends_as_ever(lights, watch):
    gate, fleet = lights()
    one = watch(gate, "/lights/status").to_the_end()
    assert len(one.heard) == 3 and not any("notification" in answer for answer in one.heard)
    assert one.summary["ended_by"] == "deadline"


# --- its ends


def test_removing_its_token_ends_it_within_a_second(lights, watch, gateway, members):
    fleet = members(2)
    mapping = plain_mapping(fleet, timeout=1, clients=[{"name": "tester", "methods": ["GET"]}])
    clients = settings("state")["clients"]
    gate = gateway({"clients": clients, "mappings": [mapping]})
    one = watch(gate, more="".join(f"{name}: {value}\r\n" for name, value in AUTHORIZED.items()))
    one.until_latest("off", "off")
    time.sleep(1.2)
    gate.reload({**gate.settings, "clients": {"tester": {"token_sha256": "00" * 32}}})
    start = time.monotonic()
    one.to_the_end()
    assert time.monotonic() - start < 5
    assert one.summary["ended_by"] == "limit"


def test_the_end_of_the_gateway_ends_it(lights, watch):
    gate, fleet = lights()
    one = watch(gate).until_latest("off", "off", "off")
    time.sleep(1.2)
    assert gate.stop() == 0
    one.to_the_end()
    assert one.summary["ended_by"] == "limit"


def test_the_limit_names_itself(lights, watch):
    gate, fleet = lights(gate={"limits": {"observers": 2}})
    one = watch(gate).until_latest("off", "off", "off")
    reply = gate.request(LIGHTS, headers={"Accept": "text/event-stream", "Prefer": "observe"})
    assert (reply.status, reply.headers["Content-Type"]) == (503, "application/problem+json")
    assert "limits.observers" in reply.json()["detail"] and reply.headers["Retry-After"]
    assert gate.request(LIGHTS, headers={"Accept": "application/json"}).status == 200  # whoever does not observe is served
    one.close()
    wait_for(lambda: watch_once(gate))


def watch_once(gate):
    """Whether there is room for one that observes."""
    one = Watch(gate)
    one.close()
    return one.status == 200


# --- protected


@pytest.fixture
def floor(gateway, group, tmp_path):
    """floor(…): a gateway before protected members; gateway, members, keys."""
    fleets = []

    def start(count=3, *arguments, keys=None, **more):
        keys = keys or Keys(tmp_path / "keys", count, group.port)
        fleets.append(ProtectedMembers(keys, group, count, "127.1.0.1", arguments, tmp_path / "members.log"))
        state = make_state(tmp_path / "state", keys)
        gate = gateway(settings(state, (group, keys, {"timeout": 1, **more})))
        wait_for(lambda: gate.request("/readyz", to=gate.admin).status == 200)
        return gate, fleets[-1], keys

    yield start
    for fleet in fleets:
        assert fleet.stop() == 0, fleet.log()


def switch(gate, value, path=LIGHTS):
    reply = gate.request(path, "PUT", headers={**AUTHORIZED, "Content-Type": "text/plain", "Accept": "application/json"},
                         body=value.encode())
    assert reply.status == 200, reply.body
    return reply


def test_protected_notifications_are_verified(floor, watch):
    gate, fleet, keys = floor(stand_in="members")
    one = watch(gate).until_latest("off", "off", "off")
    time.sleep(1.2)
    switch(gate, "on")
    one.until_latest("on", "on", "on")
    name = one.heard[0]["member"]
    switch(gate, "dim", f"/lights/.member/{name}/light")
    one.until(lambda w: w.latest[name] == "dim")
    assert all(answer["verified"] == "source" and answer["notification"] for answer in one.heard)
    other = watch(gate).until(lambda w: len(w.latest) == 3)
    assert other.latest == one.latest


@pytest.mark.parametrize("evicted", [[], ["13"]], ids=["nobody", "one"])
def test_a_rekey_does_not_end_it(floor, watch, tmp_path, evicted):
    """R55: an evicted member is not heard any more; the others are."""
    gate, fleet, keys = floor()
    one = watch(gate).until_latest("off", "off", "off")
    time.sleep(1.2)
    next_keys = keys.rekeyed(tmp_path / "next", *[word for kid in evicted for word in ("--evict", kid)])
    Keys.run("claim", next_keys.gateway, "--state", tmp_path / "state")
    shutil.copy(next_keys.group, keys.group)
    fleet.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "read again" in fleet.log())
    changed = json.loads(json.dumps(gate.settings))
    changed["security_groups"]["lights"] = str(next_keys.gateway)
    gate.reload(changed)
    stay = 3 - len(evicted)
    wait_for(lambda: switch_or_not(gate, "on", stay))  # whoever is evicted may have heard the first of these
    switch(gate, "dim")
    one.until(lambda w: list(w.latest.values()).count("dim") == stay, seconds=40)
    switch(gate, "bright")
    one.until(lambda w: list(w.latest.values()).count("bright") == stay, seconds=40)
    assert one.summary is None


def switch_or_not(gate, value, members):
    reply = gate.request(LIGHTS, "PUT", headers={**AUTHORIZED, "Content-Type": "text/plain", "Accept": "application/json"},
                         body=value.encode())
    return reply.status == 200 and reply.json()["summary"]["answered"] == members
