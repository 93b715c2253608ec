"""Every row of the table of HTTP statuses that this version can produce, and the shape of a problem."""

import hashlib
import http.client

import pytest

import coap

from conftest import free_tcp_port, plain_mapping
from probe import Later, Tap, check_problem, log_lines, raw_http, running, silent_mapping, wait_for


def digest(token):
    return {"token_sha256": hashlib.sha256(token.encode()).hexdigest()}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


CLIENTS = {"dashboard": digest("d-token"), "operator": digest("o-token"), "stranger": digest("s-token")}


def mappings_of(group):
    untimed = silent_mapping(group, "untimed")
    del untimed["timeout"]
    return [silent_mapping(group, "open", max_timeout=60), untimed,
            silent_mapping(group, "closed", clients=["dashboard"]),
            silent_mapping(group, "reads", clients=["operator", "anonymous"]),
            silent_mapping(group, "all", unsafe_methods=True, clients=["operator"]),
            silent_mapping(group, "writes", unsafe_methods=True, methods=["GET", "PUT"],
                           clients=["operator", {"name": "dashboard", "methods": ["GET"]}])]


@pytest.fixture
def silent(gateway, group):
    """A gateway with mappings of a group in which nobody is."""
    return gateway({"clients": CLIENTS, "mappings": mappings_of(group)})


@pytest.fixture
def brief(gateway, group):
    """Where nobody is waited for long."""
    return gateway({"mappings": [silent_mapping(group, timeout=0.5)]})


NOW = {"Multicast-Timeout": "0"}


def test_200_and_its_headers(members, gateway):
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    reply = gate.request("/lights/status")
    assert (reply.status, reply.summary["answered"]) == (200, 3)
    assert len(reply.headers["Castgate-Exchange"]) >= 16
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    again = gate.request("/lights/status")
    assert again.headers["Castgate-Exchange"] != reply.headers["Castgate-Exchange"]


def test_200_also_when_all_members_fail(members, gateway):
    """R30, R35"""
    fleet = members(3, "--fail", "3:4.03", "--answer-errors")
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    reply = gate.request("/lights/status")
    assert (reply.status, reply.summary["answered"], reply.summary["failed"]) == (200, 3, 3)


def test_204_when_nobody_answers(silent):
    reply = silent.request("/open/x", headers={"Multicast-Timeout": "1"})
    assert (reply.status, reply.body, reply.summary["answered"]) == (204, b"", 0)
    assert reply.headers["Castgate-Exchange"]
    assert 0.9 < reply.seconds < 10


def test_504_when_nobody_answers_a_client_that_knows_of_no_groups(brief):
    reply = brief.request("/silent/x")
    problem = check_problem(reply, 504, "no-answer")
    assert "went out" in problem["detail"] and "may have acted" in problem["detail"]
    assert (reply.summary["answered"], reply.summary["expected"]) == (0, 0)
    reply = brief.request("/silent/x", headers={"Accept": "application/json"})
    assert (reply.status, reply.json()["answers"], reply.json()["summary"]["ended_by"]) == (504, [], "deadline")
    assert 'mapping="silent",reason="no-answer"} 2\n' in brief.request("/metrics", to=brief.admin).body.decode()


def test_204_where_silence_is_fine(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group, timeout=0.5, silence="204")]})
    reply = gate.request("/silent/x")
    assert (reply.status, reply.body) == (204, b"")
    assert gate.request("/silent/x", headers={"Accept": "application/json"}).status == 200


def test_strict_handling(members, gateway, new_group):
    """Prefer (RFC 7240): the status tells of each member; the body is as usual."""
    fleet = members(2)
    failing = members(3, "--fail", "1:4.03", "--answer-errors", group=new_group())
    gate = gateway({"mappings": [plain_mapping(fleet), plain_mapping(fleet, "lacking", members=fleet.texts + ["127.9.9.9:9"]),
                                 plain_mapping(failing, "failing")]})
    strict = {"Prefer": 'wait=5, handling="strict"', "Accept": "application/json"}
    for path, status, answered in [("/lights", 200, 2), ("/lacking", 504, 2), ("/failing", 502, 3)]:
        reply = gate.request(path + "/status", headers=strict)
        assert (reply.status, reply.json()["summary"]["answered"]) == (status, answered)
        assert (reply.headers["Preference-Applied"], reply.headers["Vary"]) == ("handling=strict", "Prefer")
        assert gate.request(path + "/status", headers={"Prefer": "handling=lenient"}).status == 200
        again = gate.request(path + "/status", headers=strict | {"Multicast-Timeout": "2"})
        assert (again.status, again.headers["Preference-Applied"]) == (200, None)
        stream = gate.request(path + "/status", headers=strict | {"Accept": "text/event-stream"})
        assert (stream.status, stream.headers["Preference-Applied"]) == (200, None)


def test_204_at_once_without_time_to_collect(silent, group):
    with Tap(group) as tap:
        reply = silent.request("/open/x", headers=NOW)
        assert (reply.status, reply.body) == (204, b"")
        assert len(tap.packets()) == 1
        assert silent.request("/open/x", headers={"Multicast-Timeout": ""}).status == 204  # GCP: empty means 0
        assert silent.request("/open/x", headers={**NOW, "Accept": "application/json"}).status == 204
        assert len(tap.packets()) == 3


def test_400_without_a_timeout(silent):
    reply = silent.request("/untimed/x")
    problem = check_problem(reply, 400, "multicast-timeout")
    assert reply.headers["Multicast-Timeout"] == "0"
    assert "Multicast-Timeout" in problem["detail"]
    assert silent.request("/untimed/x", headers=NOW).status == 204


def test_400_in_strict_mode(gateway, group):
    gate = gateway({"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"], "strict": True}, "mappings": mappings_of(group),
                    "clients": CLIENTS})
    check_problem(gate.request("/open/x"), 400, "multicast-timeout")
    assert gate.request("/open/x", headers=NOW).status == 204


@pytest.mark.parametrize("value", ["abc", "-1", "1.5", "+1", "0x1", "1 2", "1,2", "61", "4294967296", "9" * 40, "1e1"])
def test_400_for_a_timeout_that_cannot_be(silent, group, value):
    with Tap(group) as tap:
        check_problem(silent.request("/open/x", headers={"Multicast-Timeout": value}), 400, "multicast-timeout")
        assert tap.packets(0.05) == []


@pytest.mark.parametrize("method, headers, body", [
    ("GET", {}, b"a body"),
    ("DELETE", {}, b"a body"),
    ("PUT", {"If-Match": '"abc"'}, b"x"),
    ("GET", {"X-HTTP-Method-Override": "FETCH"}, None),
    ("POST", {"X-HTTP-Method-Override": "DELETE"}, b"x"),
    ("GET", {"No-Response": "x"}, None),
    ("GET", {"No-Response": "256"}, None),
])
def test_400_for_what_has_no_meaning(silent, group, method, headers, body):
    with Tap(group) as tap:
        reply = silent.request("/all/x", method, {**bearer("o-token"), **NOW, **headers}, body)
        check_problem(reply, 400, "bad-request")
        assert tap.packets(0.05) == []


def test_401_403_and_who_may(silent, group):
    """GCP REQ1, REQ2: known clients, and what each may send."""
    with Tap(group) as tap:
        reply = silent.request("/closed/x", headers=NOW)
        check_problem(reply, 401, "unauthorized")
        assert reply.headers["WWW-Authenticate"].startswith("Bearer")
        check_problem(silent.request("/closed/x", headers=bearer("s-token") | NOW), 403, "forbidden")
        check_problem(silent.request("/closed/x", "PUT", bearer("dashboard") | NOW, b"x"), 401, "unauthorized")
        check_problem(silent.request("/writes/x", "PUT", bearer("d-token") | NOW, b"x"), 403, "forbidden")
        assert tap.packets(0.05) == []
        assert silent.request("/closed/x", headers=bearer("d-token") | NOW).status == 204
        assert silent.request("/writes/x", headers=bearer("d-token") | NOW).status == 204
        assert silent.request("/writes/x", "PUT", bearer("o-token") | NOW, b"x").status == 204
        assert len(tap.packets()) == 3


@pytest.mark.parametrize("value", ["Bearer wrong", "Bearer", "Bearer ", "Basic ZGFzaGJvYXJkOmQtdG9rZW4=", "d-token",
                                   "Bearer d-token extra", "Bearer d-token,", "Bearerd-token", "", "Bearer \t",
                                   "Bearer " + "x" * 8000, "Bearer " + hashlib.sha256(b"d-token").hexdigest()])
@pytest.mark.parametrize("path", ["/closed/x", "/open/x"])
def test_401_for_tokens_that_are_none(silent, group, path, value):
    """A wrong token is refused where anonymous clients are taken, too: it is a mistake that should show."""
    with Tap(group) as tap:
        reply = silent.request(path, headers={"Authorization": value, **NOW})
        check_problem(reply, 401, "unauthorized")
        assert tap.packets(0.02) == []


def test_the_scheme_of_authorization_has_no_case(silent):
    assert silent.request("/closed/x", headers={"Authorization": "bEARER d-token", **NOW}).status == 204


@pytest.mark.parametrize("method, headers", [("PUT", {}), ("POST", {}), ("DELETE", {}), ("PATCH", {})])
def test_403_for_unsafe_methods_on_a_plain_group(silent, group, method, headers):
    """R58: GET and FETCH only, for a known client as well."""
    with Tap(group) as tap:
        for who in ({}, bearer("o-token")):
            body = None if method == "DELETE" else b"x"
            check_problem(silent.request("/reads/x", method, {**headers, **who, **NOW}, body), 403, "unsafe-method")
        assert tap.packets(0.05) == []
        assert silent.request("/reads/x", headers=NOW).status == 204
        assert silent.request("/reads/x", "POST", {"X-HTTP-Method-Override": "FETCH", **NOW}, b"?").status == 204


@pytest.mark.parametrize("path", ["/", "/nothing", "/ope", "/openx", "/open%2Fx", "/OPEN/x", "//open/x"])
def test_404(silent, path):
    check_problem(silent.request(path, headers=NOW), 404, "not-found")


def test_405_says_what_is_allowed(silent):
    reply = silent.request("/writes/x", "DELETE", bearer("o-token") | NOW)
    check_problem(reply, 405, "method-not-allowed")
    assert set(reply.headers["Allow"].split(", ")) == {"GET", "HEAD", "PUT"}


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW", "get", "PROPFIND"])
def test_405_for_methods_without_counterpart(silent, method):
    reply = silent.request("/open/x", method, NOW)
    check_problem(reply, 405, "method-not-allowed")
    assert set(reply.headers["Allow"].split(", ")) == {"GET", "HEAD"}
    check_problem(silent.request("/closed/x", method, NOW), 401, "unauthorized")


def test_options_tells_what_the_client_may(silent, group):
    """And casts nothing, whatever comes with it."""
    with Tap(group) as tap:
        for path, headers, allowed in [("/open/x", NOW, {"GET", "HEAD"}), ("/writes/x", {}, {"GET", "HEAD", "PUT"}),
                                       ("/writes/x", bearer("o-token"), {"GET", "HEAD", "PUT"}),
                                       ("/writes/x", bearer("d-token"), {"GET", "HEAD"}),
                                       ("/", {}, {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"})]:
            reply = silent.request(path, "OPTIONS", headers)
            assert (reply.status, set(reply.headers["Allow"].split(", "))) == (204, allowed | {"OPTIONS"})
        check_problem(silent.request("/writes/x", "OPTIONS", bearer("s-token")), 403, "forbidden")
        check_problem(silent.request("/nothing", "OPTIONS"), 404, "not-found")
        assert tap.packets(0.05) == []


@pytest.mark.parametrize("probe", [b"OPTIONS / HTTP/1.0\r\n\r\n", b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"])
def test_load_balancers_find_it_alive(silent, probe):
    """haproxy's check is the first."""
    assert raw_http(silent, probe).status == 204


def test_who_and_may_come_before_what_is_said(silent, group):
    """Whoever may not write hears that, whatever else is wrong."""
    bad = {"Content-Type": "text/x-unheard-of"}
    with Tap(group) as tap:
        for who, status, slug in [({}, 401, "unauthorized"), (bearer("d-token"), 403, "forbidden")]:
            for body, headers in [(b"x", bad), (bytes(100000), {}), (b"x", {"Multicast-Timeout": "soon"}),
                                  (b"x", {"If-Match": '"a"'})]:
                check_problem(silent.request("/writes/x", "PUT", who | headers, body), status, slug)
        check_problem(silent.request("/open/x", "PUT", bad, b"x"), 403, "unsafe-method")
        check_problem(silent.request("/nothing", "PUT", bad, b"x"), 404, "not-found")
        check_problem(silent.request("/reads/x", "DELETE"), 403, "unsafe-method")
        assert tap.packets(0.05) == []


def test_anonymous_clients_may_turn_out_to_be_somebody(gateway, group):
    """401 for a method that others may use, 405 for one that nobody may."""
    mapping = silent_mapping(group, unsafe_methods=True, methods=["GET", "PUT"], clients=["operator", "anonymous"])
    gate = gateway({"clients": CLIENTS, "mappings": [mapping]})
    reply = gate.request("/silent/x", "PUT", NOW, b"x")
    check_problem(reply, 401, "unauthorized")
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    check_problem(gate.request("/silent/x", "DELETE", NOW), 405, "method-not-allowed")
    assert gate.request("/silent/x", "PUT", NOW | bearer("o-token"), b"x").status == 204


def test_413(silent, group):
    with Tap(group) as tap:
        put = bearer("o-token") | NOW
        check_problem(silent.request("/writes/x", "PUT", put, bytes(65537)), 413, "too-large")
        head = b"PUT /writes/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer o-token\r\nMulticast-Timeout: 0\r\n"
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n" + (b"1000\r\n" + bytes(4096) + b"\r\n") * 17 + b"0\r\n\r\n"
        assert raw_http(silent, chunked).status == 413
        assert raw_http(silent, head + b"Content-Length: 10000000000\r\n\r\n").status == 413
        assert tap.packets(0.05) == []
        # What is below the limit, but larger than a multicast may be (RFC 7252 §4.6), is refused as well.
        check_problem(silent.request("/writes/x", "PUT", put, bytes(65536)), 413, "too-large")
        assert tap.packets(0.05) == []
        check_problem(silent.request("/writes/x", "PUT", put, bytes(1025)), 413, "too-large")
        assert tap.packets(0.05) == []
        assert silent.request("/writes/x", "PUT", put, bytes(1024)).status == 204
        assert [len(p.message.payload) for p in tap.packets()] == [1024]


def test_414(silent):
    check_problem(silent.request("/open/" + "a" * 8187, headers=NOW), 414, "uri-too-long")
    reply = silent.request("/open/" + "/".join(["a" * 200] * 20), headers=NOW)
    assert reply.status == 204
    # A segment that no Uri-Path option can hold (RFC 7252 §5.10).
    assert silent.request("/open/" + "a" * 256, headers=NOW).status in (400, 414)


@pytest.mark.parametrize("headers", [{"Content-Type": "text/x-unheard-of"}, {"Content-Type": "nonsense"},
                                     {"Content-Type": "text/plain", "Content-Encoding": "gzip"},
                                     {"Content-Type": "application/oscore"}])
def test_415(silent, group, headers):
    with Tap(group) as tap:
        check_problem(silent.request("/writes/x", "PUT", bearer("o-token") | NOW | headers, b"x"), 415, "unsupported-media-type")
        assert tap.packets(0.05) == []


def test_415_says_what_to_add(silent):
    """What `curl -d` sends of itself."""
    form = bearer("o-token") | {"Content-Type": "application/x-www-form-urlencoded"}
    problem = check_problem(silent.request("/writes/x", "PUT", form, b"on"), 415, "unsupported-media-type")
    assert "-H 'Content-Type: text/plain'" in problem["detail"] and "cf=" not in problem["detail"]


def test_a_default_content_type(gateway, group):
    """For clients that show a token, for bodies without type and with curl's."""
    mapping = silent_mapping(group, unsafe_methods=True, default_content_type="text/plain", clients=["operator"])
    gate = gateway({"clients": CLIENTS, "mappings": [mapping]})
    with Tap(group) as tap:
        for headers in ({}, {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "application/json"}):
            assert gate.request("/silent/x", "PUT", bearer("o-token") | NOW | headers, b"on").status == 204
        assert [p.message.one(coap.CONTENT_FORMAT) for p in tap.packets()] == [b"", b"", b"\x32"]


def test_a_type_goes_on_to_members_only_where_no_form_fits(brief, group):
    with Tap(group) as tap:
        for accept in ("application/json, text/plain", "text/plain, */*;q=0.1", "text/plain", "application/cbor;q=0.3"):
            brief.request("/silent/x", headers=NOW | {"Accept": accept})
        assert [p.message.one(coap.ACCEPT) for p in tap.packets()] == [None, None, b"", b"\x3c"]
    problem = check_problem(brief.request("/silent/x", headers={"Accept": "text/plain"}), 504, "no-answer")
    assert "text/plain" in problem["detail"] and "silent" in problem["detail"]
    assert [line.get("accept") for line in log_lines(brief, "exchange")][-3:] == ["text/plain; charset=utf-8",
                                                                                 "application/cbor",
                                                                                 "text/plain; charset=utf-8"]


def test_what_must_be_encoded_is_named(silent):
    problem = check_problem(silent.request("/open/x?a[]=1", headers=NOW), 400, "bad-uri")
    assert "'['" in problem["detail"] and "position 10" in problem["detail"] and "%5B" in problem["detail"]
    assert silent.request("/open/x?a%5B%5D=1", headers=NOW).status == 204


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.2:{port}", "127.0.0.1:1", "[::1]:{port}",
                                  "localhost:1", "localhost.evil.example", "127.0.0.1.evil.example"])
def test_421_for_another_host(silent, group, host):
    with Tap(group) as tap:
        name = host.format(port=silent.http[1])
        reply = raw_http(silent, f"GET /open/x HTTP/1.1\r\nHost: {name}\r\nMulticast-Timeout: 0\r\n\r\n".encode())
        assert reply.status == 421 and b"urn:castgate:problem:misdirected" in reply.data
        assert tap.packets(0.05) == []


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "127.0.0.1", "localhost", "LocalHost:{port}", "gate.example",
                                  "gate.example:99", "other.example:7"])
def test_hosts_that_are_taken(gateway, group, host):
    listen = [f"127.0.0.1:{free_tcp_port()}"]
    gate = gateway({"http": {"listen": listen, "hosts": ["gate.example", "other.example:7"]}, "mappings": mappings_of(group),
                    "clients": CLIENTS})
    name = host.format(port=gate.http[1])
    assert raw_http(gate, f"GET /open/x HTTP/1.1\r\nHost: {name}\r\nMulticast-Timeout: 0\r\n\r\n".encode()).status == 204
    assert raw_http(gate, b"GET /open/x HTTP/1.1\r\nHost: other.example\r\n\r\n").status == 421


def test_429_over_the_budget(gateway, group):
    gate = gateway({"clients": CLIENTS, "mappings": [
        silent_mapping(group, "open", budget={"requests_per_minute": 3}, clients=["anonymous", "dashboard"])]})
    for _ in range(3):
        assert gate.request("/open/x", headers=NOW).status == 204
    reply = gate.request("/open/x", headers=NOW)
    check_problem(reply, 429, "too-many-requests")
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert gate.request("/open/x", headers=bearer("d-token") | NOW).status == 204  # each client has its own


def test_429_over_what_one_client_may_run_at_once(gateway, group):
    gate = gateway({"clients": CLIENTS, "limits": {"exchanges_per_client": 2}, "group": {"interface": "lo", "nstart": 4},
                    "mappings": [silent_mapping(group, clients=["anonymous", "dashboard"])]})
    pending = [Later(gate.request, f"/silent/{i}", headers={"Multicast-Timeout": "2"}) for i in range(2)]
    wait_for(lambda: running(gate) == 2)
    reply = gate.request("/silent/x", headers=NOW)
    check_problem(reply, 429, "too-many-requests")
    assert int(reply.headers["Retry-After"]) >= 1
    assert "exchanges_per_client" in reply.json()["detail"]
    other = gate.request("/silent/x", headers=bearer("d-token") | NOW)
    assert other.status == 204
    assert [p.result().status for p in pending] == [204, 204]
    assert gate.request("/silent/x", headers=NOW).status == 204


def test_431(silent):
    check_problem(silent.request("/open/x", headers={"X-Long": "a" * 16384, **NOW}), 431, "headers-too-large")
    many = {f"X-{i}": "a" * 100 for i in range(200)}
    assert silent.request("/open/x", headers=many | NOW).status == 431
    assert silent.request("/open/x", headers={"X-Long": "a" * 15000, **NOW}).status == 204


def test_502_when_it_cannot_be_emitted(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group, interface="none0")]})
    problem = check_problem(gate.request("/silent/x", headers=NOW), 502, "cannot-emit")
    assert "none0" in problem["detail"] and "not exist" in problem["detail"]
    assert gate.request("/silent/x").status == 502  # at once, not when the time is up


def test_503_when_the_table_is_full(gateway, group):
    gate = gateway({"limits": {"exchanges": 2}, "group": {"interface": "lo", "nstart": 2}, "mappings": [silent_mapping(group)]})
    pending = [Later(gate.request, f"/silent/{i}", headers={"Multicast-Timeout": "2"}) for i in range(2)]
    wait_for(lambda: running(gate) == 2)
    reply = gate.request("/silent/x", headers=NOW)
    check_problem(reply, 503, "overloaded")
    assert int(reply.headers["Retry-After"]) >= 1
    assert [p.result().status for p in pending] == [204, 204]
    assert gate.request("/silent/x", headers=NOW).status == 204


def test_429_when_the_turn_of_the_group_does_not_come(gateway, group):
    """R38: a silent group is sent no more than its probing rate allows."""
    gate = gateway({"group": {"interface": "lo", "probing_rate": 1, "probing_burst": 40}, "mappings": [silent_mapping(group)]})
    with Tap(group) as tap:
        assert gate.request("/silent/" + "x" * 20, headers=NOW).status == 204
        reply = gate.request("/silent/" + "x" * 20, headers={"Multicast-Timeout": "1"})
        assert len(tap.packets()) == 1
    problem = check_problem(reply, 429, "too-many-requests")
    assert "group.probing_rate" in problem["detail"]
    assert int(reply.headers["Retry-After"]) >= 1


def test_the_forward_proxy(members, gateway, new_group):
    """R2, R43: a target below a group that says "forward", with a time; what cannot be a group is refused, and nothing leaves."""
    fleet, other = members(2, group=new_group()), new_group()
    gate = gateway({"mappings": [plain_mapping(fleet, forward=True), silent_mapping(other, "closed")]})
    uri = fleet.group.uri
    with Tap(fleet.group) as tap, Tap(other) as shut:
        for target in (f"/hc/?target_uri={uri}/status", f"/hc/{uri}/status"):
            reply = gate.request(target, headers={"Multicast-Timeout": "5"})
            assert (reply.status, reply.summary["answered"]) == (200, 2)
        assert [p.message.path for p in tap.packets()] == ["/status"] * 2
        reply = gate.request(f"/hc/{uri}/status")
        check_problem(reply, 400, "multicast-timeout")
        assert reply.headers["Multicast-Timeout"] == "0"
        for target, status, slug in (
                (f"{other.uri}/x", 403, "forbidden"), ("coap://10.0.0.1/x", 403, "forbidden"), (f"{uri}/../x", 400, "bad-uri"),
                (f"coaps://{fleet.group.address}:{fleet.group.port}/status", 502, "proxying-not-supported"),
                (f"coap+tcp://{fleet.group.address}:{fleet.group.port}/status", 502, "proxying-not-supported"),
                (f"coap://{fleet.group.address}:5684/status", None, None), ("http://example.org/", None, None), ("", 400, "bad-uri")):
            reply = gate.request(f"/hc/{target}", headers=NOW)
            if status is None:
                assert reply.status in (400, 403, 502)
            else:
                check_problem(reply, status, slug)
        assert len(tap.packets()) == 2 and shut.packets(0.05) == []


def test_discovery(gateway, group):
    """R20: the mappings as links, with filters; nothing that does not match."""
    gate = gateway({"mappings": [silent_mapping(group, "one"), silent_mapping(group, "two", forward=True)]})
    reply = gate.request("/.well-known/core")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/link-format")
    links = reply.body.decode()
    assert all(link in links for link in ("</one>", "</two>", '</hc/>;rt="core.hc"'))
    assert gate.request("/.well-known/core?href=/one").body.decode().startswith("</one>")
    assert b"</two>" not in gate.request("/.well-known/core?href=/one").body
    assert gate.request("/.well-known/core?rt=nothing").body == b""
    check_problem(gate.request("/.well-known/core", "PUT", body=b"x"), 405, "method-not-allowed")


def test_a_problem_names_its_exchange(silent):
    reply = silent.request("/closed/x", headers=NOW)
    problem = check_problem(reply, 401, "unauthorized")
    assert problem["exchange"] == reply.headers["Castgate-Exchange"]
    assert "Castgate-Summary" not in reply.headers
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_connection_is_kept_after_every_status(silent):
    """One connection, statuses of all kinds in a row, each reply where it belongs."""
    connection = http.client.HTTPConnection(*silent.http, timeout=10)
    asked = [("GET", "/open/x", 204), ("GET", "/closed/x", 401), ("PUT", "/reads/x", 403), ("GET", "/no", 404),
             ("OPTIONS", "/open/x", 204), ("TRACE", "/open/x", 405), ("GET", "/open/x", 204), ("HEAD", "/closed/x", 401), ("GET", "/open/y", 204)]
    for method, path, status in asked * 3:
        connection.request(method, path, headers=NOW)
        reply = connection.getresponse()
        reply.read()
        assert (method, path, reply.status) == (method, path, status)
    connection.close()
