"""What the admin side shows of exchanges, and the requests that are tried there."""

import hashlib
import http.client
import json
import shutil
import struct
import subprocess

import pytest

import coap
from conftest import free_tcp_port, plain_mapping
from protected import Keys, ProtectedMembers, make_state, settings

TOKENS = {"boss": "b" * 40, "operator": "o" * 40, "watcher": "w" * 40, "dashboard": "d" * 40}
ROLES = {"boss": "admin", "operator": "operator", "watcher": "viewer"}


def clients():
    return {name: {"token_sha256": hashlib.sha256(token.encode()).hexdigest(), **({"role": ROLES[name]} if name in ROLES else {})}
            for name, token in TOKENS.items()}


def ask(gate, path, who="watcher", method="GET", body=None):
    headers = {"Authorization": f"Bearer {TOKENS[who]}"}
    if body is not None:
        headers["Content-Type"] = "application/json"
        body = json.dumps(body).encode()
    return gate.request(f"/admin/v1{path}", to=gate.admin, method=method, headers=headers, body=body)


def try_it(gate, who="operator", query="", **body):
    return ask(gate, f"/try{query}", who, "POST", {"mapping": "lights", **body})


@pytest.fixture
def gate(members, gateway):
    """Three members answer, one of them with an error, and one is not there."""
    fleet = members(3, "--fail", "1:4.04", "--answer-errors")
    texts = [*fleet.texts, "127.9.9.9:5683"]
    listed = [{"name": f"lamp-{i}", "address": text} for i, text in enumerate(texts, 1)]
    lights = plain_mapping(fleet, members=listed, membership="complete", timeout=1, repair={"unicast": False})
    lights["clients"] = ["anonymous", {"name": "dashboard", "methods": ["GET"]}]
    return gateway({"mappings": [lights], "clients": clients()})


def latest(gate, query=""):
    return ask(gate, f"/exchanges{query}").json()["items"]


def packets(data):
    """(source port, destination port, payload) of each packet of a pcap file."""
    assert struct.unpack("=IHHIIII", data[:24])[0::6] == (0xa1b2c3d4, 101)
    at, found = 24, []
    while at < len(data):
        length = struct.unpack("=IIII", data[at:at + 16])[2]
        packet = data[at + 16:at + 16 + length]
        head = 20 if packet[0] >> 4 == 4 else 40
        found.append((*struct.unpack("!HH", packet[head:head + 4]), packet[head + 8:]))
        at += 16 + length
    return found


def test_an_exchange_of_late_is_shown_with_each_members_part(gate):
    id = gate.request("/lights/status").headers["Castgate-Exchange"]
    one = ask(gate, f"/exchanges/{id}").json()
    assert one["outcome"] == "missing" and one["status"] == 200 and one["mapping"] == "lights"
    assert sorted(a["outcome"] for a in one["answers"]) == ["answered", "answered", "failed"]
    assert [m["member"] for m in one["missing"]] == ["lamp-4"] and one["missing"][0]["cause"]
    assert one["timeline"]["deadline_ms"] == 1000 and one["measured"]["to_groups"] == 1
    assert one["measured"]["received"] == 3 and one["path"] == "/lights/status"


def test_the_list_has_the_latest_first_in_pages_and_by_filters(gate):
    ids = [gate.request(f"/lights/{i}").headers["Castgate-Exchange"] for i in range(3)]
    assert [e["id"] for e in latest(gate)] == ids[::-1]
    page = ask(gate, "/exchanges?limit=2").json()
    assert [e["id"] for e in page["items"]] == ids[:0:-1]
    assert [e["id"] for e in latest(gate, f"?limit=2&cursor={page['next']}")] == ids[:1]
    gate.request("/nowhere")
    assert [e["status"] for e in latest(gate, "?outcome=refused")] == [404]
    assert len(latest(gate, "?mapping=lights&member=lamp-4")) == 3 and latest(gate, "?member=lamp-9") == []
    assert ask(gate, "/exchanges?outcome=sad").status == 400


def test_thousands_are_read_page_by_page(gate):
    """Each once, the latest first, whatever the filter; a page may have none of them and still have a next one."""
    connection = http.client.HTTPConnection(*gate.http)
    ids = []
    for i in range(1500):
        connection.request("GET", f"/nowhere/{i}")
        response = connection.getresponse()
        response.read()
        ids.append(response.headers["Castgate-Exchange"])
    connection.close()
    gate.request("/lights/status")
    for query, expected in ("outcome=refused", ids[::-1]), ("member=127.9.9.9:5683", []), ("mapping=lights", []):
        found, cursor, pages = [], "", 0
        while cursor is not None and pages < 100:
            page = ask(gate, f"/exchanges?limit=400&{query}" + (f"&cursor={cursor}" if cursor else "")).json()
            found += [item["id"] for item in page["items"]]
            cursor, pages = page["next"], pages + 1
        assert cursor is None
        if expected:
            assert found == expected
        else:
            assert len(found) == 1


def test_a_try_answers_as_the_data_side_with_figures(gate):
    reply = try_it(gate, path="/status")
    assert reply.status == 200
    body = reply.json()
    assert len(body["answers"]) == 3 and body["summary"]["missing"] == 1
    assert body["predicted"]["datagrams"] == 1 and body["measured"]["to_groups"] == 1
    assert body["predicted"]["targets"][0]["bytes"] == body["measured"]["largest"]
    recorded = ask(gate, f"/exchanges/{body['exchange']}").json()
    assert recorded["predicted"] == body["predicted"]


def test_a_dry_try_sends_nothing(gate, capture, group):
    heard = capture()
    body = try_it(gate, query="?dry_run=true", path="/status").json()
    assert body["sends"]["datagrams"] == 1 and body["sends"]["expected"] == 4
    assert heard.datagrams() == [] and latest(gate) == []


@pytest.mark.parametrize("who, body, status", [
    ("watcher", {}, 403),
    ("operator", {"method": "PUT", "body": "on"}, 403),
    ("operator", {"client": "dashboard", "method": "FETCH"}, 403),
    ("operator", {"client": "watcher"}, 403),
    ("operator", {"client": "nobody"}, 400),
    ("operator", {"mapping": "nothing"}, 404),
    ("operator", {"mapping": 7}, 400),
    ("operator", {"method": "SHOUT"}, 400),
    ("operator", {"speed": 3}, 400),
    ("operator", {"timeout": -1}, 400),
    ("boss", {"method": "PUT", "body": "on", "path": "/light"}, 200),
    ("operator", {"client": "dashboard"}, 200),
])
def test_who_may_try_what(gate, who, body, status):
    assert try_it(gate, who, **body).status == status


def test_a_mapping_that_is_not_saved_is_tried_and_leaves_nothing(members, gateway):
    fleet = members(3)
    whole = plain_mapping(fleet, timeout=1, clients=[{"name": "dashboard", "methods": ["GET"]}])
    whole.pop("name"), whole.pop("path")
    gate = gateway({"clients": clients()})
    before = [ask(gate, path, "boss").body for path in ("/members", "/mappings", "/revisions", "/export")]
    assert try_it(gate, mapping=whole).status == 403
    dry = try_it(gate, "boss", "?dry_run=true", mapping=whole, path="/status")
    assert dry.status == 200 and dry.json()["sends"]["datagrams"] == 1
    for client in ({}, {"client": "dashboard"}):
        reply = try_it(gate, "boss", mapping=whole, path="/status", **client)
        assert reply.status == 200 and len(reply.json()["answers"]) == 3, reply.body
        assert reply.json()["mapping"] == "unsaved" and reply.json()["predicted"]["bytes"] > 0
    assert try_it(gate, "boss", mapping=whole, path="/status", client="watcher").status == 403
    wrong = try_it(gate, "boss", mapping={**whole, "timeout": "long"})
    assert wrong.status == 400 and wrong.json()["errors"][0]["pointer"] == "#/mapping/timeout"
    assert [ask(gate, path, "boss").body for path in ("/members", "/mappings", "/revisions", "/export")] == before
    assert gate.request("/unsaved/status").status == 404


def test_the_datagrams_of_an_exchange_open_in_an_analyser(gate, tmp_path):
    id = gate.request("/lights/status").headers["Castgate-Exchange"]
    assert ask(gate, f"/exchanges/{id}/pcap").status == 403
    reply = ask(gate, f"/exchanges/{id}/pcap", "operator")
    assert reply.headers["Content-Type"] == "application/vnd.tcpdump.pcap"
    found = packets(reply.body)
    own = found[0][0]  # whoever is silent may be asked why, so there are four datagrams at the least
    assert len(found) >= 4 and all(own in (source, to) for source, to, _ in found)
    assert all(payload[0] >> 6 == 1 for _, _, payload in found)
    if shutil.which("tcpdump"):
        (tmp_path / "it.pcap").write_bytes(reply.body)
        read = subprocess.run(["tcpdump", "-nr", tmp_path / "it.pcap"], capture_output=True, text=True)
        assert read.returncode == 0 and read.stdout.count("UDP") == len(found) and "bad" not in read.stdout


def packets_of(gate, id, who):
    reply = ask(gate, f"/exchanges/{id}/pcap", who)
    assert reply.status == 200, reply.body
    return packets(reply.body)


def texts_of(found):
    """Of a payload that is left out the marker before it stays."""
    return [coap.Message.parse(datagram.removesuffix(b"\xff")).payload for _, _, datagram in found]


def test_datagrams_have_their_payloads_for_administrators_alone(gate):
    reply = gate.request("/lights/status")
    id, said = reply.headers["Castgate-Exchange"], {text for text in texts_of(packets_of(gate, reply.headers["Castgate-Exchange"], "boss"))}
    assert any(text and text in reply.body for text in said), said
    operators = packets_of(gate, id, "operator")
    assert len(operators) >= 4 and set(texts_of(operators)) == {b""}


def test_datagrams_have_no_payloads_where_none_are_kept(gate, gateway):
    silent = gateway({**gate.settings, "http": {"listen": [f"127.0.0.1:{free_tcp_port()}"]},
                      "admin": {"listen": [f"127.0.0.1:{free_tcp_port()}"]}, "recorder": {"payloads": "none"}})
    id = silent.request("/lights/status").headers["Castgate-Exchange"]
    assert set(texts_of(packets_of(silent, id, "boss"))) == {b""}


def test_nothing_of_a_mapping_that_hides_its_members_is_in_its_record(members, gateway):
    fleet = members(2)
    lights = plain_mapping(fleet, anonymise=True, stand_in="members", timeout=1)
    gate = gateway({"mappings": [lights], "clients": clients()})
    id = gate.request("/lights/status").headers["Castgate-Exchange"]
    text = ask(gate, f"/exchanges/{id}").body.decode()
    assert not any(address in text for address, _ in fleet.addresses)
    assert ask(gate, f"/exchanges/{id}/pcap", "operator").status == 403


def test_a_secured_request_is_as_long_as_predicted(group, gateway, tmp_path):
    keys = Keys(tmp_path / "keys", 2, group.port)
    fleet = ProtectedMembers(keys, group, 2, "127.1.0.1", [], tmp_path / "members.log")
    try:
        given = settings(make_state(tmp_path / "state-of-it", keys), (group, keys))
        gate = gateway({**given, "clients": {**given["clients"], **clients()}})
        for _ in range(2):
            body = try_it(gate, mapping=keys.name, path="/status").json()
            assert body["summary"]["answered"] == 2
        assert body["predicted"]["targets"][0]["bytes"] == body["measured"]["largest"] > 80
    finally:
        fleet.stop()
