"""castgate-member as other programs see it, and with it the fixtures of this folder."""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

import coap
from conftest import BUILD, Group, free_udp_port, in_namespace


def run(*arguments):
    return subprocess.run([BUILD / "castgate-member", *arguments], capture_output=True, text=True, timeout=10)


def test_every_member_answers_from_its_own_address(members, endpoint, group):
    """R31"""
    fleet = members(10)
    request = endpoint.send(group.destination, "/status")
    answers = endpoint.collect(10)
    assert [a.source for a in answers] == fleet.addresses
    for number, answer in enumerate(answers, 1):
        message = answer.message
        assert (message.type, message.code_text, message.token) == (coap.NON, "2.05", request.token)
        assert message.uint(coap.CONTENT_FORMAT) == 50
        assert json.loads(message.payload) == {"member": number, "address": fleet.texts[number - 1], "status": "ok"}
    assert endpoint.receive(0.2) is None


def test_members_answer_by_unicast(members, endpoint):
    fleet = members(3)
    for address in fleet.addresses:
        answer = endpoint.request(address, "/light")
        assert (answer.type, answer.code_text, answer.payload) == (coap.ACK, "2.05", b"off")
    assert endpoint.request(fleet.addresses[0], "/nowhere").code_text == "4.04"
    mid = endpoint.next_mid()
    endpoint.send_empty(fleet.addresses[0], coap.CON, mid)
    reset = endpoint.receive().message
    assert (reset.type, reset.mid) == (coap.RST, mid)


def test_two_fleets_share_a_group(members, endpoint, group):
    """R30: what answers 4.04 and what answers 2.05 in one group."""
    good, bad = members(3), members(2, "--fail", "2")
    endpoint.send(group.destination, "/status")
    answers = {a.source: a.message.code_text for a in endpoint.collect(5)}
    assert answers == {**dict.fromkeys(good.addresses, "2.05"), **dict.fromkeys(bad.addresses, "4.04")}


def test_groups_on_different_ports_do_not_hear_each_other(members, endpoint, new_group):
    here, there = new_group(), new_group()
    members(2, group=here)
    members(2, group=there)
    endpoint.send(here.destination, "/status")
    assert {a.source[1] for a in endpoint.collect(timeout=0.5)} == {here.port}


def test_the_capture_hears_what_is_sent_to_the_group(capture, endpoint, group, members):
    """R29"""
    members(2)
    listener = capture()
    sent = [endpoint.send(group.destination, path) for path in ("/status", "/light?a=b")]
    assert listener.messages() == sent
    assert {source for _, source in listener.datagrams(0)} == {("127.0.0.1", endpoint.port)}


def test_large_answers_come_in_blocks(members, endpoint, group):
    """R40"""
    fleet = members(3)
    endpoint.send(group.destination, "/big")
    for answer in endpoint.collect(3):
        message = answer.message
        assert message.block() == (0, True, 1024)
        assert message.uint(coap.SIZE2) == 4096
        whole, etag = message.payload, message.one(coap.ETAG)
        for number in range(1, 4):
            part = endpoint.request(answer.source, "/big", options=[(coap.BLOCK2, coap.block(number, False, 1024))])
            assert part.block() == (number, number < 3, 1024)
            assert part.one(coap.ETAG) == etag
            whole += part.payload
        lines = whole.decode().splitlines()
        assert len(whole) == 4096 and len(lines) == 64
        member = fleet.addresses.index(answer.source) + 1
        assert [line.split()[:4] for line in lines] == [["member", str(member), "line", str(i)] for i in range(64)]


def test_observers_are_told(members, endpoint, group):
    """R39, the members' side"""
    fleet = members(3)
    request = endpoint.send(group.destination, "/light", options=[(coap.OBSERVE, b"")])
    first = {a.source: a.message.uint(coap.OBSERVE) for a in endpoint.collect(3)}
    assert set(first) == set(fleet.addresses)
    with coap.Endpoint() as other:
        other.send(group.destination, "/light", coap.PUT, payload=b"on")
        assert {a.message.code_text for a in other.collect(3)} == {"2.04"}
    told = endpoint.collect(3)
    assert {a.source for a in told} == set(fleet.addresses)
    for notification in told:
        assert notification.message.token == request.token
        assert notification.message.payload == b"on"
        assert notification.message.uint(coap.OBSERVE) > first[notification.source]


def test_slow_takes_two_seconds(members, endpoint, group):
    members(2)
    start = time.monotonic()
    endpoint.send(group.destination, "/slow")
    answers = endpoint.collect(2)
    assert len(answers) == 2
    assert 1.9 < answers[0].at - start < 3.5


def test_well_known_core_with_filters(members, endpoint, group):
    """R36, R45"""
    members(2, "--resource", "/room=kitchen")
    endpoint.send(group.destination, "/.well-known/core?href=/room")
    answers = endpoint.collect(2)
    assert [a.message.payload for a in answers] == [b"</room>;ct=0"] * 2
    assert answers[0].message.uint(coap.CONTENT_FORMAT) == 40
    endpoint.send(group.destination, "/.well-known/core?rt=nothing")
    assert endpoint.receive(0.3) is None


def cpu_seconds(program):
    fields = Path(f"/proc/{program.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ten_thousand_answers_within_a_second(members, endpoint, group):
    """R17, the members' side: what a test of the gateway can rely on, where nobody else needs the processor."""
    fleet = members(10000)
    before = cpu_seconds(fleet)
    endpoint.send(group.destination, "/light")
    answers = endpoint.collect(10000)
    assert len({a.source for a in answers}) == 10000
    assert cpu_seconds(fleet) - before < 1


def test_delay_and_seed(members, endpoint, group):
    members(20, "--delay", "200:400", "--loss", "0.2", "--duplicate", "0.2", "--reorder", "--seed", "3")
    start = time.monotonic()
    endpoint.send(group.destination, "/status")
    answers = endpoint.collect(timeout=1)
    assert 8 <= len(answers) <= 30
    assert answers[0].at - start >= 0.2
    assert len({a.source for a in answers}) < 20


@pytest.mark.parametrize("kind", ["garbage", "oversized", "repeat:3", "con", "wrong-token", "late:300", "request-mid"])
def test_misbehaviour(members, endpoint, group, kind):
    members(20, "--misbehave", kind, "--seed", "1")
    start = time.monotonic()
    request = endpoint.send(group.destination, "/status")
    raw = []
    while (got := endpoint.receive_bytes(0.5)) is not None:
        raw.append((got[0], time.monotonic() - start))
    assert len(raw) == (60 if kind == "repeat:3" else 20)
    parsed = []
    for data, _ in raw:
        try:
            parsed.append(coap.Message.parse(data))
        except coap.FormatError:
            pass
    if kind == "garbage":
        assert len(parsed) < 20
        return
    assert len(parsed) == len(raw)
    assert all(len(m.payload) == 60000 for m in parsed) == (kind == "oversized")
    assert all(m.type == coap.CON for m in parsed) == (kind == "con")
    assert any(m.token != request.token for m in parsed) == (kind == "wrong-token")
    assert all(m.mid == request.mid for m in parsed) == (kind == "request-mid")
    assert (raw[0][1] > 0.29) == (kind == "late:300")


@in_namespace
def test_ipv6_members_have_consecutive_ports(members):
    """R42: link, realm, admin and site scope."""
    for scope in (2, 3, 4, 5):
        group = Group(f"ff0{scope}::fd", free_udp_port())
        fleet = members(3, group=group)
        with coap.Endpoint("::1") as endpoint:
            endpoint.send(group.destination, "/status")
            answers = endpoint.collect(3)
        assert [a.source for a in answers] == fleet.addresses
        assert fleet.addresses[2] == ("::1", group.port + 2)


@pytest.mark.parametrize("arguments, reason", [
    ([], "--plain"),
    (["--keys", "group.json"], "cannot be read"),
    (["--keys", "group.json", "--plain"], "--keys"),
    (["--plain", "--group", "coaps://224.0.1.187"], "--group"),
    (["--plain", "--group", "coap://224.0.1.187:5684"], "--group"),
    (["--plain", "--count", "0"], "--count"),
    (["--plain", "--interface", "none0"], "none0"),
    (["--plain", "--nonsense"], "--nonsense"),
])
def test_wrong_arguments_are_refused(arguments, reason):
    result = run(*arguments)
    assert result.returncode != 0
    assert reason in result.stderr
    assert result.stdout == ""


def test_help_names_every_option():
    text = run("--help").stdout
    for option in ("--group", "--count", "--bind", "--interface", "--plain", "--delay", "--loss", "--duplicate",
                   "--reorder", "--seed", "--resource", "--fail", "--answer-errors", "--misbehave", "--keys", "--numbers", "--mode",
                   "--window-lost", "--no-deduplication"):
        assert option in text


def test_too_few_descriptors_are_explained():
    result = subprocess.run(["bash", "-c", 'ulimit -n 100; exec setpriv --bounding-set=-all --inh-caps=-all "$0" "$@"',
                             BUILD / "castgate-member", "--plain", "--count", "1000"], capture_output=True, text=True, timeout=10)
    assert result.returncode == 1
    assert "the hard limit is 100" in result.stderr
