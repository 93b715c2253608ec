"""Protected groups end to end: real keys, real members, real datagrams. R3, R4, R12 to R14, R18, R21 to R23, R26 to R28, R53 to R58."""

import json
import os
import shutil
import socket
import subprocess
import time

import pytest

import coap
from conftest import BUILD, Group, IPV4_GROUP, free_udp_port
from probe import Later, Tap, check_problem, counter, log_lines, metrics, parse_mixed, running, wait_for
from protected import AUTHORIZED, GROUP_FLAG, KID_FLAG, Keys, Oscore, ProtectedMembers, make_state, settings


@pytest.fixture
def protected(tmp_path):
    """protected(keys, group, count, *arguments, bind=…): starts members with these keys."""
    started = []

    def start(keys, group, count, *arguments, bind="127.1.0.1"):
        log = tmp_path / f"protected{len(started) + 1}.log"
        started.append(ProtectedMembers(keys, group, count, bind, arguments, log))
        return started[-1]

    yield start
    for fleet in started:
        assert fleet.stop() == 0, fleet.log()


@pytest.fixture
def new_keys(tmp_path, group):
    """new_keys(members, *options, name=…): keys of a new security group, for the test's group."""

    def make(members=3, *options, name="lights", port=None, first="127.1.0.1"):
        return Keys(tmp_path / f"keys-{name}", members, port or group.port, *options, name=name, first=first)

    return make


@pytest.fixture
def lights(group, new_keys, protected, gateway, tmp_path):
    """lights(count, *arguments, mapping={…}, keys=options): gateway, keys and members of one group, ready."""

    def start(count=3, *arguments, options=(), keys=None, **particulars):
        keys = keys or new_keys(count, *options)
        fleet = protected(keys, group, count, *arguments)
        gate = gateway(settings(make_state(tmp_path / "state", keys), (group, keys, particulars)))
        return gate, keys, fleet

    return start


def verified(reply, count):
    """All of them answered, and were verified."""
    summary, answers = reply["summary"], reply["answers"]
    assert (summary["answered"], summary["rejected"], summary["missing"]) == (count, 0, 0), reply
    assert {answer["verified"] for answer in answers} == {"source"}
    assert len({answer["kid"] for answer in answers}) == count
    return answers


def reasons(reply):
    return [one["reason"] for one in reply["rejected"]]


def lights_of(gate, path="/lights/light"):
    return sorted(answer["body"] for answer in gate.get_json(path)["answers"])


# --- every kind of group (R12, R13, R14)

KINDS = {
    "EdDSA CCM": [],
    "ES256 CCM": ["--alg-signature", "-7"],
    "EdDSA GCM": ["--alg-group-enc", "1", "--alg-aead", "1"],
    "EdDSA ChaCha sha512": ["--alg-group-enc", "24", "--alg-aead", "24", "--hkdf", "sha512"],
    "EdDSA CTR": ["--alg-group-enc", "-65534"],
    "ES256 CTR": ["--alg-signature", "-7", "--alg-group-enc", "-65532"],
    "group mode only": ["--no-pairwise"],
}


@pytest.mark.parametrize("mode", ["group", "pairwise"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_verified_R12_R13_R14(lights, capture, kind, mode):
    tap = capture()
    gate, keys, fleet = lights(4, "--mode", mode, options=KINDS[kind])
    answers = verified(gate.get_json("/lights/status"), 4)
    assert {answer["member"] for answer in answers} == {f"lights-{0x11 + i:02x}" for i in range(4)}
    (request,) = tap.messages()
    assert (request.type, request.code_text) == (coap.NON, "0.02")
    assert Oscore(request).group and request.one(coap.URI_PATH) is None


def test_each_part_says_who_was_verified_R14(lights):
    gate, keys, fleet = lights(3)
    parts = parse_mixed(gate.request("/lights/status"))
    assert len(parts) == 3
    for part in parts:
        name, parameters = part.member
        assert parameters["verified"] == "source"
        assert part.origin in fleet.addresses
    assert len({part.member[1]["kid"] for part in parts}) == 3


def test_a_pairwise_only_group(lights, capture):
    """It cannot be asked by multicast, and says so; one member can be asked by unicast."""
    tap = capture()
    gate, keys, fleet = lights(2, options=["--no-group-mode"])
    problem = check_problem(gate.request("/lights/status"), 502, "cannot-protect")
    assert "pairwise mode only" in problem["detail"]
    assert tap.messages() == []


@pytest.mark.parametrize("options", [[], ["--no-group-mode"], ["--no-pairwise"]])
def test_a_single_member_is_asked_by_unicast(lights, capture, options):
    tap = capture()
    gate, keys, fleet = lights(1, options=options)
    (answer,) = verified(gate.get_json("/lights/status"), 1)
    assert answer["via"] == "unicast"
    assert tap.messages() == []


@pytest.mark.parametrize("options", [[], ["--no-group-mode"], ["--no-pairwise"]])
def test_a_member_by_name(lights, capture, options):
    """A pairwise-only group, too, which cannot be asked by multicast."""
    tap = capture()
    gate, keys, fleet = lights(3, options=options, stand_in="members")
    reply = gate.get_json("/lights/.member/lights-12/status")
    (answer,) = verified(reply, 1)
    assert (answer["member"], answer["kid"], answer["via"]) == ("lights-12", "12", "unicast")
    assert reply["summary"]["expected"] == 1
    assert tap.messages() == []


def without_addresses(keys):
    """The gateway's file does not say where the members are."""
    data = json.loads(keys.gateway.read_text())
    for peer in data["peers"].values():
        del peer["address"]
    keys.gateway.write_text(json.dumps(data))
    return keys


def test_a_member_is_found_where_it_was_verified(lights, new_keys, capture):
    gate, keys, fleet = lights(3, keys=without_addresses(new_keys(3)), stand_in="members")
    problem = check_problem(gate.request("/lights/.member/lights-11/status"), 502, "cannot-emit")
    assert "where member lights-11 is" in problem["detail"]
    verified(gate.get_json("/lights/status"), 3)
    (answer,) = verified(gate.get_json("/lights/.member/lights-11/status"), 1)
    assert answer["via"] == "unicast"


def test_large_answers_come_in_blocks(lights):
    gate, keys, fleet = lights(4)
    bodies = [answer["body"] for answer in verified(gate.get_json("/lights/big"), 4)]
    assert {len(body) for body in bodies} == {4096}


@pytest.mark.parametrize("options", [[], ["--no-pairwise"]])
def test_blocks_over_a_bad_network(lights, options):
    gate, keys, fleet = lights(4, "--loss", "0.1", "--duplicate", "0.3", "--reorder", "--seed", "3", options=options,
                               timeout=20, repair={"unicast": True})
    reply = gate.get_json("/lights/big", timeout=60)
    assert reply["summary"]["answered"] == 4, reply["summary"]
    assert {len(answer["body"]) for answer in reply["answers"]} == {4096}
    assert {answer["verified"] for answer in reply["answers"]} == {"source"}


def test_silent_members_are_asked_by_unicast(lights, protected, group, new_keys):
    """The same keys on an address where nobody hears the group."""
    keys = new_keys(3)
    elsewhere = Group(group.address, free_udp_port())
    gate, _, fleet = lights(2, keys=keys, timeout=3, repair={"unicast": True})
    lost = keys.load()["members"][2]
    assert lost["address"] == f"127.1.0.3:{group.port}"
    reply = gate.get_json("/lights/status")
    assert reply["summary"]["answered"] == 2 and reply["missing"][0]["from"] == lost["address"]
    assert elsewhere.port != group.port


@pytest.mark.parametrize("memory", [(), ("--no-deduplication",)])
def test_lost_datagrams_are_made_up_for_with_and_without_memory_of_messages(new_keys, protected, gateway, group, tmp_path, memory):
    """A member that takes what is sent again for a replay says so unprotected: no reply looks broken for that."""
    keys = new_keys(5)
    protected(keys, group, 5, "--loss", "0.1", "--seed", "11", *memory)
    mapping = {"timeout": 20, "leisure": 0.3, "repair": {"unicast": True}}
    config = settings(make_state(tmp_path / "state", keys), (group, keys, mapping))
    config["group"]["ack_timeout"] = 0.2
    gate = gateway(config)
    for _ in range(10):
        verified(gate.get_json("/lights/status", timeout=60), 5)


@pytest.mark.parametrize("method, repaired", [("POST", False), ("PUT", True), ("DELETE", True), ("GET", True)])
def test_what_acts_twice_is_not_repaired(lights, method, repaired):
    """RFC 10021 7: a member whose answer was lost would act on a second POST; the others are the same twice."""
    gate, keys, fleet = lights(2, "--loss", "1", timeout=1, repair={"unicast": True})
    reply = gate.request("/lights/light", method, {"Accept": "application/json", **AUTHORIZED}, b"on" if method in ("POST", "PUT") else None)
    assert reply.json()["summary"]["missing"] == 2
    assert counter(gate, "asked_total", "lights") == (2 if repaired else 0)


def test_lost_replay_windows_are_mended_by_echo(lights, capture):
    tap = capture()
    gate, keys, fleet = lights(3, "--window-lost")
    answers = verified(gate.get_json("/lights/status"), 3)
    assert {answer["via"] for answer in answers} == {"unicast"}
    answers = verified(gate.get_json("/lights/status"), 3)
    assert {answer["via"] for answer in answers} == {"multicast"}
    assert len(tap.messages()) == 2


def test_anonymise_hides_members_R19(lights, capture):
    gate, keys, fleet = lights(3, anonymise=True, stand_in="members")
    reply = gate.get_json("/lights/status")
    assert reply["summary"]["answered"] == 3
    for answer in reply["answers"]:
        assert answer["kid"] is None and answer["from"] is None and answer["verified"] == "source"


# --- several groups (R22, R26)

def test_three_groups_at_once_R22_R26(new_keys, new_group, protected, gateway, tmp_path):
    groups = [new_group() for _ in range(3)]
    names = ["one", "two", "three"]
    all_keys = [new_keys(2, name=name, port=group.port, first=f"127.{i + 1}.0.1")
                for i, (name, group) in enumerate(zip(names, groups))]
    for i, (keys, group) in enumerate(zip(all_keys, groups)):
        protected(keys, group, 2, bind=f"127.{i + 1}.0.1")
    gate = gateway(settings(make_state(tmp_path / "state", *all_keys), *zip(groups, all_keys)))
    replies = [Later(gate.get_json, f"/{name}/status") for name in names * 3]
    for reply, name in zip(replies, names * 3):
        answers = verified(reply.result(), 2)
        assert {answer["member"].split("-")[0] for answer in answers} == {name}


def test_members_of_another_group_stay_silent_R26(new_keys, group, protected, gateway, endpoint, capture, tmp_path):
    """Two security groups behind one multicast address: both hear everything, each answers its own."""
    mine, other = new_keys(2, name="mine"), new_keys(2, name="other", first="127.2.0.1")
    protected(mine, group, 2)
    protected(other, group, 2, bind="127.2.0.1")
    gate = gateway(settings(make_state(tmp_path / "state", mine, other), (group, mine), (group, other)))
    tap = capture()
    for name in ("mine", "other"):
        answers = verified(gate.get_json(f"/{name}/status"), 2)
        assert {answer["member"].split("-")[0] for answer in answers} == {name}
    for data, _ in tap.datagrams():
        endpoint.send_bytes(group.destination, data)  # a replay, too
    assert endpoint.collect(timeout=0.5) == []


# --- commands (R21, R23, R27, R28)

def put_light(gate, text):
    return gate.request("/lights/light", "PUT", {**AUTHORIZED, "Content-Type": "text/plain", "Accept": "application/json"},
                        text.encode())


def test_commands_act_after_verification_R21_R23_R27_R28(lights, capture, endpoint, group):
    gate, keys, fleet = lights(10)
    tap = capture()
    assert lights_of(gate) == ["off"] * 10
    reply = put_light(gate, "on")
    assert reply.status == 200 and {answer["code"] for answer in verified(reply.json(), 10)} == {"2.04"}
    assert lights_of(gate) == ["on"] * 10
    put = tap.datagrams()[1][0]
    put_light(gate, "off")
    for forged in forgeries(coap.Message.parse(put), put):
        endpoint.send_bytes(group.destination, forged)
        for member in fleet.addresses[:2]:
            endpoint.send_bytes(member, forged)
    answers = endpoint.collect(timeout=1)
    assert all(got.message.code >> 5 != 2 for got in answers), answers  # by unicast they may say why not
    assert lights_of(gate) == ["off"] * 10


def forgeries(message, data):
    """What somebody without keys can make of a request that he has heard."""
    yield data  # a replay
    fresh = coap.Message(message.type, message.code, message.mid ^ 0x5555, os.urandom(8), message.options, message.payload)
    yield fresh.emit()  # a replay as a new message
    for at in range(len(message.payload)):
        payload = bytearray(message.payload)
        payload[at] ^= 1
        yield coap.Message(message.type, message.code, message.mid + at + 1 & 0xffff, os.urandom(8), message.options, bytes(payload)).emit()
    option = bytearray(message.one(coap.OSCORE))
    for at in range(1, len(option)):  # another Partial IV, Gid, kid
        changed = bytearray(option)
        changed[at] ^= 1
        yield coap.Message(message.type, message.code, message.mid + 500 + at & 0xffff, os.urandom(8),
                           [(coap.OSCORE, bytes(changed))], message.payload).emit()
    plain = [(coap.URI_PATH, b"light"), (coap.CONTENT_FORMAT, b"")]
    yield coap.Message(coap.NON, coap.PUT, message.mid ^ 0x1234, os.urandom(8), plain, b"on").emit()


class Forger:
    """Who has heard a request and answers it under every kid, from many addresses and ports."""

    def __init__(self, request, kids, hosts=32):
        self.to, self.token, self.kids = request.source, coap.Message.parse(request.data).token, kids
        self.endpoints = [coap.Endpoint(f"127.9.{host // 16}.{host % 16 + 1}") for host in range(hosts)]
        self.sent = 0

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for endpoint in self.endpoints:
            endpoint.socket.close()

    def flood(self, rounds):
        for _ in range(rounds):
            for kid in self.kids:
                endpoint = self.endpoints[self.sent % len(self.endpoints)]
                option = bytes([GROUP_FLAG | KID_FLAG | 2, 1 + self.sent // 256 % 255, self.sent % 256]) + kid
                forged = coap.Message(coap.NON, coap.code("2.05"), self.sent & 0xffff, self.token, [(coap.OSCORE, option)],
                                      os.urandom(90))
                endpoint.send_bytes(self.to, forged.emit())
                self.sent += 1


@pytest.mark.parametrize("known", [True, False])
def test_members_are_heard_while_forgeries_flood(new_keys, lights, group, known):
    keys = new_keys(10)
    if not known:  # nobody knows from where they will answer
        document = keys.load("gateway")
        document["peers"] = {kid: peer["cred"] if isinstance(peer, dict) else peer for kid, peer in document["peers"].items()}
        keys.gateway.write_text(json.dumps(document))
    gate, keys, _ = lights(10, "--delay", "300:900", keys=keys, timeout=6, membership="open", finish="count:10")
    kids = [bytes.fromhex(member["sender_id"]) for member in keys.load()["members"]]
    with Tap(group) as tap:
        reply = Later(gate.get_json, "/lights/light")
        request = tap.next()
        with Forger(request, kids) as forger:
            until = time.monotonic() + 0.8
            while time.monotonic() < until:
                forger.flood(8)
                time.sleep(0.02)
            got = reply.result()
    summary = got["summary"]
    assert summary["answered"] == 10, summary
    assert {answer["body"] for answer in got["answers"]} == {"off"}
    assert summary["rejected"] > 10 * 64 and summary["ms"] < 5000, summary  # far more than were refused once, and no wait
    verified(gate.get_json("/lights/light"), 10)  # and the next request is as any other


# --- hostile members

HOSTILE = {
    "flip": ["verification-failed"],
    "truncate": ["verification-failed", "bad-option"],
    "unprotected": ["unprotected"],
    "stranger": ["unknown-sender"],
    "impostor": ["verification-failed"],
    "wrong-token": [],
}


@pytest.mark.parametrize("mode", ["group", "pairwise"])
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_members_are_refused(new_keys, group, protected, gateway, tmp_path, kind, mode):
    keys = new_keys(6)
    honest = protected(keys, group, 3)
    shorter = keys.copy(tmp_path / "hostile")  # the same group, beginning with the other three
    document = shorter.load()
    document["members"] = document["members"][3:] + document["members"][:3]
    shorter.group.write_text(json.dumps(document))
    protected(shorter, group, 3, "--misbehave", kind, "--mode", mode, bind="127.1.0.4")
    gate = gateway(settings(make_state(tmp_path / "state", keys), (group, keys, {"finish": "deadline", "timeout": 1})))
    reply = gate.get_json("/lights/status")
    assert {answer["member"] for answer in reply["answers"]} == {f"lights-{i}" for i in (11, 12, 13)}, reply
    assert {answer["verified"] for answer in reply["answers"]} == {"source"}
    assert reply["summary"]["rejected"] == len(reply["rejected"]) == (3 if HOSTILE[kind] else 0)
    assert set(reasons(reply)) <= set(HOSTILE[kind])
    assert {one["from"] for one in reply["rejected"]} <= {f"127.1.0.{i}:{group.port}" for i in (4, 5, 6)}
    assert counter(gate, "rejected_total", "lights") == len(reply["rejected"])
    assert honest.running()


@pytest.mark.parametrize("mode", ["group", "pairwise"])
def test_replayed_answers_are_refused(lights, mode):
    gate, keys, fleet = lights(3, "--misbehave", "replay", "--mode", mode, finish="deadline", timeout=1)
    assert gate.get_json("/lights/status")["summary"]["answered"] == 3  # the first time they have nothing to replay
    reply = gate.get_json("/lights/light")
    assert reply["summary"]["answered"] == 0 and reasons(reply) == ["verification-failed"] * 3


@pytest.mark.parametrize("mode", ["group", "pairwise"])
def test_a_repeated_partial_iv_is_refused(lights, mode):
    gate, keys, fleet = lights(3, "--misbehave", "repeat-piv", "--mode", mode, finish="deadline", timeout=1)
    reply = gate.get_json("/lights/status")
    assert reply["summary"]["answered"] == 3 and reasons(reply) == ["replayed"] * 3


def test_repeated_and_damaged_answers(lights):
    gate, keys, fleet = lights(4, "--misbehave", "repeat:5", finish="deadline", timeout=1)
    reply = gate.get_json("/lights/status")
    assert reply["summary"]["answered"] == 4 and reasons(reply) == ["replayed"] * 16


def test_garbage_is_no_answer(lights):
    gate, keys, fleet = lights(40, "--misbehave", "garbage", "--seed", "1", finish="deadline", timeout=1)
    reply = gate.get_json("/lights/status")
    assert gate.running() and {answer["verified"] for answer in reply["answers"]} <= {"source"}


# --- who may be a member (R4, R55)

def reload_until(gate, new_settings, event, count=1):
    """SIGHUP, and waits for what the log says then."""
    before = len(log_lines(gate, event))
    gate.reload(new_settings)
    wait_for(lambda: len(log_lines(gate, event)) >= before + count)


def test_a_member_that_is_removed_is_refused_without_restart_R4(lights):
    gate, keys, fleet = lights(3, finish="deadline", timeout=1)
    verified(gate.get_json("/lights/status"), 3)
    document = keys.load("gateway")
    del document["peers"]["12"]
    keys.gateway.write_text(json.dumps(document))
    reload_until(gate, gate.settings, "reload")
    reply = gate.get_json("/lights/status")
    assert reply["summary"]["answered"] == 2 and reasons(reply) == ["unknown-sender"]
    assert reply["rejected"][0]["kid"] == "12"


def test_a_key_file_that_cannot_be_used_changes_nothing(lights):
    gate, keys, fleet = lights(2)
    good = keys.gateway.read_text()
    for bad in (good[:-20], good.replace('"gid"', '"gif"'), "{}"):
        keys.gateway.write_text(bad)
        reload_until(gate, gate.settings, "reload", 2)
        verified(gate.get_json("/lights/status"), 2)
    assert all(secret.hex() not in gate.log() for secret in keys.secrets)


def with_keys(gate, keys, following=None):
    """The settings with other key files."""
    entry = str(keys.gateway) if following is None else {"file": str(keys.gateway), "next": str(following.gateway)}
    return {**gate.settings, "security_groups": {keys.name: entry}}


def test_a_group_that_is_removed_ends_what_runs_under_it(lights):
    """RFC 10021 5.1: with what was verified until then, or an error that says why; and at once."""
    gate, keys, fleet = lights(2, "--delay", "15000:15000", finish="deadline", timeout=20)
    begun, waiting = time.monotonic(), Later(gate.request, "/lights/status")
    wait_for(lambda: running(gate) == 1)
    reload_until(gate, {**gate.settings, "security_groups": {}, "mappings": []}, "reload")
    problem = check_problem(waiting.result(), 502, "cannot-protect")
    assert time.monotonic() - begun < 15 and "removed" in str(problem)
    assert running(gate) == 0


def test_rekey_while_an_exchange_runs_R54_R55(new_keys, group, protected, gateway, capture, tmp_path):
    keys = new_keys(4)
    following = keys.rekeyed(tmp_path / "following", "--evict", "14")
    state = make_state(tmp_path / "state", keys, following)
    protected(keys, group, 4)
    gate = gateway(settings(state, (group, keys, {"finish": "deadline", "timeout": 3})))
    tap = capture()
    running = Later(gate.get_json, "/lights/slow")
    assert len(wait_for(lambda: tap.messages(0.05))) == 1
    reload_until(gate, with_keys(gate, keys, following), "keys-prepared")
    reload_until(gate, with_keys(gate, following), "keys-activated")
    reply = running.result()  # /slow answers after 2 s, under the old keys
    assert {answer["kid"] for answer in reply["answers"]} == {"11", "12", "13"}
    assert reasons(reply) == ["evicted"]
    protected(following, group, 3, bind="127.1.0.11")
    reply = gate.get_json("/lights/status")
    assert {answer["kid"] for answer in reply["answers"]} == {"11", "12", "13"} and reply["summary"]["rejected"] == 0
    first, second = (Oscore(message) for message in tap.messages())
    assert first.kid_context != second.kid_context


def test_a_rekey_without_restart_from_the_first_key_on_R55(lights, protected, group, tmp_path):
    """What an administrator does: rekey, claim beside the running gateway, reload."""
    gate, keys, fleet = lights(3, finish="deadline", timeout=1)
    verified(gate.get_json("/lights/status"), 3)
    following = keys.rekeyed(tmp_path / "following", "--evict", "12")
    Keys.run("claim", following.gateway, "--state", tmp_path / "state")
    reload_until(gate, with_keys(gate, following), "keys-activated")
    assert gate.request("/lights/status").status == 504  # the members are late
    protected(following, group, 2, bind="127.1.0.11")
    answers = verified(gate.get_json("/lights/status"), 2)
    assert {answer["kid"] for answer in answers} == {"11", "13"}


def test_members_that_are_rekeyed_first_R55(new_keys, group, protected, gateway, tmp_path):
    """While both are accepted the request goes out under the old keys, so members with the new ones cannot read it; then all can."""
    keys = new_keys(3)
    following = keys.rekeyed(tmp_path / "following")
    state = make_state(tmp_path / "state", keys, following)
    protected(following, group, 3)
    gate = gateway({**settings(state, (group, keys, {"finish": "deadline", "timeout": 1})),
                    "security_groups": {"lights": {"file": str(keys.gateway), "next": str(following.gateway)}}})
    assert gate.get_json("/lights/status")["answers"] == []
    reload_until(gate, with_keys(gate, following), "keys-activated")
    verified(gate.get_json("/lights/status"), 3)


def test_members_that_are_rekeyed_first_are_asked_under_their_keys_R55(new_keys, group, protected, gateway, capture, tmp_path):
    """By unicast: they say that they lack the old ones, and from then on they are known to have the others. The group goes on under the
    old keys until the new ones are activated."""
    keys = new_keys(3)
    following = keys.rekeyed(tmp_path / "following")
    state = make_state(tmp_path / "state", keys, following)
    protected(following, group, 3)
    particulars = {"timeout": 6, "repair": {"unicast": True}, "leisure": 4, "stand_in": "members"}  # a second group request would be early
    gate = gateway({**settings(state, (group, keys, particulars)),
                    "security_groups": {"lights": {"file": str(keys.gateway), "next": str(following.gateway)}}})
    tap = capture()
    for _ in range(2):
        reply = gate.get_json("/lights/status")
        assert (reply["summary"]["answered"], reply["summary"]["ended_by"]) == (3, "all"), reply
        assert reasons(reply) == []  # what those who have answered said before is no news
        assert counter(gate, "rejected_total", "lights") == 3  # the second time nothing is refused
        assert {answer["via"] for answer in reply["answers"]} == {"unicast"}
    (answer,) = verified(gate.get_json("/lights/.member/lights-12/status"), 1)
    assert answer["kid"] == "12"
    first, second = (Oscore(message) for message in tap.messages())
    assert first.kid_context == second.kid_context


# --- the client's own protection (R3, R18)

def test_relay_passes_bytes_R3_R18(group, gateway, endpoint):
    """The gateway has no keys: what goes in comes out, both ways."""
    end = {"name": "end", "path": "/end", "group": group.uri, "security": "relay", "timeout": 1, "methods": ["POST"],
           "clients": [{"name": "tester", "methods": ["POST"]}]}
    gate = gateway({"mappings": [end], "clients": settings("x")["clients"]})
    request, answer = os.urandom(40), os.urandom(90)
    headers = {**AUTHORIZED, "Content-Type": "application/oscore", "OSCORE": "OQUCSk0xAcE"}
    with Tap(group) as tap:
        reply = Later(gate.request, "/end", "POST", headers, request)
        packet = tap.next()
        message = packet.message
        assert (message.options, message.payload) == ([(coap.OSCORE, bytes.fromhex("3905024a4d3101c1"))], request)
        option = bytes.fromhex("2811")
        endpoint.send_bytes(packet.source, coap.Message(coap.NON, coap.code("2.04"), 7, message.token,
                                                        [(coap.OSCORE, option)], answer).emit())
        (part,) = parse_mixed(reply.result())
        assert part.body == answer and part.header("OSCORE") == "KBE"
        assert part.member[1]["verified"] == "none"


# --- when numbers cannot be had: 503, never plain

def refused(gate, tap, word, slug="store-unavailable"):
    """503 with this word in its detail, and nothing on the wire."""
    before = len(tap.datagrams(0.05))
    problem = check_problem(gate.request("/lights/status"), 503, slug)
    assert word in problem["detail"], problem
    assert len(tap.datagrams(0.2)) == before


@pytest.fixture
def stateless(group, new_keys, protected, gateway, tmp_path, capture):
    """stateless(make): keys and members; the gateway on what make(keys) returns as its state folder."""

    def start(make):
        keys = new_keys(2)
        protected(keys, group, 2)
        state = make(keys)
        return gateway(settings(state, (group, keys))), keys, state, capture()

    return start


def test_no_state_folder(stateless, tmp_path):
    gate, keys, state, tap = stateless(lambda keys: tmp_path / "nowhere")
    refused(gate, tap, "missing")
    make_state(state, keys)
    verified(gate.get_json("/lights/status"), 2)


def test_a_key_that_is_not_claimed(stateless, tmp_path):
    gate, keys, state, tap = stateless(lambda keys: make_state(tmp_path / "state"))
    refused(gate, tap, "claim", "key-cannot-send")
    Keys.run("claim", keys.gateway, "--state", state)
    verified(gate.get_json("/lights/status"), 2)


def test_a_copied_state_folder(stateless, tmp_path):
    def copied(keys):
        shutil.copytree(make_state(tmp_path / "original", keys), tmp_path / "state")
        return tmp_path / "state"

    gate, keys, state, tap = stateless(copied)
    refused(gate, tap, "copy", "key-cannot-send")
    refused(gate, tap, "copy", "key-cannot-send")


def test_a_backup_does_not_send(stateless, tmp_path):
    def restored(keys):
        state = make_state(tmp_path / "original", keys)
        file = tmp_path / "original.json"
        subprocess.run([BUILD / "castgate", "-c", file, "--backup", tmp_path / "copy.db"], check=True, timeout=60)
        (tmp_path / "state").mkdir(mode=0o700)
        shutil.copy(tmp_path / "copy.db", tmp_path / "state" / "castgate.db")
        assert state.exists()
        return tmp_path / "state"

    gate, keys, state, tap = stateless(restored)
    refused(gate, tap, "copy", "key-cannot-send")


def test_another_gateway_has_the_folder(stateless, tmp_path, gateway, group):
    gate, keys, state, tap = stateless(lambda keys: make_state(tmp_path / "state", keys))
    verified(gate.get_json("/lights/status"), 2)
    second = gateway(settings(state, (group, keys)))
    tap.datagrams(0.1)
    refused(second, tap, "locked by another gateway")
    assert gate.stop() == 0
    verified(second.get_json("/lights/status"), 2)  # takes over


def test_a_removed_state_folder(stateless, tmp_path):
    """What was reserved is used up; nothing after it."""
    gate, keys, state, tap = stateless(lambda keys: make_state(tmp_path / "state", keys))
    verified(gate.get_json("/lights/status"), 2)
    state.rename(tmp_path / "away")
    for _ in range(3):
        verified(gate.get_json("/lights/status"), 2)
    assert gate.running()


def on_tmpfs(tmp_path, *options):
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(("size=256k", *options)), "none", folder], check=True)
    return folder


@pytest.fixture
def disk(tmp_path):
    """A small file system, unmounted in the end."""
    made = []

    def mount(*options):
        if os.geteuid() != 0:
            pytest.skip("needs root")
        made.append(on_tmpfs(tmp_path, *options))
        return made[-1]

    yield mount
    for folder in made:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk(stateless, disk):
    """Space is reserved for numbers, so that commands go on where nothing else fits."""
    folder = disk()

    def make(keys):
        state = make_state(folder / "state", keys)
        (folder / "filler").write_bytes(b"")
        with open(folder / "filler", "wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
        return state

    gate, keys, state, tap = stateless(make)
    verified(gate.get_json("/lights/status"), 2)
    (folder / "filler").unlink()
    verified(gate.get_json("/lights/status"), 2)


def test_a_read_only_disk(stateless, disk):
    folder = disk()

    def make(keys):
        state = make_state(folder / "state", keys)
        subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        return state

    gate, keys, state, tap = stateless(make)
    refused(gate, tap, "written")
    subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
    verified(gate.get_json("/lights/status"), 2)


# --- secrets

def test_secrets_are_told_nowhere(lights, tmp_path):
    gate, keys, fleet = lights(2)
    verified(gate.get_json("/lights/status"), 2)
    put_light(gate, "on")
    told = [gate.log().encode(), gate.request("/metrics", to=gate.admin).body, gate.request("/lights/status").body]
    for arguments in (["-T"], ["-V"]):
        done = subprocess.run([BUILD / "castgate", "-c", gate.file, *arguments], capture_output=True, timeout=60)
        assert done.returncode == 0
        told += [done.stdout, done.stderr]
    good = keys.gateway.read_text()
    secret = keys.secrets[0].hex()
    for bad in (good.replace("sha256", "sha1"), good[:-30], good.replace(secret, secret[:-1]), good.replace(secret, "x" + secret)):
        keys.gateway.write_text(bad)
        done = subprocess.run([BUILD / "castgate", "-c", gate.file, "-T"], capture_output=True, timeout=60)
        assert done.returncode != 0
        told += [done.stdout, done.stderr]
    for secret in keys.secrets:
        for form in (secret, secret.hex().encode(), secret.hex().upper().encode()):
            assert all(form not in text for text in told)


def memory_of(process):
    """(name, bytes) of every mapping that can be read."""
    with open(f"/proc/{process}/maps") as maps, open(f"/proc/{process}/mem", "rb", 0) as memory:
        for line in maps:
            span, modes, *_ , = line.split()
            name = line.split()[5] if len(line.split()) > 5 else ""
            if not modes.startswith("rw") or name.startswith("[v"):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            if end - start > 1 << 28:
                continue  # the sanitizer's own
            try:
                memory.seek(start)
                yield name, memory.read(end - start)
            except (OSError, ValueError, OverflowError):
                pass


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_memory_holds_no_key_file(lights):
    gate, keys, fleet = lights(3)
    verified(gate.get_json("/lights/status"), 3)
    reload_until(gate, gate.settings, "reload")
    status = open(f"/proc/{gate.process.pid}/status").read()
    if b"__asan_init" not in (BUILD / "castgate").read_bytes():  # which does not lock
        assert int(status.split("VmLck:")[1].split()[0]) > 0  # keys lie in locked pages
    image = b"".join(data for _, data in memory_of(gate.process.pid))
    assert len(image) > 1 << 16 and str(keys.gateway).encode() in image  # it is this process's memory
    secrets = keys.secrets
    for secret in secrets:
        assert image.count(secret.hex().encode()) == 0, "a key file's text is still there"
    assert image.count(secrets[0]) == 0 and image.count(secrets[1]) == 0  # Master Secret and Salt: what they gave is kept, not they
    assert image.count(secrets[2]) <= 1  # the own private key, where it signs


def test_no_core_is_written(lights):
    gate, keys, fleet = lights(1)
    limits = open(f"/proc/{gate.process.pid}/limits").read()
    (line,) = [line for line in limits.splitlines() if line.startswith("Max core file size")]
    assert line.split()[4:6] == ["0", "0"]


@pytest.mark.parametrize("configured", [True, False])
def test_one_member_is_asked_where_its_answer_was_verified(lights, new_keys, configured):
    """By its address through the forward proxy (GCP §3.5): the settings', or the one where its credential verified last, without a ping."""
    keys = new_keys(3)
    material = json.loads(keys.gateway.read_text())
    if not configured:
        for peer in material["peers"].values():
            peer.pop("address", None)
        keys.gateway.write_text(json.dumps(material))
    gate, keys, fleet = lights(3, keys=keys, forward=True)
    uri = lambda answer: f"/hc/coap://{answer['from']}/status"
    early = gate.request(f"/hc/coap://127.1.0.1:{fleet.group.port}/status")
    assert early.status == (200 if configured else 403), early
    for answer in verified(gate.get_json("/lights/light"), 3):
        reply = gate.request(uri(answer))
        assert reply.status == 200, reply
        assert f'"{answer["member"]}";verified=source' in reply.headers["Castgate-Member"]
        assert "via=unicast" in reply.headers["Castgate-Member"]
    assert counter(gate, "pings_total") == 0
    check_problem(gate.request("/hc/coap://127.1.0.99/status"), 403, "forbidden")
