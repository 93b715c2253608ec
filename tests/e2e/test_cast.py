"""The group request: one Non-confirmable datagram, where it goes, what counts as an answer to it."""

import ipaddress
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

import coap
from conftest import Group, in_namespace, plain_mapping
from probe import Later, Tap, answer_to, counter, metrics, silent_mapping, wait_for


def test_one_request_is_one_datagram(members, gateway, group):
    """R6, R29, R31: five members, one multicast, five answers that say whose they are."""
    fleet = members(5)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    with Tap(group) as tap:
        reply = gate.get_json("/lights/status?x=1&y=%26")
        [packet] = tap.packets()
    message = packet.message
    assert (message.type, message.code, len(message.token)) == (coap.NON, coap.GET, 8)
    assert message.options == [(coap.URI_PATH, b"status"), (coap.URI_QUERY, b"x=1"), (coap.URI_QUERY, b"y=&")]
    assert (packet.interface, packet.hops, packet.to) == (tap.index, 1, group.address)
    assert packet.source[0] == "127.0.0.1"
    assert sorted(a["from"] for a in reply["answers"]) == sorted(fleet.texts)
    assert reply["summary"]["ended_by"] == "all"


def test_tokens_are_fresh_and_random(members, gateway, group):
    """R29, R32: over many requests no token, and no message ID, comes twice, and tokens follow no pattern."""
    fleet = members(2)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    with Tap(group) as tap:
        for _ in range(150):
            assert gate.get_json("/lights/light")["summary"]["answered"] == 2
        messages = [p.message for p in tap.packets()]
    assert len(messages) == 150
    assert {m.type for m in messages} == {coap.NON}
    assert len({m.token for m in messages}) == len({m.mid for m in messages}) == 150
    for position in range(8):
        assert len({m.token[position] for m in messages}) > 60  # 114 expected of 256 when random
    steps = {int.from_bytes(b.token, "big") - int.from_bytes(a.token, "big") for a, b in zip(messages, messages[1:])}
    assert len(steps) == 149


@pytest.mark.parametrize("repair", [False, True])
def test_a_group_request_is_repeated_by_another_one(gateway, group, repair):
    """R29, R48: nobody answers, and still it goes out once. Where silent members are repaired and many, a second one of its own
    follows when leisure is over (RFC 10020 3.1.3), and then they are asked by unicast."""
    gate = gateway({"mappings": [silent_mapping(group, timeout=2, leisure=0.2, membership="complete", repair={"unicast": repair, "probe": False},
                                                members=["127.9.9.1:9", "127.9.9.2:9"])]})
    with Tap(group) as tap:
        reply = gate.get_json("/silent/x")
        messages = [p.message for p in tap.packets()]
    assert len(messages) == (2 if repair else 1)
    assert {m.type for m in messages} == {coap.NON}
    assert len({m.token for m in messages}) == len({m.mid for m in messages}) == len(messages)
    assert reply["summary"]["missing"] == 2 and reply["answers"] == []
    assert counter(gate, "asked_total", "silent") == (2 if repair else 0)


def test_hop_limit_ipv4(gateway, new_group):
    groups = [new_group() for _ in range(3)]
    gate = gateway({"group": {"interface": "lo", "hops": 5},
                    "mappings": [silent_mapping(groups[0], "general"), silent_mapping(groups[1], "own", hops=37),
                                 silent_mapping(groups[2], "most", hops=255)]})
    for group, name, hops in zip(groups, ("general", "own", "most"), (5, 37, 255)):
        with Tap(group) as tap:
            assert gate.request(f"/{name}/", headers={"Multicast-Timeout": "0"}).status == 204
            assert [p.hops for p in tap.packets()] == [hops]


@in_namespace
def test_ipv6_scopes_and_hop_limit(members, gateway, new_group):
    """R42: link, realm, admin and site scope."""
    for scope in (2, 3, 4, 5):
        group = new_group(f"ff0{scope}::fd")
        fleet = members(3, group=group)
        gate = gateway({"mappings": [plain_mapping(fleet, hops=10 + scope)]})
        with Tap(group) as tap:
            reply = gate.get_json("/lights/status")
            [packet] = tap.packets()
        assert (packet.message.type, packet.hops, packet.interface, packet.to) == (coap.NON, 10 + scope, tap.index, group.address)
        assert sorted(a["from"] for a in reply["answers"]) == sorted(fleet.texts)


@in_namespace
def test_the_right_interface(gateway, new_group):
    """Two links; each mapping's request leaves by its own, IPv4 and IPv6."""
    for name, peer, net in (("left0", "left1", 1), ("right0", "right1", 2)):
        for command in (f"ip link add name {name} type veth peer name {peer}", f"ip addr add 10.7.{net}.1/24 dev {name}",
                        f"ip link set {name} up", f"ip link set {peer} up", f"sysctl -qw net.ipv4.conf.{peer}.accept_local=1",
                        f"sysctl -qw net.ipv4.conf.{peer}.rp_filter=0"):
            subprocess.run(command.split(), check=True)
    # A fresh link's own IPv6 address is tentative for a moment.
    wait_for(lambda: b"tentative" not in subprocess.run(["ip", "-6", "addr"], capture_output=True, check=True).stdout)
    group, group6 = new_group("239.7.7.7"), new_group("ff02::fd")
    gate = gateway({"group": {"interface": "left0"}, "mappings": [
        silent_mapping(group, "left"), silent_mapping(group, "right", interface="right0"),
        silent_mapping(group6, "left6"), silent_mapping(group6, "right6", interface="right0")]})
    for side, source in (("left", "10.7.1.1"), ("right", "10.7.2.1")):
        with Tap(group, "left1") as left, Tap(group, "right1") as right, \
                Tap(group6, "left1") as left6, Tap(group6, "right1") as right6:
            assert gate.request(f"/{side}/v4", headers={"Multicast-Timeout": "0"}).status == 204
            assert gate.request(f"/{side}6/v6", headers={"Multicast-Timeout": "0"}).status == 204
            taps = {"left": (left, left6), "right": (right, right6)}
            for name, (tap, tap6) in taps.items():
                assert [p.source[0] for p in tap.packets()] == ([source] if name == side else [])
                assert [p.message.path for p in tap6.packets()] == (["/v6"] if name == side else [])


@in_namespace
def test_port_5683_is_the_default(gateway):
    """R34"""
    gate = gateway({"mappings": [{**silent_mapping(Group("224.0.1.187", 1)), "group": "coap://224.0.1.187/a"}]})
    with Tap(Group("224.0.1.187", 5683)) as tap:
        assert gate.request("/silent/b", headers={"Multicast-Timeout": "0"}).status == 204
        assert [p.message.path for p in tap.packets()] == ["/a/b"]


@in_namespace
def test_the_sender_joins_no_group(gateway, new_group):
    """R9, R52: neither while it waits for answers nor afterwards."""
    group = new_group(f"239.{random.randrange(1, 255)}.{random.randrange(1, 255)}.{random.randrange(1, 255)}")
    group6 = new_group(str(ipaddress.ip_address(b"\xff\x05" + os.urandom(14))))
    gate = gateway({"mappings": [silent_mapping(group, "four"), silent_mapping(group6, "six")]})

    def joined():
        net = Path(f"/proc/{gate.process.pid}/net")
        four = re.findall(r"^\s+([0-9A-F]{8}) ", (net / "igmp").read_text(), re.M)
        six = [line.split()[2] for line in (net / "igmp6").read_text().splitlines()]
        return {ipaddress.ip_address(bytes.fromhex(a)[::-1]) for a in four} | {ipaddress.ip_address(bytes.fromhex(a)) for a in six}

    addresses = {ipaddress.ip_address(group.address), ipaddress.ip_address(group6.address)}
    before = joined()
    assert not before & addresses
    pending = [Later(gate.request, f"/{name}/", headers={"Multicast-Timeout": "2"}) for name in ("four", "six")]
    wait_for(lambda: counter(gate, "sent_total", "four") == counter(gate, "sent_total", "six") == 1)
    assert joined() == before
    assert [p.result().status for p in pending] == [204, 204]
    assert joined() == before
    with Tap(group), Tap(group6):  # what this test would see if it did
        assert joined() >= addresses


def test_a_member_on_the_same_host_causes_no_loop(members, gateway, group):
    """The members' group and the gateway are on one host: what the gateway sent does not come back to it."""
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet, unsafe_methods=True, clients=["anonymous"])]})
    with Tap(group) as tap:
        for number in range(1, 6):
            assert gate.get_json("/lights/status")["summary"]["answered"] == 3
            assert counter(gate, "datagrams_total") == 3 * number  # the answers and nothing else
        assert len(tap.packets()) == 5


def test_groups_of_other_programs_are_not_heard(gateway, group, capture):
    """Another program on the host joined a group; what is sent to that group at the gateway's port is not the gateway's."""
    silent = silent_mapping(group)
    gate = gateway({"mappings": [silent]})
    with Tap(group) as tap:
        assert gate.request("/silent/", headers={"Multicast-Timeout": "0"}).status == 204
        port = tap.next().source[1]
        capture(Group(group.address, group.port + 1))
        with coap.Endpoint() as endpoint:
            endpoint.send((group.address, port), "/status")
            endpoint.send((group.address, port), "/status", type=coap.CON)
            assert endpoint.receive(0.3) is None
    assert counter(gate, "datagrams_total") == 0
    assert len(tap.seen) == 1


def test_answers_match_by_token_alone(gateway, group):
    """R8: one address with several ports, another address, the request's message ID, the same message ID from all, Confirmable
    answers: all count. A wrong or shorter token does not, wherever it comes from."""
    gate = gateway({"mappings": [silent_mapping(group, finish="count:6")]})
    with Tap(group) as tap, coap.Endpoint() as a, coap.Endpoint() as b, coap.Endpoint("127.5.5.5") as c, \
            coap.Endpoint("127.5.5.6") as d, coap.Endpoint("127.5.5.7", group.port) as e, coap.Endpoint("127.5.5.8") as f:
        pending = Later(gate.get_json, "/silent/x")
        packet = tap.next()
        request, back = packet.message, packet.source
        wrong = [bytes(8), request.token[:7], request.token[:-1] + bytes([request.token[-1] ^ 1]), b"", request.token[::-1]]
        for token in wrong:
            f.send_bytes(back, answer_to(request, b"wrong", token=token))
        f.send_bytes(back, answer_to(request, b"wrong", type=coap.ACK, mid=request.mid ^ 1))
        a.send_bytes(back, answer_to(request, b"a"))
        b.send_bytes(back, answer_to(request, b"b"))
        c.send_bytes(back, answer_to(request, b"c", mid=request.mid))
        d.send_bytes(back, answer_to(request, b"d", mid=request.mid))
        e.send_bytes(back, answer_to(request, b"e", type=coap.CON, mid=4711))
        acknowledgement = e.receive().message
        assert (acknowledgement.type, acknowledgement.code, acknowledgement.mid) == (coap.ACK, coap.EMPTY, 4711)
        f.send_bytes(back, answer_to(request, b"wrong", type=coap.CON, mid=4712, token=bytes(8)))
        reset = f.receive().message
        assert (reset.type, reset.code, reset.mid) == (coap.RST, coap.EMPTY, 4712)
        f.send_bytes(back, answer_to(request, b"f"))
        reply = pending.result()
        ends = {"a": a, "b": b, "c": c, "d": d, "e": e, "f": f}
        expected = {("%s:%d" % end.socket.getsockname(), name) for name, end in ends.items()}
    assert {(x["from"], x["body"]) for x in reply["answers"]} == expected
    assert reply["summary"]["ended_by"] == "count" and reply["summary"]["duplicates"] == 0
    assert [r["reason"] for r in reply["rejected"]] == ["wrong-mid"]
    assert counter(gate, "unknown_token_total") == len(wrong) + 1


def test_concurrent_requests_never_cross(members, gateway, group):
    """R8: twelve requests at once to one group, answers interleaved at random; each gets its own ten answers only."""
    resources = [x for i in range(12) for x in ("--resource", f"/r{i}=text {i}")]
    fleet = members(10, "--delay", "0:400", "--reorder", "--seed", "7", *resources)
    gate = gateway({"group": {"interface": "lo", "nstart": 12}, "mappings": [plain_mapping(fleet, timeout=10)]})
    pending = [Later(gate.get_json, f"/lights/r{i}") for i in range(12)]
    for number, one in enumerate(pending):
        reply = one.result()
        assert [a["body"] for a in reply["answers"]] == [f"text {number}"] * 10
        assert sorted(a["from"] for a in reply["answers"]) == sorted(fleet.texts)


def test_nstart_limits_what_is_outstanding(gateway, group):
    """With nstart 1 the second request waits until the first got an answer."""
    gate = gateway({"mappings": [silent_mapping(group, finish="count:1", timeout=5)]})
    with Tap(group) as tap, coap.Endpoint() as member:
        first = Later(gate.get_json, "/silent/first")
        one = tap.next()
        second = Later(gate.get_json, "/silent/second")
        assert [p.message.path for p in tap.packets(0.4)] == ["/first"]
        member.send_bytes(one.source, answer_to(one.message, b"1"))
        two = tap.next()
        assert two.message.path == "/second" and two.message.token != one.message.token
        member.send_bytes(two.source, answer_to(two.message, b"2"))
        assert [a["body"] for a in first.result()["answers"]] == ["1"]
        assert [a["body"] for a in second.result()["answers"]] == ["2"]


def test_a_single_known_member_is_asked_by_unicast(members, gateway, group):
    """R6"""
    fleet = members(1)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    with Tap(group) as tap:
        reply = gate.get_json("/lights/status")
        assert tap.packets() == []
    [answer] = reply["answers"]
    assert (answer["via"], answer["from"], answer["json"]["status"]) == ("unicast", fleet.texts[0], "ok")


def test_several_groups_one_reply(members, gateway, new_group):
    """R6, R30: one datagram to each target; the reply holds everybody's answer."""
    here, there = new_group(), new_group()
    good = members(3, group=here)
    bad = members(2, "--fail", "2", "--answer-errors", group=there)
    mapping = {**plain_mapping(good), "members": good.texts + bad.texts, "targets": [{"group": here.uri}, {"group": there.uri}]}
    del mapping["group"]
    gate = gateway({"mappings": [mapping]})
    with Tap(here) as one, Tap(there) as two:
        reply = gate.get_json("/lights/status")
        packets = one.packets() + two.packets()
    assert [p.message.path for p in packets] == ["/status"] * 2
    assert packets[0].message.token != packets[1].message.token
    codes = {a["from"]: a["code"] for a in reply["answers"]}
    assert codes == {**dict.fromkeys(good.texts, "2.05"), **dict.fromkeys(bad.texts, "4.04")}


def test_a_network_wide_query_needs_only_the_window(members, gateway, group):
    """R49: nothing is known but the group's address; whoever answers in time is in the reply."""
    fleet = members(8, "--delay", "0:500")
    gate = gateway({"mappings": [silent_mapping(group, "all", timeout=1.5)]})
    reply = gate.get_json("/all/status")
    assert sorted(a["from"] for a in reply["answers"]) == sorted(fleet.texts)
    assert {a["member"] for a in reply["answers"]} == set(fleet.texts)
    assert (reply["summary"]["expected"], reply["summary"]["missing"], reply["summary"]["ended_by"]) == (0, 0, "deadline")


@pytest.mark.parametrize("target, path, query", [
    ("/silent", [], []),
    ("/silent/", [], []),
    ("/silent/a%2Fb/c", [b"a/b", b"c"], []),
    ("/silent/%41%c3%a4", ["Aä".encode()], []),
    ("/silent//x", [b"", b"x"], []),
    ("/silent/x?a=1&b=%26&&c", [b"x"], [b"a=1", b"b=&", b"", b"c"]),
    ("/%73ilent/x%3Fy", [b"x?y"], []),
])
def test_paths_and_queries_arrive_as_meant(gateway, group, target, path, query):
    """RFC 7252 §6.4: what is encoded stays data, whatever it is."""
    gate = gateway({"mappings": [silent_mapping(group)]})
    with Tap(group) as tap:
        assert gate.request(target, headers={"Multicast-Timeout": "0"}).status == 204
        [packet] = tap.packets()
    assert packet.message.all(coap.URI_PATH) == path
    assert packet.message.all(coap.URI_QUERY) == query


@pytest.mark.parametrize("method, headers, body, code, options", [
    ("GET", {}, None, coap.GET, []),
    ("PUT", {"Content-Type": "text/plain"}, b"on", coap.PUT, [(coap.CONTENT_FORMAT, b"")]),
    ("POST", {"Content-Type": "application/json"}, b"{}", coap.POST, [(coap.CONTENT_FORMAT, b"\x32")]),
    ("DELETE", {}, None, coap.DELETE, []),
    ("PATCH", {"Content-Type": "application/json-patch+json"}, b"[]", coap.PATCH, [(coap.CONTENT_FORMAT, b"\x33")]),
    ("PATCH", {"Content-Type": "application/merge-patch+json"}, b"{}", coap.IPATCH, [(coap.CONTENT_FORMAT, b"\x34")]),
    ("POST", {"X-HTTP-Method-Override": "FETCH", "Content-Type": "text/plain"}, b"?", coap.FETCH, [(coap.CONTENT_FORMAT, b"")]),
    ("PUT", {"If-None-Match": "*", "Content-Type": "text/plain"}, b"x", coap.PUT,
     [(coap.IF_NONE_MATCH, b""), (coap.CONTENT_FORMAT, b"")]),
    ("GET", {"Accept": "application/cbor"}, None, coap.GET, [(coap.ACCEPT, b"\x3c")]),
])
def test_methods_and_formats(gateway, group, method, headers, body, code, options):
    """RFC 8075: what the group request is made of, seen on the wire."""
    settings = {"clients": {"demo": {"token_sha256": "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"}},
                "mappings": [silent_mapping(group, unsafe_methods=True, clients=["demo"])]}
    gate = gateway(settings)
    with Tap(group) as tap:
        reply = gate.request("/silent/x", method, {"Authorization": "Bearer secret", "Multicast-Timeout": "0", **headers}, body)
        assert reply.status == 204, reply.body
        [packet] = tap.packets()
    message = packet.message
    assert (message.type, message.code, message.payload) == (coap.NON, code, body or b"")
    assert [o for o in message.options if o[0] != coap.URI_PATH] == options
    assert metrics(gate)['castgate_sent_total{mapping="silent"}'] == 1
