"""Answers that are kept and given again (draft-ietf-core-groupcomm-proxy, Section 7, RFC 10020, Section 3.2), over HTTP and CoAP."""

import base64
import json
import socket
import struct

import pytest

import coap
from coap import ETAG, GROUP_ETAG, MAX_AGE, REPLY_FROM, Client
from conftest import free_udp_port, plain_mapping
from probe import Tap, check_problem, counter, metrics, parse_mixed, parse_multipart_core, wait_for
from protected import AUTHORIZED, TESTER, Keys, ProtectedMembers, make_state, settings


@pytest.fixture
def lamps(members, gateway):
    """lamps(count, …): a gateway that keeps what its members answer, with a client over CoAP."""
    clients = []

    def start(count=3, *arguments, **more):
        port = free_udp_port()
        fleet = members(count, *arguments)
        gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]}, "clients": TESTER,
                        "mappings": [plain_mapping(fleet, cache=True, unsafe_methods=True, clients=["tester", "anonymous"], **more)]})
        clients.append(Client(("127.0.0.1", port)))
        return gate, fleet, clients[-1]

    yield start
    for one in clients:
        one.socket.close()


def vias(reply):
    return {answer["via"] for answer in reply["answers"]}


def group_etag(reply):
    value = reply.headers["Group-ETag"]
    assert value.startswith(":") and value.endswith(":")
    tag = base64.b64decode(value[1:-1], validate=True)
    assert 1 <= len(tag) <= 8
    return value


# ---- HTTP ----


def test_what_is_kept_is_given_without_asking(lamps, group):
    """Also to others, and to CoAP clients; Max-Age is what is left of it (RFC 7252 §5.7.1)."""
    gate, fleet, client = lamps(3, "--max-age", "50")
    first = gate.get_json("/lights/status")
    with Tap(group) as tap:
        second = gate.get_json("/lights/status")
        parts = parse_mixed(gate.request("/lights/status", headers=AUTHORIZED))
        assert tap.packets() == []
    assert (vias(first), vias(second)) == ({"multicast"}, {"cache"})
    assert [a["json"] for a in sorted(second["answers"], key=lambda a: a["from"])] == \
        [a["json"] for a in sorted(first["answers"], key=lambda a: a["from"])]
    assert (second["summary"]["answered"], second["summary"]["missing"], second["summary"]["ended_by"]) == (3, 0, "all")
    for part in parts:
        age = part.header("Cache-Control")
        assert age.startswith("max-age=") and 0 <= int(age[8:]) <= 50
        assert ";via=cache;" in part.header("Castgate-Member") and part.header("Reply-From")
    figures = metrics(gate)
    assert figures['castgate_cache_hits_total{mapping="lights"}'] == 2
    assert figures['castgate_cache_misses_total{mapping="lights"}'] == 1
    assert figures["castgate_cache_bytes"] > 0


def test_who_may_not_ask_gets_nothing_that_is_kept(members, gateway):
    fleet = members(1)
    gate = gateway({"clients": TESTER, "mappings": [plain_mapping(fleet, cache=True, clients=["tester"])]})
    for _ in range(2):
        assert gate.request("/lights/status", headers=AUTHORIZED).status == 200
        check_problem(gate.request("/lights/status"), 401, "unauthorized")


def test_a_command_makes_it_stale(lamps, group):
    gate, fleet, client = lamps(3)
    assert {a["body"] for a in gate.get_json("/lights/light")["answers"]} == {"off"}
    reply = gate.request("/lights/light", "PUT", {"Content-Type": "text/plain", **AUTHORIZED}, b"on")
    assert reply.status == 200
    after = gate.get_json("/lights/light")
    assert ({a["body"] for a in after["answers"]}, vias(after)) == ({"on"}, {"multicast"})
    assert vias(gate.get_json("/lights/light")) == {"cache"}


def test_a_client_may_insist_on_asking(lamps, group):
    gate, fleet, client = lamps(2)
    gate.get_json("/lights/status")
    for headers in ({"Cache-Control": "no-cache"}, {"Cache-Control": "max-age=0"}, {"Pragma": "no-cache"}):
        assert vias(gate.request("/lights/status", headers={"Accept": "application/json", **headers}).json()) == {"multicast"}


def test_a_client_may_have_nothing_kept(lamps):
    """RFC 9111 Section 5.2.1.5: nothing of the answers to its request is stored."""
    gate, fleet, client = lamps(2)
    for _ in range(2):
        assert gate.request("/lights/status", headers={"Cache-Control": "no-store"}).status == 200
    assert vias(gate.get_json("/lights/status")) == {"multicast"}
    assert vias(gate.get_json("/lights/status")) == {"cache"}


def test_other_settings_forget_it(lamps):
    gate, fleet, client = lamps(2)
    gate.get_json("/lights/status")
    assert vias(gate.get_json("/lights/status")) == {"cache"}
    settings = dict(gate.settings)
    settings["mappings"] = [{**settings["mappings"][0], "members": fleet.texts[:1]}]
    gate.reload(settings)
    wait_for(lambda: vias(gate.get_json("/lights/status")) == {"unicast"})


def test_group_etag_over_http(lamps, group):
    """GCP §9.3: 304 with the current tag, as long as nobody says anything else."""
    gate, fleet, client = lamps(3)
    fresh = gate.request("/lights/light")
    tag = group_etag(fresh)
    assert (fresh.status, fresh.headers["Cache-Control"]) == (200, "private, no-cache")
    assert "Group-ETag" in fresh.headers["Vary"]
    with Tap(group) as tap:
        for value in (tag, f':AQI=:, {tag};a=1'):
            reply = gate.request("/lights/light", headers={"Group-ETag": value})
            assert (reply.status, reply.body, group_etag(reply)) == (304, b"", tag)
            assert (reply.headers["Cache-Control"], "Group-ETag" in reply.headers["Vary"]) == ("private, no-cache", True)
        for value in (":AQI=:", f"{tag},", f'"{tag}"', f"{tag} {tag}", ""):
            reply = gate.request("/lights/light", headers={"Group-ETag": value})
            assert (reply.status, group_etag(reply)) == (200, tag)
        assert tap.packets() == []
    gate.request("/lights/light", "PUT", {"Content-Type": "text/plain", **AUTHORIZED}, b"on")
    reply = gate.request("/lights/light", headers={"Group-ETag": tag})
    assert reply.status == 200 and group_etag(reply) != tag
    assert gate.request("/lights/light", headers={"Group-ETag": tag, "Cache-Control": "no-cache"}).status == 200


def test_no_group_etag_without_a_complete_set(lamps):
    """A MUST NOT of GCP §7.3: nothing can be said to be valid that could not be served alone."""
    gate, fleet, client = lamps(2, "--max-age", "0")
    for _ in range(2):
        reply = gate.request("/lights/light", headers={"Group-ETag": ":AQI=:"})
        assert (reply.status, reply.headers["Group-ETag"], reply.headers["Cache-Control"]) == (200, None, "no-store")


# ---- CoAP ----


def test_kept_answers_have_reply_from(lamps, group):
    """GCP §5.4.1, also where another client has had them; each with what is left of Max-Age."""
    gate, fleet, client = lamps(3, "--max-age", "50")
    live = client.gather("lights/status", count=3)
    with Tap(group) as tap:
        kept = client.gather("lights/status", count=3)
        assert tap.packets() == []
    assert {m.one(REPLY_FROM) for m in kept} == {m.one(REPLY_FROM) for m in live} and len({m.one(REPLY_FROM) for m in kept}) == 3
    assert {m.payload for m in kept} == {m.payload for m in live}
    assert all(m.code_text == "2.05" and m.uint(MAX_AGE) <= 50 for m in kept)


def test_group_etag_over_coap(lamps, group):
    gate, fleet, client = lamps(3)
    client.gather("lights/light", count=3)
    tags = {m.one(GROUP_ETAG) for m in client.gather("lights/light", count=3)}
    (tag,) = tags
    assert 1 <= len(tag) <= 8
    with Tap(group) as tap:
        valid = client.gather("lights/light", seconds=0.5, options=[(GROUP_ETAG, b"other"), (GROUP_ETAG, tag)])
        assert [(m.code_text, m.payload, m.all(GROUP_ETAG), m.one(REPLY_FROM)) for m in valid] == [("2.03", b"", [tag], None)]
        assert len(client.gather("lights/light", count=3, options=[(GROUP_ETAG, b"other")])) == 3
        assert tap.packets() == []
    gate.request("/lights/light", "PUT", {"Content-Type": "text/plain", **AUTHORIZED}, b"on")
    assert {m.payload for m in client.gather("lights/light", count=3, options=[(GROUP_ETAG, tag)])} == {b"on"}


def test_group_etag_of_one_response_for_all(lamps):
    gate, fleet, client = lamps(2, aggregate=True)
    accept = [(coap.ACCEPT, b"\x3e")]
    client.call("lights/light", options=accept)
    answer = client.call("lights/light", options=accept)
    counts, ended_by, answers = parse_multipart_core(answer.payload)
    assert (counts["answered"], ended_by, {a["via"] for a in answers}) == (2, "all", {2})
    tag = answer.one(GROUP_ETAG)
    valid = client.call("lights/light", options=[(GROUP_ETAG, tag)] + accept)
    assert (valid.code_text, valid.payload, valid.one(GROUP_ETAG)) == ("2.03", b"", tag)


def test_each_way_to_name_the_group_is_one_question(lamps, group):
    """By Proxy-Uri and by Proxy-Cri, with what was asked by path; each client is told where members are in its own terms."""
    gate, fleet, client = lamps(3, forward=True)
    client.gather("lights/light", count=3)
    cri = b"\x83\x20\x82\x44" + socket.inet_aton(group.address) + b"\x19" + struct.pack("!H", group.port) + b"\x81\x65light"
    with Tap(group) as tap:
        for target in ((coap.PROXY_URI, f"{group.uri}/light".encode()), (coap.PROXY_CRI, cri)):
            kept = client.gather("", count=3, timeout=1, options=[target])
            assert {m.payload for m in kept} == {b"off"} and len({m.one(REPLY_FROM) for m in kept}) == 3
        assert tap.packets() == []


def test_stale_answers_are_asked_about(lamps, group):
    """RFC 10020 §3.2.2: with the entity tags of one member each; /status is another text for each of them."""
    gate, fleet, client = lamps(3, "--max-age", "1")
    first = gate.get_json("/lights/status")
    with Tap(group) as tap:
        wait_for(lambda: gate.get_json("/lights/status") and tap.packets(0) != [])
        assert len(tap.packets()[0].message.all(ETAG)) == 3
    assert counter(gate, "cache_revalidations_total", "lights") >= 3
    reply = gate.get_json("/lights/status")
    assert {json.dumps(a["json"]) for a in reply["answers"]} == {json.dumps(a["json"]) for a in first["answers"]}


# ---- Protected groups ----


@pytest.fixture
def secured(tmp_path, group, gateway):
    """secured(MAX_AGE): gateway and keys of a security group, whose two members are up; only the tester may ask."""
    fleets = []

    def start(max_age):
        keys = Keys(tmp_path / "keys", 2, group.port)
        fleets.append(ProtectedMembers(keys, group, 2, "127.1.0.1", ["--max-age", str(max_age)], tmp_path / "members.log"))
        state = make_state(tmp_path / "state", keys)
        return gateway(settings(state, (group, keys, {"cache": True, "timeout": 1, "clients": ["tester"]}))), keys

    yield start
    for fleet in fleets:
        assert fleet.stop() == 0, fleet.log()


def test_verified_answers_are_kept_and_asked_about(secured, group):
    """Also by 2.03 that is verified; and whoever may not ask gets nothing of it."""
    gate, keys = secured(1)

    def ask():
        reply = gate.get_json("/lights/status", headers=AUTHORIZED)
        assert {(a["verified"], a["kid"]) for a in reply["answers"]} == {("source", "11"), ("source", "12")}
        return reply

    first = ask()
    wait_for(lambda: ask() and counter(gate, "cache_hits_total", "lights") > 0)
    wait_for(lambda: ask() and counter(gate, "cache_revalidations_total", "lights") >= 2)
    assert {json.dumps(a["json"]) for a in ask()["answers"]} == {json.dumps(a["json"]) for a in first["answers"]}
    check_problem(gate.request("/lights/status"), 401, "unauthorized")


def test_other_keys_empty_it(secured, tmp_path):
    """What was verified under the former keys is not given any more, though all of it is fresh."""
    gate, keys = secured(60)
    following = keys.rekeyed(tmp_path / "following")
    Keys.run("claim", following.gateway, "--state", tmp_path / "state")
    for _ in range(2):
        reply = gate.get_json("/lights/light", headers=AUTHORIZED)
    assert vias(reply) == {"cache"}
    gate.reload({**gate.settings, "security_groups": {keys.name: str(following.gateway)}})
    wait_for(lambda: gate.request("/lights/light", headers=AUTHORIZED).status == 504)  # the members are late
