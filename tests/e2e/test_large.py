"""What is too large for one message, both ways, where a part of the datagrams is lost: answers that are fetched in blocks, and requests
that go to each member in blocks (R40, R41). More of both, and larger, is in tests/long/large."""

import hashlib
import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import plain_mapping
from probe import Tap, check_problem
from protected import AUTHORIZED, TESTER
from test_protected import lights, new_keys, protected, verified  # noqa: F401 (fixtures)

LARGE = {"repair": {"unicast": True, "large_requests": True}}
BINARY = {**AUTHORIZED, "Content-Type": "application/octet-stream"}


def image(size):
    return random.Random(size).randbytes(size)


def expect_kept(answers, body):
    for answer in answers:
        assert answer["json"] == {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}, answer


def test_an_image_reaches_all_members_in_blocks(lights, group):
    """R41"""
    gate, _, _ = lights(5, "--loss", "0.05", "--seed", "41", timeout=50, leisure=1, **LARGE)
    body = image(5000)
    with Tap(group) as tap:
        put = gate.get_json("/lights/firmware", method="PUT", body=body, headers=BINARY, timeout=80)
        assert {(a["code"], a["via"]) for a in verified(put, 5)} == {("2.04", "unicast")}
        assert put["summary"]["ended_by"] == "all"
        assert tap.packets() == []  # nothing of it was multicast
    expect_kept(verified(gate.get_json("/lights/firmware", headers=AUTHORIZED, timeout=80), 5), body)


def test_large_answers_are_put_together_although_blocks_are_lost(lights, group):
    """R40"""
    gate, _, _ = lights(5, "--big-size", "8192", "--loss", "0.05", "--seed", "40",
                        timeout=50, leisure=1, block_size=512, **LARGE)
    answers = verified(gate.get_json("/lights/big", headers=AUTHORIZED, timeout=80), 5)
    for answer in answers:
        lines = answer["body"].splitlines()
        assert len(answer["body"]) == 8192 and len(lines) == 128
        assert {line[:12] for line in lines} == {lines[0][:12]} and [int(line[18:21].strip(". ")) for line in lines] == list(range(128))
    assert len({answer["body"] for answer in answers}) == 5


def test_uploads_at_the_same_time_do_not_mix(gateway, members):
    fleet = members(2)
    gate = gateway({"group": {"interface": "lo", "nstart": 4}, "clients": TESTER, "mappings": [
        plain_mapping(fleet, timeout=20, unsafe_methods=True, **LARGE, clients=[{"name": "tester", "methods": ["GET", "PUT"]}])]})
    bodies = [image(size) for size in (3000, 5000, 7000)]
    with ThreadPoolExecutor(3) as pool:
        replies = list(pool.map(lambda body: gate.request("/lights/firmware", "PUT", BINARY, body), bodies))
    assert [reply.status for reply in replies] == [200] * 3
    kept = gate.get_json("/lights/firmware", headers=AUTHORIZED)["answers"]
    sums = {(len(body), hashlib.sha256(body).hexdigest()) for body in bodies}
    assert len(kept) == 2 and all((a["json"]["size"], a["json"]["sha256"]) in sums for a in kept)


@pytest.mark.parametrize("more, words", [
    ({}, ["large_requests", "1025", "1024"]),
    ({"block_size": 256}, ["large_requests", "256"]),
    ({**LARGE, "members": [], "membership": "open", "finish": "deadline"}, ["no configured members"]),
])
def test_without_the_setting_it_is_413(gateway, members, more, words):
    fleet = members(2)
    gate = gateway({"group": {"interface": "lo"}, "clients": TESTER, "mappings": [
        plain_mapping(fleet, unsafe_methods=True, clients=[{"name": "tester", "methods": ["GET", "PUT"]}], **more)]})
    with Tap(fleet.group) as tap:
        reply = gate.request("/lights/firmware", "PUT", BINARY, image(1025))
        check_problem(reply, 413, "too-large")
        assert all(word in reply.json()["detail"] for word in words), reply.json()
        assert tap.packets() == []


def test_a_single_member_needs_no_setting(gateway, members):
    fleet = members(2)
    gate = gateway({"group": {"interface": "lo"}, "clients": TESTER, "mappings": [
        plain_mapping(fleet, unsafe_methods=True, stand_in="members", clients=[{"name": "tester", "methods": ["GET", "PUT"]}])]})
    body = image(60000)
    name = fleet.texts[1]
    assert gate.request(f"/lights/.member/{name}/firmware", "PUT", BINARY, body).status == 204
    (answer,) = gate.get_json(f"/lights/.member/{name}/firmware", headers=AUTHORIZED)["answers"]
    expect_kept([answer], body)
