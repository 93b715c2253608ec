"""Watching a group by CoAP: notifications of each member on one token, with numbers of the gateway's own, renewed and cancelled by the
client, and gone when it is (RFC 7641, draft-ietf-core-groupcomm-proxy)."""

import os
import subprocess
import time

import pytest

import coap
from coap import FETCH, OBSERVE, OSCORE, PROXY_URI, PUT, REPLY_FROM, RST, Client, Message
from conftest import free_udp_port, plain_mapping
from probe import Tap, answer_to, cbor, running, wait_for

REGISTER, CANCEL = (OBSERVE, b""), (OBSERVE, b"\1")


class Watcher(Client):
    """A client that observes on one token; what it has heard, and of each member the latest."""

    def __init__(self, gate, path="lights/light", **more):
        super().__init__(gate.coap)
        self.path, self.more, self.heard = path, more, []
        self.token = self.observe().token

    def observe(self, *options, **more):
        return self.ask(self.path, options=[*(options or [REGISTER]), *self.more.get("options", [])],
                        **{"token": getattr(self, "token", None), **{k: v for k, v in self.more.items() if k != "options"}, **more})

    def step(self, seconds=10.0):
        message = self.hear(seconds)
        if message is not None and message.code != coap.EMPTY and message.token == self.token:
            self.heard.append(message)
        return message

    @property
    def latest(self):
        return {origin(m): m.payload.decode() or m.code_text for m in self.heard if m.one(REPLY_FROM) is not None}

    @property
    def orders(self):
        return [m.uint(OBSERVE) for m in self.heard]

    def until(self, what, seconds=20):
        end = time.monotonic() + seconds
        while not what(self):
            assert self.step(end - time.monotonic()) is not None, self.heard
        return self

    def until_latest(self, *values, **more):
        return self.until(lambda w: sorted(w.latest.values()) == sorted(values), **more)

    def quiet_for(self, seconds):
        before, end = len(self.heard), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.step(left)
        assert len(self.heard) == before, self.heard[before:]


def origin(message):
    (scheme, (ip, *port)), _ = cbor(message.one(REPLY_FROM))
    return ".".join(map(str, ip))


@pytest.fixture
def watch():
    started = []

    def start(*args, **more):
        started.append(Watcher(*args, **more))
        return started[-1]

    yield start
    for one in started:
        one.socket.close()


@pytest.fixture
def lights(gateway, members):
    def start(count=3, *arguments, gate=None, **more):
        fleet = members(count, *arguments)
        return gateway({"coap": {"listen": [f"coap://127.0.0.1:{free_udp_port()}"]},
                        "group": {"interface": "lo", "nstart": 100, "probing_rate": 1000000},
                        "mappings": [plain_mapping(fleet, **more)], **(gate or {})}), fleet

    return start


def put(endpoint, member, value):
    answer = endpoint.request(member, "/light", PUT, payload=value.encode(), options=[(coap.CONTENT_FORMAT, b"")])
    assert answer is not None and answer.code_text == "2.04"


def registrations(tap):
    return [p.message.uint(OBSERVE) for p in tap.packets() if p.message.uint(OBSERVE) is not None]


def test_changes_are_notifications(lights, watch, endpoint):
    gate, fleet = lights()
    one = watch(gate, timeout=1).until_latest("off", "off", "off")
    time.sleep(1.2)  # Multicast-Timeout is for first answers
    for number, value in ((1, "on"), (2, "on"), (1, "dim")):
        put(endpoint, fleet.addresses[number], value)
        ip = fleet.addresses[number][0]
        one.until(lambda w: w.latest[ip] == value)
    assert len(one.heard) == 6 and all(m.code_text == "2.05" and m.one(REPLY_FROM) for m in one.heard)
    assert one.orders == sorted(set(one.orders)) and None not in one.orders


def test_each_client_is_told_and_the_group_is_asked_once(lights, watch, endpoint, group):
    with Tap(group) as tap:
        gate, fleet = lights()
        one = watch(gate).until_latest("off", "off", "off")
        put(endpoint, fleet.addresses[0], "on")
        one.until_latest("on", "off", "off")
        time.sleep(0.3)
        other = watch(gate).until_latest("on", "off", "off", seconds=2)
        put(endpoint, fleet.addresses[1], "on")
        for client in one, other:
            client.until_latest("on", "on", "off")
        assert registrations(tap) == [0]


def test_a_renewal_tells_the_latest_of_each_again(lights, watch, endpoint, group):
    with Tap(group) as tap:
        gate, fleet = lights()
        one = watch(gate).until_latest("off", "off", "off")
        put(endpoint, fleet.addresses[0], "on")
        one.until_latest("on", "off", "off")
        before = one.orders
        one.heard.clear()
        renewal = one.observe()
        acknowledgements = []
        one.until(lambda w: len(w.heard) == 3)
        assert one.latest == {fleet.addresses[0][0]: "on", fleet.addresses[1][0]: "off", fleet.addresses[2][0]: "off"}
        assert min(one.orders) > max(before)
        one.quiet_for(0.5)
        assert registrations(tap) == [0]


@pytest.mark.parametrize("how", ["observe 1", "early stop", "reset", "another request"])
def test_the_last_client_that_leaves_ends_it_at_the_members(lights, watch, endpoint, group, how):
    with Tap(group) as tap:
        gate, fleet = lights()
        one = watch(gate, timeout=1).until_latest("off", "off", "off")
        time.sleep(1.2)
        if how == "observe 1":
            one.observe(CANCEL)
        elif how == "early stop":
            one.ask("", timeout=0, token=one.token)
        elif how == "another request":
            one.ask("lights/status", token=one.token)
        else:
            put(endpoint, fleet.addresses[0], "on")
            one.until_latest("on", "off", "off")
            one.socket.send(Message(RST, coap.EMPTY, one.heard[-1].mid).emit())
        wait_for(lambda: registrations(tap) == [0, 1])
        one.hear_all(0.3)
        put(endpoint, fleet.addresses[1], "dim")
        assert one.hear_all(0.5) == []


def test_cancelling_where_nothing_runs_is_a_plain_request(lights, watch, group):
    gate, fleet = lights()
    with Client(gate.coap) as client, Tap(group) as tap:
        found = client.gather("lights/light", count=3, options=[CANCEL])
        assert len(found) == 3 and not any(m.one(OBSERVE) for m in found)
        assert registrations(tap) == []


def test_a_member_is_watched_alone(lights, watch, endpoint):
    gate, fleet = lights(stand_in="members")
    name = fleet.texts[1]
    one = watch(gate, f"lights/.member/{name}/light", timeout=None).until(lambda w: w.heard)
    first = one.heard[0]
    assert (first.code_text, first.payload, first.one(REPLY_FROM)) == ("2.05", b"off", None)
    assert first.one(OBSERVE) is not None
    put(endpoint, fleet.addresses[0], "on")
    put(endpoint, fleet.addresses[1], "on")
    one.until(lambda w: len(w.heard) == 2)
    assert one.heard[1].payload == b"on" and one.orders == sorted(set(one.orders))
    answer = one.call(one.path, timeout=None, options=[CANCEL], token=one.token)
    assert (answer.code_text, answer.payload, answer.one(OBSERVE)) == ("2.05", b"on", None)
    put(endpoint, fleet.addresses[1], "dim")
    assert one.hear_all(0.5) == []


def test_the_forward_proxy_observes_too(lights, watch, endpoint, group):
    gate, fleet = lights(forward=True)
    one = watch(gate, "", options=[(PROXY_URI, f"{group.uri}/light".encode())]).until_latest("off", "off", "off")
    put(endpoint, fleet.addresses[2], "on")
    one.until_latest("off", "off", "on")


def test_beyond_the_limit_it_is_a_request_without_observe(lights, watch):
    gate, fleet = lights(gate={"limits": {"observers": 2}})
    one = watch(gate).until_latest("off", "off", "off")
    other = watch(gate)
    other.until_latest("off", "off", "off")
    assert other.orders == [None] * 3  # RFC 7641 §4.1


def test_aggregated_replies_know_no_changes(lights, group):
    gate, fleet = lights(aggregate=True)
    with Client(gate.coap) as client, Tap(group) as tap:
        answer = client.call("lights/light", options=[REGISTER, (coap.ACCEPT, b"\x3e")])
        assert answer.code_text == "2.05" and answer.one(OBSERVE) is None
        assert registrations(tap) == []


# --- end to end through the gateway


@pytest.fixture
def relay(gateway, group):
    def start(**more):
        return gateway({"coap": {"listen": [f"coap://127.0.0.1:{free_udp_port()}"]},
                        "group": {"interface": "lo", "nstart": 100, "probing_rate": 1000000},
                        "mappings": [{"name": "lights", "path": "/lights", "group": group.uri, "security": "relay",
                                      "clients": ["anonymous"], **more}]})

    return start


def protected(number):
    return (OSCORE, bytes([0x39, number, 2, 0x67, 0x69]) + os.urandom(20))


def test_protected_observations_are_passed_as_they_are(relay, watch, group):
    gate = relay()
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        sealed, payload = protected(1), os.urandom(60)
        one = watch(gate, "lights", method=FETCH, options=[sealed], payload=payload)
        packet = tap.next()
        asked = packet.message
        assert (asked.code, asked.payload, asked.one(OBSERVE)) == (FETCH, payload, b"")
        assert asked.one(OSCORE) == sealed[1]
        told = []
        for i in range(3):
            told.append(((OSCORE, bytes([1, i])), os.urandom(40)))
            member.send_bytes(packet.source, answer_to(asked, told[-1][1], mid=i, options=[told[-1][0], (OBSERVE, bytes([9]))]))
            one.until(lambda w: len(w.heard) == i + 1)
        assert [(m.one(OSCORE), m.payload) for m in one.heard] == [(o[1], p) for o, p in told]
        assert one.orders == sorted(set(one.orders)) and 9 not in one.orders
        renewed, again = protected(2), os.urandom(60)
        one.more.update(options=[renewed], payload=again)
        one.observe()
        second = tap.next().message
        assert (second.token, second.one(OSCORE), second.payload, second.one(OBSERVE)) == (asked.token, renewed[1], again, b"")
        cancelled, last = protected(3), os.urandom(60)
        one.more.update(options=[cancelled], payload=last)
        one.observe(CANCEL)
        third = tap.next().message
        assert (third.token, third.one(OSCORE), third.payload, third.one(OBSERVE)) == (asked.token, cancelled[1], last, b"\1")
        assert len(tap.packets()) == 3


# --- libcoap's client


def test_libcoaps_client_watches_by_dtls(gateway, members, endpoint, tmp_path):
    """It takes each member's answers for notifications, and cancels when its time is over. From 4.3.4 on it then waits, for a response, until -B is."""
    fleet = members(3)
    key = tmp_path / "d.key"
    key.write_text("0123456789abcdef")
    key.chmod(0o600)
    port = free_udp_port()
    gate = gateway({"coap": {"listen": [f"coaps://127.0.0.1:{port}"]}, "group": {"interface": "lo", "nstart": 100},
                    "clients": {"d": {"psk": {"identity": "d", "key_file": str(key)}}},
                    "mappings": [plain_mapping(fleet, clients=["d"])]})
    with Tap(fleet.group) as tap:
        client = subprocess.Popen(["coap-client-openssl", "-m", "get", "-s", "4", "-B", "8", "-O", "2,\x01", "-u", "d", "-k", "0123456789abcdef",
                                   f"coaps://127.0.0.1:{port}/lights/light"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        wait_for(lambda: running(gate) == 1)
        time.sleep(1.5)
        put(endpoint, fleet.addresses[2], "dimmed")
        out, _ = client.communicate(timeout=30)
        assert out.count(b"off") == 3 and out.count(b"dimmed") == 1, out
        wait_for(lambda: registrations(tap) == [0, 1])
