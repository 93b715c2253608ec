"""What the client gets: the forms of the reply, exactly, what ends the collecting, and what is said beside it."""

import base64
import email
import email.policy
import hashlib
import http.client
import json
import re
from urllib.parse import quote

import pytest

import coap
from conftest import plain_mapping
from probe import (Later, Tap, answer_to, cbor, counter, log_lines, metrics, parse_cri, parse_mixed, parse_multipart_core, parse_part, sf_dictionary,
                   silent_mapping, wait_for)

SUMMARY = {"answered", "failed", "missing", "late", "duplicates", "rejected", "expected", "kernel_drops", "ended_by", "ms"}


# --- the readers used here, on known bytes


def test_the_readers():
    assert parse_cri(bytes.fromhex("8220814400000000".replace("00000000", "7f010001"))) == ("127.1.0.1", 5683)
    assert parse_cri(bytes.fromhex("822082447f01000119162e")) == ("127.1.0.1", 5678)
    assert cbor(bytes.fromhex("83010243616263")) == ([1, 2, b"abc"], 7)
    assert sf_dictionary("a=1, b=token,c=-3") == {"a": 1, "b": "token", "c": -3}
    for wrong in ("a=1;;b", "A=1", "a = 1", "a=\"x", "a=1,, b=2", ""):
        with pytest.raises(AssertionError):
            sf_dictionary(wrong)
    with pytest.raises(AssertionError):
        parse_part(b"Content-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxx")


# --- multipart/mixed


def test_mixed(members, gateway):
    """R30, R31: one part a member, an HTTP response each, strictly parsed here and by Python's email parser."""
    good, bad = members(3), members(2, "--fail", "2", "--answer-errors")
    mapping = {**plain_mapping(good), "members": good.texts + bad.texts}
    gate = gateway({"mappings": [mapping]})
    reply = gate.request("/lights/status")
    parts = parse_mixed(reply)
    assert {p.origin for p in parts} == set(good.addresses + bad.addresses) and len(parts) == 5
    for part in parts:
        ip, port = part.origin
        name, parameters = part.member
        assert name == f"{ip}:{port}"
        assert (parameters["verified"], parameters["via"]) == ("none", "multicast") and parameters["ms"].isdigit()
        if part.origin in good.addresses:
            assert (part.status, part.reason, part.header("Content-Type")) == (200, "OK", "application/json")
            assert json.loads(part.body)["address"] == name
        else:
            assert (part.status, part.reason) == (404, "Not Found")
    message = email.message_from_bytes(b"Content-Type: " + reply.headers["Content-Type"].encode() + b"\r\n\r\n" + reply.body,
                                       policy=email.policy.HTTP)
    assert message.is_multipart() and not message.defects
    pieces = list(message.iter_parts())
    assert [p.get_content_type() for p in pieces] == ["application/http"] * 5
    assert not any(p.defects for p in pieces)
    for piece, part in zip(pieces, parts):
        again = parse_part(b"Content-Type: application/http\r\n\r\n" + piece.get_payload(decode=True))
        assert (again.status, again.headers, again.body) == (part.status, part.headers, part.body)


def test_mixed_carries_etag_and_max_age(members, gateway):
    fleet = members(2, "--max-age", "7")
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    for part in parse_mixed(gate.request("/lights/big")):
        assert part.header("Cache-Control") == "max-age=7"
        assert re.fullmatch(r'"[0-9a-f]{2,16}"', part.header("ETag"))


def test_named_members(members, gateway):
    fleet = members(2)
    named = [{"name": "lamp-1", "address": fleet.texts[0]}, {"name": "lamp-2", "address": fleet.texts[1]}, {
        "name": "lamp-3", "address": "127.9.9.9:1"}]
    gate = gateway({"mappings": [plain_mapping(fleet, members=named, timeout=1)]})
    assert {p.member[0] for p in parse_mixed(gate.request("/lights/status"))} == {"lamp-1", "lamp-2"}
    reply = gate.get_json("/lights/status")
    assert {(a["member"], a["from"]) for a in reply["answers"]} == {("lamp-1", fleet.texts[0]), ("lamp-2", fleet.texts[1])}
    assert [(m["member"], m["from"]) for m in reply["missing"]] == [("lamp-3", "127.9.9.9:1")]


@pytest.mark.parametrize("code, status, payload", [
    ("2.05", 200, b"x"), ("2.01", 201, b""), ("2.04", 204, b""), ("2.04", 200, b"x"), ("2.03", 304, b""), ("4.00", 400, b"x"),
    ("4.01", 403, b""), ("4.02", 500, b""), ("4.03", 403, b""), ("4.04", 404, b""), ("4.05", 400, b""), ("4.06", 406, b""),
    ("4.13", 413, b""), ("4.15", 415, b""), ("4.29", 429, b""), ("5.00", 500, b""), ("5.01", 501, b""), ("5.02", 502, b""),
    ("5.03", 503, b""), ("5.04", 504, b""), ("5.05", 502, b""), ("2.31", 502, b""), ("5.31", 500, b"")])
def test_a_part_has_the_status_of_rfc8075(gateway, group, code, status, payload):
    gate = gateway({"mappings": [silent_mapping(group, finish="count:1")]})
    with Tap(group) as tap, coap.Endpoint() as member:
        pending = Later(gate.request, "/silent/x")
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, payload, code))
        [part] = parse_mixed(pending.result())
    assert (part.status, part.body) == (status, payload)
    assert part.reason == ("CoAP server returned 4.05" if code == "4.05" else part.reason) != ""


# --- application/json


def test_json(members, gateway):
    """R30, R31: the document as it is described, key by key."""
    good, bad = members(2, "--max-age", "5"), members(1, "--fail", "1:5.03", "--answer-errors")
    absent = "127.9.9.9:7"
    mapping = {**plain_mapping(good), "members": good.texts + bad.texts + [absent], "timeout": 1}
    gate = gateway({"mappings": [mapping]})
    reply = gate.request("/lights/status", headers={"Accept": "application/json"})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    document = reply.json()
    assert list(document) == ["exchange", "mapping", "summary", "answers", "missing", "rejected"]
    assert document["exchange"] == reply.headers["Castgate-Exchange"]
    assert document["mapping"] == "lights"
    summary = document["summary"]
    assert set(summary) == SUMMARY
    assert {k: summary[k] for k in SUMMARY - {"ms"}} == {
        "answered": 3, "failed": 1, "missing": 1, "late": 0, "duplicates": 0, "rejected": 0, "expected": 4, "kernel_drops": 0,
        "ended_by": "deadline"}
    assert 1000 <= summary["ms"] < 10000
    assert [(m["member"], m["from"]) for m in document["missing"]] == [(absent, absent)] and document["rejected"] == []
    answers = {a["from"]: a for a in document["answers"]}
    assert set(answers) == set(good.texts + bad.texts)
    for text in good.texts:
        answer = answers[text]
        assert {k: answer[k] for k in answer if k not in ("ms", "json", "options")} == {
            "member": text, "from": text, "kid": None, "verified": "none", "via": "multicast", "code": "2.05", "status": 200,
            "content_type": "application/json"}
        assert answer["json"]["address"] == text
        assert answer["options"]["14"] == ["05"]
        assert 0 <= answer["ms"] <= summary["ms"]
    failed = answers[bad.texts[0]]
    assert (failed["code"], failed["status"]) == ("5.03", 503) and "json" not in failed


@pytest.mark.parametrize("options, payload, key, value", [
    ([], b"", None, None),
    ([], b"diagnostic", "body", "diagnostic"),
    ([(coap.CONTENT_FORMAT, b"")], "Grüße \"\\\n\x00\x1f\u2028".encode(), "body", "Grüße \"\\\n\x00\x1f\u2028"),
    ([(coap.CONTENT_FORMAT, b"")], b"\xff\xfe", "body_base64", "//4="),
    ([(coap.CONTENT_FORMAT, b"\x2a")], b"text?", "body_base64", "dGV4dD8="),
    ([(coap.CONTENT_FORMAT, b"\x32")], b'{"a": [1, null]}', "json", {"a": [1, None]}),
    ([(coap.CONTENT_FORMAT, b"\x32")], b'"just text"', "json", "just text"),
    ([(coap.CONTENT_FORMAT, b"\x32")], b'{"a": 1', "body", '{"a": 1'),
    ([(coap.CONTENT_FORMAT, b"\x32")], b'{"a": 1}, "answers": []', "body", '{"a": 1}, "answers": []'),
    ([(coap.CONTENT_FORMAT, b"\x32")], b"[" * 60000, "body", "[" * 60000),
    ([(coap.CONTENT_FORMAT, b"\x32")], b"1e999999", "json", float("inf")),
    ([(coap.CONTENT_FORMAT, b"\x32")], b'{"id": 18446744073709551617}', "json", {"id": 18446744073709551617}),
    ([(coap.CONTENT_FORMAT, b"\x32")], b'["\\u0000", "\\ud800"]', "json", ["\x00", "\ud800"]),
    ([(coap.CONTENT_FORMAT, b"\x32")], b"NaN", "body", "NaN"),
    ([(coap.CONTENT_FORMAT, b"\x32")], b'"\xff"', "body_base64", "Iv8i"),
    ([(coap.CONTENT_FORMAT, b"\x3c")], b"\xa0", "body_base64", "oA=="),
    ([(coap.CONTENT_FORMAT, b"\xfd\xe9")], b"x", "body_base64", "eA=="),
])
def test_json_holds_any_payload(gateway, group, options, payload, key, value):
    """Whatever a member sends, the document stays valid and says it without loss."""
    gate = gateway({"mappings": [silent_mapping(group, finish="count:1")]})
    with Tap(group) as tap, coap.Endpoint() as member:
        pending = Later(gate.get_json, "/silent/x")
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, payload, options=options))
        [answer] = pending.result()["answers"]
    found = {k: answer[k] for k in ("json", "body", "body_base64") if k in answer}
    assert found == ({} if key is None else {key: value})
    if options and options[0][1] == b"\xfd\xe9":
        assert answer["content_type"] == "application/coap-payload;cf=65001"


# --- multipart-core


CORE = {"Accept": "application/multipart-core"}


def test_multipart_core(members, gateway):
    good, bad = members(3), members(2, "--fail", "2", "--answer-errors")
    gate = gateway({"mappings": [{**plain_mapping(good), "members": good.texts + bad.texts}]})
    reply = gate.request("/lights/status", headers=CORE)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/multipart-core")
    counts, ended_by, answers = parse_multipart_core(reply.body)
    summary = sf_dictionary(reply.headers["Castgate-Summary"])
    assert summary.pop("ended_by") == ended_by == "all"
    assert counts == summary and (counts["answered"], counts["failed"]) == (5, 2)
    assert {parse_cri(a["reply_from"]) for a in answers} == set(good.addresses + bad.addresses)
    for answer in answers:
        assert (answer["verified"], answer["via"], answer["max_age"]) == (0, 0, 60) and answer["ms"] < 5000
        assert "kid" not in answer and "oscore" not in answer
        if parse_cri(answer["reply_from"]) in good.addresses:
            assert (answer["code"], answer["format"]) == (69, 50)
            assert json.loads(answer["payload"])["address"] == "{}:{}".format(*parse_cri(answer["reply_from"]))
        else:
            assert answer["code"] == 132


def test_multipart_core_has_whole_answers(members, gateway):
    fleet = members(2, "--max-age", "7")
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    for answer in parse_multipart_core(gate.request("/lights/big", headers=CORE).body)[2]:
        assert (len(answer["payload"]), answer["max_age"]) == (4096, 7) and 1 <= len(answer["etag"]) <= 8


def test_multipart_core_of_nobody_is_204(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group, timeout=1)]})
    assert gate.request("/silent/x", headers=CORE | {"Multicast-Timeout": "1"}).status == 204


# --- which of them


@pytest.mark.parametrize("accept, chosen", [
    (None, "multipart/mixed"), ("*/*", "multipart/mixed"), ("multipart/*", "multipart/mixed"),
    ("application/json", "application/json"), ("APPLICATION/JSON", "application/json"), ("application/*", "application/json"),
    ("application/json;q=0.5, multipart/mixed;q=0.4", "application/json"),
    ("application/json;q=0, */*", "multipart/mixed"), ("text/event-stream", "text/event-stream"),
    ("text/html, application/json;q=0.9, */*;q=0.8", "text/html"),
    ("text/html;q=0.8, application/json;q=0.9, */*;q=0.7", "application/json"), ("", "multipart/mixed"),
    (";;,,\"", "multipart/mixed"), ("application/multipart-core", "application/multipart-core"),
])
def test_accept_chooses(members, gateway, accept, chosen):
    fleet = members(2)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    reply = gate.request("/lights/status", headers={} if accept is None else {"Accept": accept})
    assert reply.status == 200
    assert reply.headers["Content-Type"].partition(";")[0] == chosen


def test_json_is_200_where_mixed_is_204(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group, timeout=1)]})
    patient = {"Multicast-Timeout": "1"}
    reply = gate.get_json("/silent/x", headers=patient)
    assert (reply["answers"], reply["summary"]["ended_by"]) == ([], "deadline")
    assert gate.request("/silent/x", headers=patient).status == 204


def test_the_summary_is_a_structured_field(members, gateway):
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet, members=fleet.texts + ["127.9.9.9:7"], timeout=1)]})
    reply = gate.request("/lights/status")
    summary = sf_dictionary(reply.headers["Castgate-Summary"])
    assert set(summary) == SUMMARY
    assert (summary["answered"], summary["missing"], summary["expected"], summary["ended_by"]) == (3, 1, 4, "deadline")
    assert all(isinstance(v, int) for k, v in summary.items() if k != "ended_by")


def test_head_is_get_without_body(members, gateway, group):
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    with Tap(group) as tap:
        reply = gate.request("/lights/status", "HEAD")
        assert [p.message.code for p in tap.packets()] == [coap.GET]
    assert (reply.status, reply.body, reply.summary["answered"]) == (200, b"", 3)
    assert reply.headers["Content-Type"].startswith("multipart/mixed")
    # Nothing of a body follows on the connection.
    connection = http.client.HTTPConnection(*gate.http, timeout=10)
    for method in ("HEAD", "GET", "HEAD", "GET"):
        connection.request(method, "/lights/light")
        answer = connection.getresponse()
        assert answer.status == 200 and (len(answer.read()) > 0) == (method == "GET")
    connection.close()


def test_event_stream(members, gateway):
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    reply = gate.request("/lights/status", headers={"Accept": "text/event-stream"})
    events = [dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
              for block in reply.body.decode().split("\n\n") if block.strip()]
    events = [e for e in events if "data" in e]
    assert [e["event"] for e in events] == ["answer"] * 3 + ["summary"]
    assert {json.loads(e["data"])["from"] for e in events[:3]} == set(fleet.texts)
    summary = json.loads(events[3]["data"])
    assert (summary["summary"]["answered"], summary["summary"]["ended_by"], summary["missing"]) == (3, "all", [])
    assert summary["exchange"] == reply.headers["Castgate-Exchange"]
    assert "Castgate-Summary" not in reply.headers  # it is not known when the head goes out


# --- No-Response (RFC 7967)


def test_no_response_passes(gateway, group):
    """R33"""
    gate = gateway({"mappings": [silent_mapping(group)]})
    with Tap(group) as tap:
        for value in ("0", "2", "8", "16", "24"):
            assert gate.request("/silent/x", headers={"No-Response": value, "Multicast-Timeout": "0"}).status == 204
        sent = [p.message.one(coap.NO_RESPONSE) for p in tap.packets()]
    assert sent == [b"", b"\x02", b"\x08", b"\x10", b"\x18"]


def test_an_exchange_that_suppresses_all_ends_early(members, gateway, group):
    """R33: nobody will answer, so nobody is waited for."""
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=30)]})
    with Tap(group) as tap:
        reply = gate.request("/lights/status", headers={"No-Response": "26"})
        assert [p.message.one(coap.NO_RESPONSE) for p in tap.packets()] == [b"\x1a"]
    assert reply.status == 204 and reply.seconds < 10
    assert sf_dictionary(reply.headers["Castgate-Summary"])["ended_by"] == "all"


def test_no_response_steers_which_answers_come(members, gateway):
    """R33: members that succeed and members that fail each heed what the client does not want."""
    good, bad = members(3), members(2, "--fail", "2")
    gate = gateway({"mappings": [silent_mapping(good.group, "lights", timeout=1)]})
    everything = ["2.05"] * 3 + ["4.04"] * 2
    codes = [(headers, sorted(a["code"] for a in gate.get_json("/lights/status", headers=headers)["answers"]))
             for headers in ({}, {"No-Response": "0"}, {"No-Response": "2"}, {"No-Response": "8"})]
    assert [c for _, c in codes] == [everything, everything, everything[3:], everything[:3]]
    assert len(bad.addresses) == 2


# --- what ends it


@pytest.mark.parametrize("finish, members_listed, answered, ended_by", [
    ("all", True, 10, "all"), ("quorum:0.5", True, 5, "quorum"), ("quorum:0.05", True, 1, "quorum"), ("count:3", True, 3, "count"),
    ("count:3", False, 3, "count"), ("count:10", False, 10, "count")])
def test_finish_rules(members, gateway, finish, members_listed, answered, ended_by):
    """Members answer 0.1 s apart, more or less; the rule ends it long before the time is up."""
    fleet = members(10, "--delay", "0:1000", "--seed", "5")
    mapping = silent_mapping(fleet.group, "lights", timeout=30, finish=finish)
    if members_listed:
        mapping |= {"members": fleet.texts, "membership": "complete"}
    gate = gateway({"mappings": [mapping]})
    reply = gate.request("/lights/status", headers={"Accept": "application/json"})
    summary = reply.json()["summary"]
    # Two answers of one turn of the loop may both be in.
    assert answered <= summary["answered"] <= answered + 2 and summary["ended_by"] == ended_by
    assert len(reply.json()["answers"]) == summary["answered"]
    assert reply.seconds < 15


def test_finish_deadline_waits(members, gateway):
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet, finish="deadline", timeout=1)]})
    reply = gate.request("/lights/status")
    assert (reply.summary["answered"], sf_dictionary(reply.headers["Castgate-Summary"])["ended_by"]) == (3, "deadline")
    assert reply.seconds >= 1


def test_the_client_chooses_the_time(members, gateway):
    fleet = members(2, "--delay", "1500:1500")
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=1)]})
    assert gate.request("/lights/status").status == 504
    assert gate.request("/lights/status", headers={"Multicast-Timeout": "20"}).summary["answered"] == 2


# --- repair and blocks


def test_repair_by_unicast(members, gateway, group):
    """R7, R48: one datagram in ten is lost; who stayed silent gets one unicast request, and everybody's answer is there, once."""
    fleet = members(20, "--loss", "0.1", "--seed", "4")
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=8, repair={"unicast": True})]})
    with Tap(group) as tap:
        reply = gate.get_json("/lights/status")
        assert len(tap.packets()) == 1
    assert sorted(a["from"] for a in reply["answers"]) == sorted(fleet.texts)
    unicast = [a["from"] for a in reply["answers"] if a["via"] == "unicast"]
    assert 0 < len(unicast) < 10
    assert all(a["ms"] >= 4000 for a in reply["answers"] if a["via"] == "unicast")
    assert (reply["missing"], reply["summary"]["ended_by"]) == ([], "all")
    assert counter(gate, "asked_total", "lights") == len(unicast)


@pytest.mark.parametrize("probe, asked", [(False, 0), (True, 8)], ids=["unprobed", "probed"])
def test_without_repair_the_silent_stay_missing(members, gateway, probe, asked):
    """Also where they are asked why: what they say to that is no answer."""
    fleet = members(30, "--loss", "0.5", "--seed", "11")
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=1, repair={"probe": probe})]})
    reply = gate.get_json("/lights/status")
    assert {a["via"] for a in reply["answers"]} == {"multicast"}
    assert 0 < reply["summary"]["missing"] == 30 - len(reply["answers"]) == len(reply["missing"])
    assert counter(gate, "asked_total", "lights") == asked


@pytest.mark.parametrize("loss", ["0", "0.1"])
def test_large_answers_are_put_together(members, gateway, group, loss):
    """R40: the first block by the answer to the multicast, the rest by unicast; one element of 4 KiB."""
    fleet = members(5, "--loss", loss, "--seed", "5")
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=8, repair={"unicast": True})]})
    with Tap(group) as tap:
        parts = parse_mixed(gate.request("/lights/big"))
        assert len(tap.packets()) == 1
    assert {p.origin for p in parts} == set(fleet.addresses)
    for part in parts:
        assert len(part.body) == 4096
        number = fleet.addresses.index(part.origin) + 1
        lines = [line.split()[:4] for line in part.body.decode().splitlines()]
        assert lines == [["member", str(number), "line", str(i)] for i in range(64)]


def test_large_answers_in_json(members, gateway):
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    for answer in gate.get_json("/lights/big")["answers"]:
        assert len(answer["body"]) == 4096
        assert "23" not in answer["options"] and "28" not in answer["options"]


# --- metrics, health, log


def test_metrics_count_what_happens(members, gateway):
    """R60: per group sent, answered, late, duplicate, failed."""
    good, bad = members(3, "--duplicate", "1"), members(2, "--fail", "2", "--answer-errors")
    mapping = {**plain_mapping(good), "members": good.texts + bad.texts + ["127.9.9.9:9"], "finish": "deadline", "timeout": 1}
    gate = gateway({"mappings": [mapping, silent_mapping(good.group, "other", timeout=1)]})
    for _ in range(2):
        assert gate.request("/lights/status").status == 200
    assert gate.request("/other/x").status == 200
    assert gate.request("/nothing").status == 404
    assert gate.request("/lights/status", "PUT", body=b"x").status == 403
    found = metrics(gate)
    of = {name: found[f'castgate_{name}_total{{mapping="lights"}}'] for name in
          ("requests", "sent", "answered", "failed", "duplicate", "late", "rejected", "over_cap", "kernel_drops")}
    assert of == {"requests": 2, "sent": 2, "answered": 10, "failed": 4, "duplicate": 6, "late": 0, "rejected": 0,
                  "over_cap": 0, "kernel_drops": 0}
    assert sum(count for name, count in found.items() if name.startswith('castgate_missing_total{mapping="lights",cause="')) == 2
    assert found['castgate_errors_total{mapping="lights",reason="unsafe-method"}'] == 1
    assert found['castgate_refused_total{reason="not-found"}'] == 1
    assert found['castgate_answers_count{mapping="lights"}'] == 2
    assert found['castgate_latency_seconds_bucket{mapping="lights",le="+Inf"}'] == 2
    assert found["castgate_exchanges_running"] == 0
    assert found['castgate_sent_total{mapping="other"}'] == 1


def test_late_answers_are_counted(members, gateway):
    """R60: they belong to a request that is over, and to nothing else."""
    fleet = members(4, "--misbehave", "late:1500")
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=1)]})
    reply = gate.get_json("/lights/status")
    assert (reply["summary"]["answered"], reply["summary"]["missing"]) == (0, 4)
    wait_for(lambda: counter(gate, "late_total", "lights") == 4)
    assert counter(gate, "unknown_token_total") == 0


def test_health(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group)]})
    for path in ("/healthz", "/readyz"):
        reply = gate.request(path, to=gate.admin)
        assert (reply.status, reply.body) == (200, b"ok\n")
        assert gate.request(path).status == 404  # the data side does not have them
    assert gate.request("/metrics", "POST", to=gate.admin, body=b"").status == 405
    assert gate.request("/nothing", to=gate.admin).status == 404
    assert gate.request("/metrics", headers={"Host": "evil.example"}, to=gate.admin).status in (400, 421)


TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_one_log_line_an_exchange(members, gateway):
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    first = gate.request("/lights/status", headers={"traceparent": TRACE})
    second = gate.request("/lights/status", "DELETE")
    third = gate.request("/lights/status", headers={"traceparent": "nonsense\" x=y"})
    lines = log_lines(gate, "exchange")
    ids = [r.headers["Castgate-Exchange"] for r in (first, second, third)]
    assert [line["id"] for line in lines] == ids
    assert lines[0]["mapping"] == "lights" and lines[0]["status"] == "200" and lines[0]["answered"] == "3"
    assert lines[0]["ended_by"] == "all" and lines[0]["traceparent"] == TRACE and lines[0]["method"] == "GET"
    assert (lines[1]["status"], lines[1]["error"], lines[1]["method"]) == ("403", "unsafe-method", "DELETE")
    assert "traceparent" not in lines[2]


HOSTILE = ["\" event=forged id=1", "x\ty", "\u202eevil", "%0d%0alevel=error", "\\", "\x1b[31m", "=;,", "' OR 1=1"]


def test_the_log_is_escaped_and_holds_no_token(gateway, group):
    """Hostile strings wherever a client can put them; and no token that was sent, right or wrong, is in the log."""
    token = "tok-5f1e2d"
    gate = gateway({"clients": {"demo": {"token_sha256": hashlib.sha256(token.encode()).hexdigest()}},
                    "mappings": [silent_mapping(group, clients=["demo"])]})
    good = {"Authorization": f"Bearer {token}", "Multicast-Timeout": "0"}
    assert gate.request("/silent/x", headers=good).status == 204
    for text in HOSTILE:
        for headers in ({"Host": text}, {"Content-Type": text}, {"traceparent": text}, {"Accept": text}, {"X-Other": text},
                        {"Authorization": f"Bearer sneaky-{token}-{text}"}, {"Multicast-Timeout": text}, {"User-Agent": text}):
            try:
                encoded = {k: v.encode("utf-8", "surrogateescape") for k, v in {**good, **headers}.items()}
                reply = gate.request("/silent/" + quote(text, safe="%"), "PUT", encoded, b"x")
            except ValueError:
                continue  # Python does not send it
            assert 200 <= reply.status < 500, (headers, reply.status)
        assert gate.request("/" + quote(text) + "?" + quote(text), headers={**good, "Host": "localhost"}).status in (404, 421, 400)
    lines = log_lines(gate)  # checks each line's shape
    assert {line["event"] for line in lines} <= {"admin", "exchange", "settings", "listening", "ready", "receive_buffer", "receive-buffer"}
    text = gate.log()
    assert token not in text and "sneaky" not in text and "\x1b" not in text
    assert all(32 <= ord(c) < 127 or c == "\n" for c in text)
    assert token not in gate.file.read_text()
    assert base64.b64encode(token.encode()).decode() not in text


def test_equal_requests_at_once_share_a_datagram(members, gateway, group):
    """Two clients ask the same within a moment: one multicast, two replies. Unsafe requests never share."""
    fleet = members(4, "--delay", "300:300")
    clients = {"demo": {"token_sha256": hashlib.sha256(b"t").hexdigest()}}
    gate = gateway({"clients": clients, "group": {"interface": "lo", "nstart": 8},
                    "mappings": [plain_mapping(fleet, unsafe_methods=True, clients=["anonymous", "demo"])]})
    with Tap(group) as tap:
        pending = [Later(gate.get_json, "/lights/status") for _ in range(5)]
        assert all(p.result()["summary"]["answered"] == 4 for p in pending)
        shared = len(tap.packets())
        assert shared <= 5
        put = {"Authorization": "Bearer t", "Accept": "application/json"}
        pending = [Later(gate.get_json, "/lights/light", method="PUT", body=b"on", headers=put) for _ in range(3)]
        assert all(p.result()["summary"]["answered"] == 4 for p in pending)
        assert len(tap.packets()) == shared + 3
    wait_for(lambda: counter(gate, "exchanges_running") == 0)
