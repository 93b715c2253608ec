"""PATH/.member/NAME: one member of a mapping, by unicast (GCP, "Reverse-Proxies")."""

import base64
import json

import pytest

from conftest import plain_mapping
from probe import Tap, cbor, check_problem, log_lines, parse_mixed
from protected import AUTHORIZED, TESTER


@pytest.fixture
def lamps(members, gateway):
    """lamps(count, …): a gateway that stands in for its members, which are called lamp-1 and so on."""

    def start(count=3, *arguments, **more):
        fleet = members(count, *arguments)
        named = [{"name": f"lamp-{i + 1}", "address": address} for i, address in enumerate(fleet.texts)]
        particulars = {"stand_in": "members", "members": named, **more}
        return gateway({"clients": TESTER, "mappings": [plain_mapping(fleet, **particulars)]}), fleet

    return start


def test_one_member_is_asked_and_no_group(lamps, group):
    gate, fleet = lamps(3)
    with Tap(group) as tap:
        reply = gate.get_json("/lights/.member/lamp-2/status?x=1")
        assert tap.packets() == []
    (answer,) = reply["answers"]
    assert (answer["member"], answer["from"], answer["via"]) == ("lamp-2", fleet.texts[1], "unicast")
    summary = reply["summary"]
    assert (summary["answered"], summary["expected"], summary["missing"], summary["ended_by"]) == (1, 1, 0, "all")
    (line,) = log_lines(gate, "exchange")
    assert line["member"] == "lamp-2"


def test_the_reply_is_the_members_own(lamps):
    gate, fleet = lamps(2)
    reply = gate.request("/lights/.member/lamp-2/status")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json"), reply
    assert reply.body == json.dumps(gate.get_json("/lights/.member/lamp-2/status")["answers"][0]["json"], separators=(",", ":")).encode()
    assert reply.headers["Castgate-Member"].startswith('"lamp-2";verified=none;via=unicast')
    assert (reply.summary["answered"], reply.summary["expected"]) == (1, 1)
    assert reply.headers["Cache-Control"] == "no-store" and "sandbox" in reply.headers["Content-Security-Policy"]
    reply = gate.request("/lights/.member/lamp-2/nothing")
    assert reply.status == 404 and "problem" not in (reply.headers["Content-Type"] or "")
    reply = gate.request("/lights/.member/lamp-2/status", headers={"Accept": "application/cbor"})
    assert reply.status == 406  # the member's own word: asked alone it says it
    for accept, form in (("multipart/mixed", "multipart/mixed"), ("text/html", "text/html"), ("*/*", "application/json")):
        reply = gate.request("/lights/.member/lamp-2/status", headers={"Accept": accept})
        assert reply.status == 200 and reply.headers["Content-Type"].startswith(form)


def test_reply_from_leads_back_to_the_member(lamps):
    """GCP, "Reverse-Proxies": it names the gateway, as the client has named it, and the path there."""
    gate, fleet = lamps(3)
    for part in parse_mixed(gate.request("/lights/light")):
        value = base64.b64decode(part.header("Reply-From").strip(":"))
        (scheme, authority), at = cbor(value)
        (discard, path), end = cbor(value, at)
        assert (scheme, authority, discard, end) == (-3, [bytes([127, 0, 0, 1]), gate.http[1]], True, len(value))
        reply = gate.request("/" + "/".join(path))
        assert reply.headers["Castgate-Member"].startswith(f'"{part.member[0]}";')
        assert reply.headers["Reply-From"] == part.header("Reply-From")


def test_a_member_that_is_silent(lamps):
    gate, fleet = lamps(2, members=[{"name": "lost", "address": "127.9.9.9:9"}], timeout=1, silence="204")
    problem = check_problem(gate.request("/lights/.member/lost/status"), 504, "no-answer")
    assert "lost" in problem["detail"]
    check_problem(gate.request("/lights/.member/lost/status", headers={"Multicast-Timeout": "1"}), 504, "no-answer")
    reply = gate.request("/lights/.member/lost/status", headers={"Accept": "application/json"})
    assert reply.status == 504 and reply.json()["missing"][0]["member"] == "lost"


def test_a_member_that_does_not_exist(lamps, group):
    gate, fleet = lamps(2)
    with Tap(group) as tap:
        for path in (".member", ".member/", ".member/lamp-3", "%2Emember/lamp-3/status", ".member/" + fleet.texts[0]):
            problem = check_problem(gate.request("/lights/" + path), 404, "not-found")
            assert "/lights/.member/NAME" in problem["detail"]
        assert tap.packets() == []


def test_only_a_mapping_that_says_so_stands_in_for_members(lamps, group):
    gate, fleet = lamps(1, stand_in="group")
    with Tap(group) as tap:
        problem = check_problem(gate.request("/lights/.member/lamp-1"), 404, "not-found")
        assert '"stand_in": "members"' in problem["detail"]
        assert tap.packets() == []


def test_large_answers_come_in_blocks(lamps):
    gate, fleet = lamps(2)
    (answer,) = gate.get_json("/lights/.member/lamp-1/big")["answers"]
    assert len(answer["body"]) == 4096


def test_what_one_member_is_told_the_others_are_not(lamps):
    gate, fleet = lamps(3, unsafe_methods=True, clients=["tester", "anonymous"])
    before = lights_of(gate)
    reply = gate.request("/lights/.member/lamp-2/light", "PUT", {"Content-Type": "text/plain", **AUTHORIZED}, b"dim")
    assert reply.status // 100 == 2, reply
    assert lights_of(gate) == {**before, "lamp-2": "dim"}


def lights_of(gate):
    return {answer["member"]: answer["body"] for answer in gate.get_json("/lights/light")["answers"]}
