"""What the gateway does not send (RFC 10020 §3.6): equal requests share group requests, an interface's budget holds in any window, and whoever
gets no turn hears what binds."""

import http.client
import resource
import socket
from datetime import datetime

import pytest

import coap
from coap import CON, NON, Client
from conftest import free_udp_port, in_namespace, plain_mapping
from links import new_far  # noqa: F401
from lossy import JITTER, Tap as Wire, most_within
from probe import Later, Tap, check_problem, counter, log_lines, silent_mapping, wait_for

MANY, MOMENT = 1000, 0.05
GROUP, PORT = "239.192.7.1", 5683


@pytest.fixture(scope="module", autouse=True)
def enough_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4 * MANY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4 * MANY, hard), hard))


# ---- Bursts ----


def replies_to(sockets, path):
    """All ask the same, one right after another; then their replies are read."""
    for one in sockets:
        one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    replies = []
    for one in sockets:
        response = http.client.HTTPResponse(one)
        response.begin()
        response.read()
        replies.append((response.status, int(response.headers["Castgate-Summary"].partition("answered=")[2].partition(",")[0])))
    return replies


def span_of(entries):
    """In seconds: within which the gateway began them."""
    begun = [datetime.fromisoformat(e["ts"].replace("Z", "+00:00")).timestamp() - int(e["ms"]) / 1000 for e in entries]
    return max(begun) - min(begun)


def at_most(span):
    """Group requests for equal requests that came within so many seconds: three for 100 ms."""
    return 3 if span <= 2 * MOMENT else 2 + span / MOMENT


def test_a_thousand_equal_requests_cost_three_multicasts(members, gateway, group):
    """R38: of members that answer at once, so that hardly any may join a request that is out."""
    fleet = members(3)
    limits = {"exchanges": 2 * MANY, "exchanges_per_client": 2 * MANY}
    gate = gateway({"limits": limits, "mappings": [plain_mapping(fleet, timeout=20)]})
    sockets = [socket.create_connection(gate.http, timeout=60) for _ in range(MANY)]
    try:
        with Tap(group) as tap:
            assert set(replies_to(sockets, "/lights/status")) == {(200, 3)}
            casts = len(tap.packets())
    finally:
        for one in sockets:
            one.close()
    entries = wait_for(lambda: (found := log_lines(gate, "exchange")) and len(found) == MANY and found)
    assert casts <= at_most(span_of(entries)), (casts, span_of(entries))


# ---- Budgets ----


def open_mapping(name, **more):
    return {"name": name, "path": f"/{name}", "group": f"coap://{GROUP}:{PORT}", "security": "none", "leisure": 1,
            "timeout": 20, "finish": "all", "membership": "complete", "clients": ["anonymous"], **more}


def is_bound(datagram):
    """Not acknowledgements."""
    return datagram.is_sent and datagram.message.type in (CON, NON)


@in_namespace
def test_no_window_has_more_than_the_budget(new_far, gateway):  # noqa: F811
    """Group requests, requests to the member that is silent, and those once more; and all are answered for."""
    far = new_far()
    far.cable("gw0", "lamps0", "10.7.1", hosts=3)
    far.run("iptables -I INPUT -d 10.7.1.4 -j DROP")
    far.start("--plain", "--group", f"coap://{GROUP}:{PORT}", "--count", 2, "--bind", "10.7.1.2", "--interface", "lamps0")
    texts = [f"10.7.1.{2 + i}:{PORT}" for i in range(3)]
    budget = {"interface": "gw0", "requests": 4, "seconds": 1}
    gate = gateway({"group": {"interface": "gw0", "nstart": 100, "probing_rate": 1000000, "ack_timeout": 1, "send_budgets": [budget]},
                    "mappings": [open_mapping("lights", members=texts, repair={"unicast": True})]})
    wire = Wire("gw0")
    try:
        pending = [Later(gate.get_json, f"/lights/status?{i}", headers={"Multicast-Timeout": "10"}) for i in range(6)]
        replies = [one.result() for one in pending]
    finally:
        wire.close()
    assert [(r["summary"]["answered"], [m["from"] for m in r["missing"]]) for r in replies] == [(2, texts[2:])] * 6
    times = [d.at for d in wire.datagrams() if is_bound(d)]
    assert wire.dropped == 0 and len(times) >= 6 + 6 + 6
    assert most_within(times, budget["seconds"] - JITTER) <= budget["requests"]
    assert counter(gate, "send_budget_waits_total") > 0


@in_namespace
def test_who_finds_no_room_is_told_what_binds(new_far, gateway):  # noqa: F811
    """A client of the group, and one of an only member, by HTTP and by CoAP: nothing goes out any more."""
    far = new_far()
    far.cable("gw0", "lamps0", "10.7.1", hosts=2)
    coap_port = free_udp_port()
    gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{coap_port}"]},
                    "group": {"interface": "gw0", "send_budgets": [{"interface": "gw0", "requests": 1, "seconds": 600}]},
                    "mappings": [open_mapping("lights", members=[f"10.7.1.2:{PORT}", f"10.7.1.3:{PORT}"]),
                                 open_mapping("lamp", members=[f"10.7.1.2:{PORT}"])]})
    wire = Wire("gw0")
    try:
        assert gate.request("/lights/a", headers={"Multicast-Timeout": "0"}).status == 204
        for path in ("/lights/b", "/lamp/b"):
            reply = gate.request(path, headers={"Multicast-Timeout": "1"})
            problem = check_problem(reply, 429, "too-many-requests")
            assert "group.send_budgets" in problem["detail"]
            assert 500 < int(reply.headers["Retry-After"]) <= 601
        with Client(("127.0.0.1", coap_port)) as client:
            for path in ("lights/c", "lamp/c"):
                answer = client.call(path, timeout=1, seconds=20)
                assert answer.code_text == "4.29" and 500 < answer.uint(coap.MAX_AGE) <= 601
                assert b"group.send_budgets" in answer.payload
    finally:
        wire.close()
    assert len([d for d in wire.datagrams() if is_bound(d)]) == 1


def test_a_coap_client_whose_groups_turn_does_not_come(gateway, group):
    port = free_udp_port()
    gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]}, "group": {"interface": "lo", "probing_rate": 1, "probing_burst": 40},
             "mappings": [silent_mapping(group)]})
    with Tap(group) as tap, Client(("127.0.0.1", port)) as client:
        client.ask("silent/" + "x" * 20, timeout=0)
        tap.next()
        answer = client.call("silent/" + "y" * 20, timeout=1)
        assert (answer.code_text, len(tap.packets())) == ("4.29", 1)
    assert answer.uint(coap.MAX_AGE) >= 1 and b"group.probing_rate" in answer.payload
