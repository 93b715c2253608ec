"""The forward proxy (RFC 8075 §5, GCP), what the gateway says about itself (RFC 6690), and requests that the client protected
(RFC 8613 §11), over real sockets."""

import base64
import hashlib
import re
import resource
import socket
from urllib.parse import quote

import pytest

import coap
from conftest import free_tcp_port, plain_mapping
from probe import Later, Tap, answer_to, check_problem, parse_mixed, raw_http, silent_mapping

NOW = {"Multicast-Timeout": "0"}
TOKEN = {"Authorization": "Bearer d-token"}
CLIENTS = {"dashboard": {"token_sha256": hashlib.sha256(b"d-token").hexdigest()}}
OSCORE = 9


# --- forward


def mapping(group, name, path="", **more):
    return {**silent_mapping(group, name, **more), "group": group.uri + path}


@pytest.fixture
def forwarding(gateway, group, new_group):
    """Open for target URIs: <group>/light, with a mapping of its own for …/light/east. Another group is closed to them."""
    other = new_group()
    gate = gateway({"clients": CLIENTS, "mappings": [
        mapping(group, "light", "/light", forward=True, clients=["dashboard", "anonymous"]),
        mapping(group, "east", "/light/east", forward=True, clients=["dashboard"]),
        silent_mapping(other, "reverse")]})
    gate.other = other
    return gate


@pytest.mark.parametrize("form", ["/hc/?target_uri={}", "/hc/{}"])
@pytest.mark.parametrize("rest, path, query", [
    ("", ["light"], []), ("/", ["light", ""], []), ("/1", ["light", "1"], []), ("/a%2Fb//c", ["light", "a/b", "", "c"], []),
    ("?on=1&off=%26", ["light"], ["on=1", "off=&"]), ("/x?y=coap://z/?a", ["light", "x"], ["y=coap://z/?a"]),
])
def test_targets_below_a_group(forwarding, group, form, rest, path, query):
    with Tap(group) as tap:
        target = form.format(group.uri + "/light" + rest)
        assert forwarding.request(target, headers=NOW).status == 204
        message, = (p.message for p in tap.packets())
        assert ([v.decode() for v in message.all(11)], [v.decode() for v in message.all(15)]) == (path, query)
        assert not message.all(35) and not message.all(39) and not message.all(3)


def test_answers_come_back(members, gateway):
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet, forward=True)]})
    for target in (f"/hc/?target_uri={fleet.group.uri}/status", f"/hc/{fleet.group.uri}/status"):
        reply = gate.request(target, headers={"Multicast-Timeout": "5"})
        assert reply.status == 200 and len(parse_mixed(reply)) == 3


@pytest.mark.parametrize("form", ["/hc/?target_uri={}", "/hc/{}"])
@pytest.mark.parametrize("target, status, slug", [
    ("coap://127.0.0.1:{port}/light", 403, "forbidden"),             # nobody's address
    ("coap://[::1]:{port}/light", 403, "forbidden"),
    ("coap://%5B::1%5D:{port}/light", 403, "forbidden"),
    ("coap://224.0.1.187:{port}/", 403, "forbidden"),                # above
    ("coap://224.0.1.187:{port}/lights", 403, "forbidden"),          # beside
    ("coap://224.0.1.187:{port}/x/light", 403, "forbidden"),
    ("coap://224.0.1.187:{port}/%6cight%2Fx", 403, "forbidden"),
    ("coap://224.0.1.187:{other}/", 403, "forbidden"),               # a mapping, but not open
    ("coap://224.0.1.187/light", 403, "forbidden"),                  # another port
    ("coap://224.0.1.188:{port}/light", 403, "forbidden"),           # another group
    ("coap://lights.example/light", 403, "forbidden"),               # names are not looked up
    ("coaps://224.0.1.187:{port}/light", 502, "proxying-not-supported"),
    ("coap://224.0.1.187:5684/light", 502, "proxying-not-supported"),
    ("coap+tcp://224.0.1.187:{port}/light", 502, "proxying-not-supported"),
    ("http://127.0.0.1:{port}/light", 400, "bad-uri"),
    ("224.0.1.187:{port}/light", 400, "bad-uri"),
    ("coap%3A%2F%2F224.0.1.187:{port}%2Flight", 400, "bad-uri"),
    ("coap://224.0.1.187:{port}/light/../secret", 400, "bad-uri"),
    ("coap://224.0.1.187:{port}/light/%2e%2e/secret", 400, "bad-uri"),
    ("coap://u:p@224.0.1.187:{port}/light", 400, "bad-uri"),
    ("coap://0xe00001bb:{port}/light", 400, "bad-uri"),
    ("", 400, "bad-uri"),
])
def test_everything_else_is_refused(forwarding, group, form, target, status, slug):
    """Not an open proxy: nothing leaves. R2, R43."""
    with Tap(group) as tap, Tap(forwarding.other) as other:
        uri = target.format(port=group.port, other=forwarding.other.port)
        check_problem(forwarding.request(form.format(uri), headers=NOW | TOKEN), status, slug)
        assert tap.packets(0.02) == [] and other.packets(0.02) == []


def test_a_target_needs_a_multicast_timeout(forwarding, group):
    """GCP, whatever the mapping says."""
    with Tap(group) as tap:
        reply = forwarding.request(f"/hc/?target_uri={group.uri}/light")
        check_problem(reply, 400, "multicast-timeout")
        assert reply.headers["Multicast-Timeout"] == "0"
        assert tap.packets(0.05) == []
        assert forwarding.request("/light", headers=NOW).status == 204  # as the reverse proxy it has its own


def test_the_mapping_decides_who_may(forwarding, group):
    east = f"/hc/?target_uri={group.uri}/light/east/1"
    check_problem(forwarding.request(east, headers=NOW), 401, "unauthorized")
    assert forwarding.request(east, headers=NOW | TOKEN).status == 204
    check_problem(forwarding.request(f"/hc/{group.uri}/light", "PUT", NOW | TOKEN, b"x"), 403, "unsafe-method")
    assert forwarding.request(f"/hc/{group.uri}/light", "HEAD", NOW).body == b""


def test_an_ipv6_target(gateway, new_group):
    group = new_group("ff02::fd")
    gate = gateway({"mappings": [silent_mapping(group, forward=True)]})
    for host in ("[ff02::fd]", "%5Bff02::fd%5D", "%5bFF02:0::FD%5d"):
        reply = gate.request(f"/hc/?target_uri=coap://{host}:{group.port}/x", headers=NOW)
        assert reply.status in (204, 502), reply  # 502: this machine's loopback has no IPv6 multicast
        assert reply.status == 204 or b"cannot-emit" in reply.body


# --- a member by its address


def test_a_member_is_asked_where_its_answer_came_from(members, gateway):
    """GCP §3.5: Reply-From, then a request to that one alone."""
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet, forward=True)]})
    for host, port in fleet.addresses:
        reply = gate.request(f"/hc/coap://{host}:{port}/status?x")  # one answer: nobody has to say how long to wait
        assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json"), reply
        assert reply.headers["Castgate-Member"].startswith(f'"{host}:{port}";verified=none;via=unicast')
        assert (reply.summary["answered"], reply.summary["expected"]) == (1, 1)
    big = gate.request(f"/hc/?target_uri=coap://{host}:{port}/big", headers={"Multicast-Timeout": "5"})
    assert (big.status, len(big.body)) == (200, 4096)
    assert gate.request(f"/hc/coap://{host}:{port}/nothing").status == 404  # the member's own word


def test_a_member_that_is_silent_is_504(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group, forward=True, max_timeout=1, timeout=1, members=["127.9.9.9:9"])]})
    problem = check_problem(gate.request("/hc/coap://127.9.9.9:9/x"), 504, "no-answer")
    assert "127.9.9.9:9" in problem["detail"]
    check_problem(gate.request("/hc/coap://127.9.9.9:9/x", headers={"Multicast-Timeout": "1"}), 504, "no-answer")
    check_problem(gate.request("/hc/coap://127.9.9.9:9/x", headers={"Multicast-Timeout": "2"}), 400, "multicast-timeout")


def test_who_may_ask_a_member_is_the_mappings_to_say(members, gateway):
    """And whoever may not hears what he would hear of any address."""
    fleet = members(1)
    gate = gateway({"clients": CLIENTS, "mappings": [plain_mapping(fleet, forward=True, clients=["dashboard"])]})
    host, port = fleet.addresses[0]
    uri = f"/hc/coap://{host}:{port}/status"
    assert gate.request(uri, headers=TOKEN).status == 200
    member, nobody = (gate.request(u) for u in (uri, "/hc/coap://127.9.9.9:9/status"))
    assert check_problem(member, 403, "forbidden")["detail"] == check_problem(nobody, 403, "forbidden")["detail"]
    check_problem(gate.request(uri, "PUT", TOKEN, b"x"), 403, "unsafe-method")


def test_the_gateway_never_asks_itself(gateway, group):
    """Even where the settings call one of its listeners a member."""
    own = [f"127.0.0.1:{free_tcp_port()}", f"127.0.0.1:{free_tcp_port()}"]
    gate = gateway({"http": {"listen": [own[0]]}, "admin": {"listen": [own[1]]},
                    "mappings": [silent_mapping(group, forward=True, members=own)]})
    for address in own:
        check_problem(gate.request(f"/hc/coap://{address}/x"), 403, "forbidden")


# --- /.well-known/core


def links(reply):
    """{path: {attribute: value}}"""
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/link-format"
    text, found = reply.body.decode(), {}
    while text:
        link = re.match(r'<([^>]*)>((?:;[a-z]+="[^"\\]*")*)(?:,(?=<)|$)', text)
        assert link, text
        found[link[1]] = dict(re.findall(r';([a-z]+)="([^"]*)"', link[2]))
        text = text[link.end():]
    return found


def test_discovery(forwarding):
    """R20: what this client may use."""
    link = lambda name: {"rt": "castgate.mapping", "title": name}
    proxy = {"rt": "core.hc", "hct": "?target_uri={+tu}"}
    assert links(forwarding.request("/.well-known/core")) == {
        "/light": link("light"), "/reverse": link("reverse"), "/hc/": proxy}
    known = links(forwarding.request("/.well-known/core", headers=TOKEN))
    assert known == {"/light": link("light"), "/east": link("east"), "/hc/": proxy}
    assert links(forwarding.request("/.well-known/core?rt=core.hc")) == {"/hc/": proxy}
    assert links(forwarding.request("/.well-known/core?href=/l*&rt=cast*")) == {"/light": link("light")}
    assert links(forwarding.request("/.well-known/core?rt=nothing")) == {}
    check_problem(forwarding.request("/.well-known/core", headers={"Authorization": "Bearer no"}), 401, "unauthorized")
    check_problem(forwarding.request("/.well-known/core?rt"), 400, "bad-uri")
    check_problem(forwarding.request("/.well-known/other"), 404, "not-found")


def test_discovery_is_read_only(forwarding):
    whole = forwarding.request("/.well-known/core")
    assert re.fullmatch("[0-9a-f]{16}", whole.headers["Castgate-Exchange"])
    head = forwarding.request("/.well-known/core", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.body)) == whole.headers["Content-Length"]
    for method in ("POST", "PUT", "DELETE", "PATCH", "TRACE"):
        reply = forwarding.request("/.well-known/core", method)
        check_problem(reply, 405, "method-not-allowed")
        assert reply.headers["Allow"] == "GET, HEAD"
    options = forwarding.request("/.well-known/core", "OPTIONS")
    assert (options.status, options.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    for _ in range(2000 // 100):  # leaves nothing behind
        assert forwarding.request("/.well-known/core").status == 200
    assert forwarding.request("/light", headers=NOW).status == 204


def test_the_template_leads_to_the_group(members, gateway):
    """As a client of RFC 8075 goes about it: discover, fill in, ask."""
    fleet = members(2)
    gate = gateway({"mappings": [plain_mapping(fleet, forward=True)]})
    (path, attributes), = links(gate.request("/.well-known/core?rt=core.hc")).items()
    uri = path + attributes["hct"].replace("{+tu}", quote(f"{fleet.group.uri}/status", safe=":/?#[]@!$&'()*+,;=%-._~"))
    assert gate.request(uri, headers={"Multicast-Timeout": "5"}).summary["answered"] == 2


# --- protected by the client

SEALED = bytes([0, 255, 13, 10, 45, 45, 0, 128, 7])


def protected(option, **more):
    return {"Content-Type": "application/oscore", "OSCORE": base64.urlsafe_b64encode(option or b"\0").decode().rstrip("="), **more}


@pytest.fixture
def relay(gateway, group):
    return gateway({"clients": CLIENTS, "mappings": [
        mapping(group, "relay", "/inside", security="relay", forward=True, clients=["dashboard"]),
        silent_mapping(group, "plain", unsafe_methods=True, clients=["dashboard"])]})


@pytest.mark.parametrize("path", ["/relay", "/relay/inside?too", "/hc/?target_uri={}/inside", "/hc/{}/inside/x"])
def test_protected_messages_pass_untouched(relay, group, endpoint, path):
    """R3, R18: byte-identical both ways; no Uri-Path outside."""
    option = b"\x19\x05\x03GM1\x11"
    answers = [(b"", b"\xff\x00\r\n\r\n--" + bytes(range(256))), (b"\x08\x12", b"\x00")]
    with Tap(group) as tap:
        call = Later(relay.request, path.format(group.uri), "POST", {**protected(option), **TOKEN, "Multicast-Timeout": "1"}, SEALED)
        packet = tap.next()
        message = packet.message
        assert (message.code, message.type, message.payload) == (coap.code("0.02"), coap.NON, SEALED)
        assert message.options == [(OSCORE, option)]
        with coap.Endpoint("127.0.0.2") as second:
            for member, (value, payload) in zip((endpoint, second), answers):
                member.send_bytes(packet.source, answer_to(message, payload, "2.04", options=[(OSCORE, value)]))
            endpoint.send_bytes(packet.source, answer_to(message, b"plain"))
            reply = call.result()
    parts = parse_mixed(reply)
    assert sorted((p.status, p.reason, p.header("OSCORE"), p.header("Content-Type"), p.body) for p in parts) == [
        (200, "OK", "AA", "application/oscore", answers[0][1]), (200, "OK", "CBI", "application/oscore", answers[1][1])]
    assert reply.summary["rejected"] == 1
    assert all(p.origin[1] for p in parts)


def test_an_empty_option_and_the_json_form(relay, group, endpoint):
    with Tap(group) as tap:
        call = Later(relay.request, "/relay", "POST", {**protected(b""), **TOKEN, "Accept": "application/json",
                                                       "Multicast-Timeout": "1"}, SEALED)
        packet = tap.next()
        assert packet.message.options == [(OSCORE, b"")]
        endpoint.send_bytes(packet.source, answer_to(packet.message, b"text, as it happens", "2.04", options=[(OSCORE, b"\x08\x12")]))
        answer, = call.result().json()["answers"]
    assert answer["content_type"] == "application/oscore" and answer["options"] == {"9": ["0812"]}
    assert base64.b64decode(answer["body_base64"]) == b"text, as it happens" and "body" not in answer
    assert (answer["status"], answer["code"], answer["kid"], answer["verified"]) == (200, "2.04", "12", "none")


def test_protection_must_fit_the_mapping(relay, group):
    with Tap(group) as tap:
        post = lambda path, headers: relay.request(path, "POST", {**headers, **NOW}, SEALED)
        check_problem(post("/plain", protected(b"\x09\x01") | TOKEN), 401, "unauthorized")  # never a second time
        check_problem(post("/relay", TOKEN), 401, "unauthorized")
        check_problem(post("/relay", protected(b"\x09\x01")), 401, "unauthorized")  # the client itself must be known (GCP)
        check_problem(relay.request("/relay", headers=NOW | TOKEN), 405, "method-not-allowed")  # outside it is a POST
        check_problem(post("/relay", {**TOKEN, "OSCORE": "CSU"}), 400, "bad-request")
        check_problem(post("/relay", {**TOKEN, "Content-Type": "application/oscore"}), 415, "unsupported-media-type")
        check_problem(post("/relay", {**TOKEN, "Content-Type": "application/oscore", "OSCORE": "C=="}), 400, "bad-request")
        assert tap.packets(0.05) == []
        assert post("/relay", protected(b"\x09\x01") | TOKEN).status == 204
        assert len(tap.packets()) == 1


# --- methods and browsers


@pytest.mark.parametrize("method, headers, body, code", [
    ("GET", {}, None, "0.01"), ("HEAD", {}, None, "0.01"), ("POST", {}, b"x", "0.02"), ("PUT", {}, b"x", "0.03"),
    ("DELETE", {}, None, "0.04"), ("POST", {"X-HTTP-Method-Override": "FETCH"}, b"x", "0.05"),
    ("PATCH", {"Content-Type": "application/json-patch+json"}, b"[]", "0.06"),
    ("PATCH", {"Content-Type": "application/merge-patch+json"}, b"{}", "0.07"),
])
def test_methods(gateway, group, method, headers, body, code):
    """RFC 8075, RFC 8132, with and without Expect: 100-continue."""
    gate = gateway({"clients": CLIENTS, "mappings": [silent_mapping(group, unsafe_methods=True, clients=["dashboard"])]})
    with Tap(group) as tap:
        for expect in ({}, {"Expect": "100-continue"}) if body else ({},):
            reply = gate.request("/silent/x", method, {**headers, **expect, **NOW, **TOKEN}, body)
            assert (reply.status, reply.body) == (204, b"")
        for packet in tap.packets():
            assert (packet.message.code, packet.message.payload) == (coap.code(code), body or b"")


def test_100_continue_comes_before_the_body(gateway, group):
    gate = gateway({"clients": CLIENTS, "mappings": [silent_mapping(group, unsafe_methods=True, clients=["dashboard"])]})
    with socket.create_connection(gate.http, timeout=10) as s:
        s.sendall(b"PUT /silent/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer d-token\r\nMulticast-Timeout: 0\r\n"
                  b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 100 ")
        s.sendall(b"hello")
        assert s.recv(4096).startswith(b"HTTP/1.1 204 ")
    # What is too large is refused without a body.
    with socket.create_connection(gate.http, timeout=10) as s:
        s.sendall(b"PUT /silent/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer d-token\r\n"
                  b"Content-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 413 ")
    with socket.create_connection(gate.http, timeout=10) as s:  # and whoever may not hears that
        s.sendall(b"PUT /silent/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\nExpect: 100-continue\r\n\r\n")
        assert s.recv(4096).startswith(b"HTTP/1.1 401 ")


ORIGIN = {"Origin": "https://evil.example"}


@pytest.mark.parametrize("side", ["http", "admin"])
def test_no_page_elsewhere_may_read_anything(gateway, group, side):
    """Nor do anything: 403 and no CORS header, so a preflight allows nothing, and no page can send a header of its own."""
    gate = gateway({"clients": CLIENTS, "mappings": [silent_mapping(group, forward=True), silent_mapping(group, "closed", clients=[])]})
    to = getattr(gate, side)
    preflight = {**ORIGIN, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization"}
    paths = {"http": ["/silent/x", "/closed/x", "/nothing", "/.well-known/core", f"/hc/?target_uri={group.uri}/", "/hc/x"],
             "admin": ["/metrics", "/healthz", "/readyz", "/", "/admin/v1/mappings"]}[side]
    for path in paths:
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
            reply = gate.request(path, method, {**(preflight if method == "OPTIONS" else ORIGIN), **NOW}, to=to)
            assert not [name for name in reply.headers if name.lower().startswith(("access-control", "cross-origin"))]
            assert reply.status == 403, (path, method, reply.status)
    for data in (b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n",
                 b"nonsense\r\n\r\n", b"GET /silent/x HTTP/1.1\r\nHost: evil.example\r\nOrigin: https://evil.example\r\n\r\n"):
        assert b"access-control" not in raw_http(gate, data, to=to).data.lower()


def test_the_limit_of_open_sockets_is_raised(gateway, group):
    """The soft limit is for programs with select(); the hard one stays the machine's."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
    try:
        gate = gateway({"mappings": [silent_mapping(group)]})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE) == (hard, hard)
    assert ("LimitNOFILE" in gate.log()) == (hard < 4096)
