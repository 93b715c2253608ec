"""One loop serves everybody, so no neighbour may hold it for long: the longest turn of the loop, in CPU time as the gateway
measures it itself, stays short whatever is going on. The bounds are ten times what an idle machine needs; tests/bench has the
figures."""

import re
import socket

from conftest import plain_mapping
from test_admin_changes import ROOT, Admin, mapping_of

LONGEST_TURN = 0.25  # seconds of CPU time
MEMBERS = 1000
STREAMS = 200
CONNECTIONS = 500
MAPPINGS = 10000


def metric(gateway, name):
    text = gateway.request("/metrics", to=gateway.admin).body.decode()
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])


def assert_short_turns(gateway):
    assert metric(gateway, "castgate_loop_turn_seconds_count") > 0
    assert 0 < metric(gateway, "castgate_loop_longest_turn_seconds") < LONGEST_TURN


def send_get(gateway, path, *fields):
    connection = socket.create_connection(gateway.http, timeout=30)
    connection.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *fields, "", ""]).encode())
    return connection


def read_until(connection, end):
    seen = b""
    while end not in seen:
        more = connection.recv(65536)
        assert more, seen
        seen += more
    return seen


def test_many_answers(gateway, members):
    fleet = members(MEMBERS)
    castgate = gateway({"mappings": [plain_mapping(fleet, timeout=30)]})
    for accept in ("multipart/mixed", "application/json"):
        reply = castgate.request("/lights/status", headers={"Accept": accept})
        assert reply.summary["answered"] == MEMBERS, reply
        assert reply.summary["missing"] == reply.summary["kernel_drops"] == 0
    assert_short_turns(castgate)


def test_idle_streams(gateway, members):
    fleet = members(3)
    castgate = gateway({"limits": {"exchanges_per_client": STREAMS + 1},
                        "mappings": [plain_mapping(fleet, finish="deadline", timeout=60, max_timeout=60),
                                     plain_mapping(fleet, name="quick")]})
    streams = [send_get(castgate, "/lights/status", "Accept: text/event-stream") for _ in range(STREAMS)]
    try:
        for stream in streams:
            head = read_until(stream, b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
        assert metric(castgate, "castgate_exchanges_running") == STREAMS
        assert castgate.request("/quick/status").summary["answered"] == 3
        assert_short_turns(castgate)
    finally:
        for stream in streams:
            stream.close()


def test_new_connections(gateway, members):
    castgate = gateway({"mappings": [plain_mapping(members(1))]})
    connections = [send_get(castgate, "/nothing") for _ in range(CONNECTIONS)]
    for connection in connections:
        assert read_until(connection, b"\r\n\r\n").startswith(b"HTTP/1.1 404 ")
        connection.close()
    assert_short_turns(castgate)


def test_what_would_come_of_a_change_of_all_mappings(gateway, members):
    """Said beside the loop: it costs the loop no more than the change itself."""
    castgate = gateway({"clients": ROOT})
    admin, mapping = Admin(castgate), mapping_of(members(1), clients=["dash"])
    mappings = [{**mapping, "name": f"m{number}", "path": f"/m{number}", "group": f"coap://224.0.1.187:{10000 + number}"}
                for number in range(MAPPINGS)]
    admin.done("PUT", "import", {"version": 1, "clients": {"dash": {}}, "mappings": mappings})
    longest = metric(castgate, "castgate_loop_longest_turn_seconds")
    for method, path, body in (("PUT", "import", {"version": 1}), ("DELETE", "clients/dash", None)):
        would = admin.done(method, f"{path}?dry_run=true", body, If_Match="*").json()
        assert len(would["loses"]) == MAPPINGS and would["gains"] == []
    assert metric(castgate, "castgate_loop_longest_turn_seconds") < 3 * longest
