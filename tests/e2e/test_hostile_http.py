"""Clients that send what no client should: a defined refusal or the end of the connection, nothing to the group, and the gateway
goes on."""

import http.client
import os
import random
import re
import resource
import socket
import time
from pathlib import Path

import pytest

from conftest import plain_mapping
from probe import Tap, check_problem, raw_http, running, silent_mapping, wait_for

HEAD = b"Host: localhost\r\nMulticast-Timeout: 0\r\n"
HIDDEN = b"GET /silent/hidden HTTP/1.1\r\n" + HEAD + b"\r\n"


@pytest.fixture
def silent(gateway, group):
    return gateway({"mappings": [silent_mapping(group)]})


def still_works(gate):
    assert gate.request("/silent/still", headers={"Multicast-Timeout": "0"}).status == 204
    wait_for(lambda: running(gate) == 0)


def post(*fields, body=b"", version=b"HTTP/1.1"):
    return b"POST /silent/x " + version + b"\r\n" + HEAD + b"".join(f + b"\r\n" for f in fields) + b"\r\n" + body


SMUGGLING = {
    "length and chunks": post(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "chunks and length": post(b"Transfer-Encoding: chunked", b"Content-Length: %d" % (5 + len(HIDDEN)), body=b"0\r\n\r\n" + HIDDEN),
    "two lengths": post(b"Content-Length: 0", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
    "two equal lengths": post(b"Content-Length: 0", b"Content-Length: 0", body=HIDDEN),
    "a list of lengths": post(b"Content-Length: 0, %d" % len(HIDDEN), body=HIDDEN),
    "a signed length": post(b"Content-Length: +0", body=HIDDEN),
    "a negative length": post(b"Content-Length: -1", body=HIDDEN),
    "a hexadecimal length": post(b"Content-Length: 0x0", body=HIDDEN),
    "an empty length": post(b"Content-Length:", body=HIDDEN),
    "a length with a space inside": post(b"Content-Length: 0 0", body=HIDDEN),
    "a length with a line feed": post(b"Content-Length:\n 0", body=HIDDEN),
    "a length beyond 64 bits": post(b"Content-Length: 18446744073709551616", body=HIDDEN),
    "a space before the colon": post(b"Content-Length : 0", b"Content-Length: %d" % len(HIDDEN), body=HIDDEN),
    "a space before the colon of chunks": post(b"Transfer-Encoding : chunked", body=b"0\r\n\r\n" + HIDDEN),
    "chunked twice": post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "chunked, identity": post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n" + HIDDEN),
    "identity": post(b"Transfer-Encoding: identity", body=HIDDEN),
    "xchunked": post(b"Transfer-Encoding: xchunked", body=HIDDEN),
    "chunked with a tab": post(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n" + HIDDEN),
    "chunked in 1.0": post(b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN, version=b"HTTP/1.0"),
    "chunked behind a fold": post(b"X: y", b" Transfer-Encoding: chunked", body=b"0\r\n\r\n" + HIDDEN),
    "a folded line": post(b"X: y\r\n z", body=HIDDEN),
    "a bare line feed": b"GET /silent/x HTTP/1.1\nHost: localhost\n\n" + HIDDEN,
    "a bare line feed in the head": post(b"X: y\nContent-Length: 0", body=HIDDEN),
    "a bare carriage return": post(b"X: y\rContent-Length: 0", body=HIDDEN),
    "a NUL in a value": post(b"X: a\0b", body=HIDDEN),
    "a NUL in a name": post(b"X\0Y: a", body=HIDDEN),
    "a control byte in a value": post(b"X: a\x01b", body=HIDDEN),
    "a name with a space": post(b"X Y: a", body=HIDDEN),
    "a line without colon": post(b"nonsense", body=HIDDEN),
    "an empty name": post(b": x", body=HIDDEN),
    "a space before the first field": b"GET /silent/x HTTP/1.1\r\n Host: localhost\r\n\r\n" + HIDDEN,
    "spaces in the request line": b"GET  /silent/x  HTTP/1.1\r\n" + HEAD + b"\r\n" + HIDDEN,
    "tabs in the request line": b"GET\t/silent/x\tHTTP/1.1\r\n" + HEAD + b"\r\n" + HIDDEN,
    "a space in the target": b"GET /silent/x HTTP/1.1 HTTP/1.1\r\n" + HEAD + b"\r\n" + HIDDEN,
}


AMBIGUOUS_HOST = {
    "no host": b"GET /silent/x HTTP/1.1\r\nMulticast-Timeout: 0\r\n\r\n",
    "two hosts": b"GET /silent/x HTTP/1.1\r\n" + HEAD + b"Host: localhost\r\n\r\n",
    "a host with a path": b"GET /silent/x HTTP/1.1\r\nHost: localhost/silent\r\n\r\n",
    "a host with user": b"GET /silent/x HTTP/1.1\r\nHost: localhost@evil\r\n\r\n",
    "an empty host": b"GET /silent/x HTTP/1.1\r\nHost:\r\n\r\n",
    "another host in the target": b"GET http://evil.example/silent/x HTTP/1.1\r\n" + HEAD + b"\r\n",
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling(silent, group, name):
    """400 or the end of the connection; neither this request nor one hidden behind it reaches the group."""
    with Tap(group) as tap:
        reply = raw_http(silent, SMUGGLING[name], timeout=15, stop_at_reply=False)
        assert reply.status in (0, 400, 413), reply.data
        assert reply.closed, "what follows on this connection cannot be trusted"
        assert b"Castgate-Summary" not in reply.data  # nothing was answered but the first request
        assert tap.packets(0.05) == []
    still_works(silent)


@pytest.mark.parametrize("name", AMBIGUOUS_HOST)
def test_ambiguous_hosts(silent, group, name):
    with Tap(group) as tap:
        assert raw_http(silent, AMBIGUOUS_HOST[name]).status == 400
        assert tap.packets(0.05) == []
    still_works(silent)


CHUNKS = [
    b"5\r\nabc", b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"fffffffffffffffff\r\n", b"5;" + b"e" * 70000 + b"\r\nabcde\r\n0\r\n\r\n",
    b"1\r\nab\r\n0\r\n\r\n", b"5 \r\nabcde\r\n0\r\n\r\n", b"0x5\r\nabcde\r\n0\r\n\r\n", b"\r\n\r\n", b"5\nabcde\n0\n\n",
    b"0\r\nContent-Length: 5\r\nX: y\r\n\r\n", b"ffffffffffffffff\r\n"]


@pytest.mark.parametrize("body", CHUNKS, ids=range(len(CHUNKS)))
def test_malformed_chunks(silent, group, body):
    """Refused, or taken and the connection closed behind it: never is anything behind such a body read as a request."""
    head = post(b"X-HTTP-Method-Override: FETCH", b"Transfer-Encoding: chunked")
    with Tap(group) as tap:
        reply = raw_http(silent, head + body + HIDDEN, timeout=2, stop_at_reply=False)
        assert reply.status in (0, 204, 400, 413), reply.data
        assert len(tap.packets(0.05)) == (1 if reply.status == 204 else 0)
        assert all(p.message.path == "/x" for p in tap.seen)
    still_works(silent)


PERCENT = {
    b"/silent/%": 400, b"/silent/%2": 400, b"/silent/%zz": 400, b"/silent/%%41": 400, b"/silent/x?%": 400, b"/silent/x?a=%g1": 400,
    b"/silent/%00": 400, b"/silent/a%00b": 400, b"/silent/x?a=%00": 400, b"/silent%00/x": 400,
    b"/silent/.": 400, b"/silent/..": 400, b"/silent/../silent/x": 400, b"/silent/./x": 400, b"/silent/%2e": 400,
    b"/silent/%2e%2e/x": 400, b"/silent/%2E%2e": 400, b"/silent/.%2e/x": 400, b"/../silent/x": 400, b"/./silent/x": 400,
    b"/silent/\xc3\xa4": 400, b"/silent/\xff": 400, b"/silent/x#y": 400, b"/silent/a\\b": 400, b"/silent/<x>": 400,
    b"/silent/\"": 400, b"/silent/{x}": 400, b"/silent/a|b": 400, b"/silent/^": 400, b"/silent/`": 400,
    b"silent/x": 400, b"*": 400, b"?": 400, b"coap://224.0.1.187/x": 400, b"http:///silent/x": 400, b"http://localhost": 404,
    b"http://localhost/silent/x": 204, b"/silent/...": 204, b"/silent/a.b": 204, b"/silent/%2F": 204, b"/silent/%25": 204,
    b"/silent/x?%2e%2e=..": 204, b"/silent//": 204, b"/silent/%C3%A4": 204, b"/silent/a;b=c,d": 204,
    b"/silent/%ff%fe": 400,  # no UTF-8: no Uri-Path can hold it
    b"/silent/%0d%0aX:%20y": 204, b"/silent/x?%0d%0a": 204,  # data like any other, in CoAP
}


def test_targets(silent, group):
    """Bad percent-encoding, NUL, dot segments, what must be encoded: 400. Odd but lawful: passed on as data."""
    with Tap(group) as tap:
        for target, status in PERCENT.items():
            reply = raw_http(silent, b"GET " + target + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
            assert reply.status == status, (target, reply.data)
        passed = [status for status in PERCENT.values() if status == 204]
        assert len(tap.packets()) == len(passed)
    still_works(silent)


OVER_LONG = [
    ("target", b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", (414,)),
    ("longer target", b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", (414, 431)),
    ("endless target", b"GET /" + b"a" * 2000000, (414, 431)),
    ("query", b"GET /silent/?" + b"a" * 9000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", (414,)),
    ("method", b"G" * 10000 + b" /silent/x HTTP/1.1\r\n" + HEAD + b"\r\n", (405, 400)),
    ("endless method", b"G" * 2000000, (0, 400, 414, 431)),
    ("version", b"GET /silent/x HTTP/" + b"1" * 10000 + b"\r\n" + HEAD + b"\r\n", (0, 400, 505)),
    ("field", b"GET /silent/x HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 20000 + b"\r\n\r\n", (431,)),
    ("endless field", b"GET /silent/x HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 2000000, (431,)),
    ("endless name", b"GET /silent/x HTTP/1.1\r\n" + HEAD + b"a" * 2000000, (431, 400)),
    ("fields", b"GET /silent/x HTTP/1.1\r\n" + HEAD + b"A: b\r\n" * 5000 + b"\r\n", (431,)),
    ("endless fields", b"GET /silent/x HTTP/1.1\r\n" + HEAD + b"A: b\r\n" * 300000, (431,)),
    ("empty lines", b"\r\n" * 50000 + b"GET /silent/x HTTP/1.1\r\n" + HEAD + b"\r\n", (0, 204, 400, 414, 431)),
    ("segments", b"GET /silent" + b"/a" * 4000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", (204, 400)),
    ("slashes", b"GET /silent" + b"/" * 8000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", (204, 400)),
    ("queries", b"GET /silent/x?" + b"a&" * 4000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n", (0, 204, 400, 431)),
    ("small fields", b"GET /silent/x HTTP/1.1\r\n" + HEAD + b"A:b\r\n" * 3000 + b"\r\n", (0, 204, 431)),
]


@pytest.mark.parametrize("name, data, statuses", OVER_LONG, ids=[name for name, _, _ in OVER_LONG])
def test_over_long_anything(silent, name, data, statuses):
    reply = raw_http(silent, data, timeout=8)
    assert reply.status in statuses, (name, reply.status, reply.data[:300])
    assert reply.status or reply.closed
    still_works(silent)


def test_a_chunk_without_end_holds_nobody(silent):
    """The head of a chunk fills every buffer and never ends. That connection waits for its own end, and only that one."""
    crowd = []
    for _ in range(3):
        s = socket.create_connection(silent.http, timeout=10)
        s.sendall(post(b"X-HTTP-Method-Override: FETCH", b"Transfer-Encoding: chunked", body=b"5;" + b"e" * 70000))
        crowd.append(s)
    start = time.monotonic()
    for _ in range(20):
        still_works(silent)
    assert time.monotonic() - start < 20
    for s in crowd:
        s.close()
    still_works(silent)


NO_HTTP = [
    b"", b"\r\n", b"\0" * 1000, b"\xff" * 1000, b"GET", b"GET /\r\n\r\n", b"GET / HTTP/1.1", b"GET / HTTP/9.9\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", bytes.fromhex("16030100c8010000c40303") + bytes(200), b"\x80\x01\x03\x01" + bytes(100),
    b"GET /silent/x HTTP/0.9\r\n\r\n", b"GET /silent/x\r\n", b"HTTP/1.1 200 OK\r\n\r\n", b"{}\r\n\r\n",
    b"GET /silent/x HTTP/1.1\r\nHost: localhost\r\nExpect: 200-ok\r\n\r\n",
    b"GET /silent/x HTTP/1.1\r\nHost: localhost\r\nMulticast-Timeout: 0\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"]


@pytest.mark.parametrize("data", NO_HTTP, ids=range(len(NO_HTTP)))
def test_what_is_no_http(silent, data):
    reply = raw_http(silent, data, timeout=0.4)
    assert reply.status in (0, 204, 400, 404, 405, 417, 421, 505), reply.data
    still_works(silent)


def test_pipelined_requests_are_answered_in_order(silent, group):
    """An honest pipeline works, which shows that the tests above could see a second reply."""
    with Tap(group) as tap:
        last = HIDDEN.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        reply = raw_http(silent, HIDDEN + b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n" + last, timeout=20,
                         stop_at_reply=False)
        assert re.findall(rb"HTTP/1\.1 ([0-9]{3}) ", reply.data) == [b"204", b"404", b"204"]
        assert [p.message.path for p in tap.packets()] == ["/hidden"] * 2


def test_one_byte_at_a_time(silent):
    with socket.create_connection(silent.http, timeout=10) as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in HIDDEN:
            s.sendall(bytes([byte]))
        assert s.recv(4096).startswith(b"HTTP/1.1 204 ")


def test_slow_and_silent_connections_hold_nobody(members, gateway):
    """Hundreds of connections that say nothing, half of a head or half of a body: others are served at once."""
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet, unsafe_methods=True)]})
    crowd = []
    for number in range(300):
        s = socket.create_connection(gate.http, timeout=10)
        s.sendall((b"", b"GET /lights/status HTT", b"POST /lights/light HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")[number % 3])
        crowd.append(s)
    start = time.monotonic()
    for _ in range(5):
        assert gate.request("/lights/status").summary["answered"] == 3
    assert time.monotonic() - start < 20
    assert running(gate) == 0  # none of these is an exchange
    for s in crowd:
        s.close()
    assert gate.request("/lights/status").summary["answered"] == 3


@pytest.fixture
def many_sockets():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def crowd_of(count, to, data=b"", source=None):
    crowd = []
    for _ in range(count):
        crowd.append(socket.create_connection(to, timeout=10, source_address=source and (source, 0)))
        crowd[-1].sendall(data)
    return crowd


@pytest.mark.parametrize("source", [None, "127.0.0.9"])
def test_idle_connections_lock_nobody_out(silent, many_sockets, source):
    """More than there is room for, from the same address or another: whoever asks is answered at once. Connections of other
    addresses are not theirs to take."""
    friend = http.client.HTTPConnection(*silent.http, timeout=20)
    friend.connect()
    crowd = crowd_of(1300, silent.http, source=source)
    for _ in range(2):
        start = time.monotonic()
        still_works(silent)
        if source is not None:
            kept = friend.sock
            friend.request("GET", "/silent/still", headers={"Multicast-Timeout": "0"})
            assert friend.getresponse().read() == b"" and friend.sock is kept
        assert time.monotonic() - start < 8  # less than the time that a head has
        crowd += crowd_of(1300, silent.http, source=source)
    for s in crowd:
        s.close()
    still_works(silent)


def test_slow_heads_keep_nobody_from_the_admin_side(silent):
    """Neither while they last nor when they have gone without a word."""
    crowd = crowd_of(400, silent.admin, b"GET /metrics HTTP/1.1\r\nHost: local")
    for _ in range(2):
        start = time.monotonic()
        assert silent.request("/metrics", to=silent.admin).status == 200
        assert time.monotonic() - start < 8  # less than the time that a head has
        for s in crowd:
            s.close()
    fds = Path(f"/proc/{silent.process.pid}/fd")
    before = silent.request("/healthz", to=silent.admin).status
    assert before == 200
    wait_for(lambda: sum("socket:" in os.path.realpath(fd) for fd in fds.iterdir()) < 30)  # one may close while it is looked at


def test_a_dribbled_head_ends(silent):
    """A byte a second keeps no connection for longer than a head may take, whatever line it is in."""
    first, later = crowd_of(2, silent.http)
    later.sendall(HIDDEN)
    assert later.recv(4096).startswith(b"HTTP/1.1 204 ")
    head = b"GET /silent/x HTTP/1.1\r\nHost: localhost\r\n"
    start = time.monotonic()
    open_ones = {first, later}
    for at in range(25):
        for s in list(open_ones):
            try:
                s.sendall(head[at:at + 1])
                s.settimeout(0.5)
                if s.recv(1) == b"":
                    open_ones.discard(s)
            except TimeoutError:
                pass
            except OSError:
                open_ones.discard(s)
        if not open_ones:
            break
    assert not open_ones and time.monotonic() - start > 8
    still_works(silent)


def test_requests_with_random_damage(silent):
    """Hundreds of requests with bytes changed, cut out, doubled: always a reply or the end, and the gateway goes on."""
    chance = random.Random(20)
    base = [HIDDEN, post(b"Content-Length: 3", body=b"abc"), post(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n0\r\n\r\n"),
            post(b"X-HTTP-Method-Override: FETCH", b"Content-Type: application/json", b"Accept: application/json;q=0.5, */*",
                 b"Content-Length: 2", body=b"{}")]
    for _ in range(500):
        data = bytearray(chance.choice(base))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(data))
            kind = chance.randrange(4)
            if kind == 0:
                data[at] = chance.randrange(256)
            elif kind == 1:
                del data[at:at + chance.randrange(1, 20)]
            elif kind == 2:
                data[at:at] = data[at:at + chance.randrange(1, 20)]
            else:
                data[at:at] = chance.choice([b"\r\n", b"\0", b"\r", b"\n", b"%00", b":", b" ", b"\t", b"\r\n\r\n", b"=" * 50])
            if not data:
                data += b"x"
        with socket.create_connection(silent.http, timeout=0.5) as s:
            try:
                s.sendall(data)
                s.shutdown(socket.SHUT_WR)
                got = s.recv(4096)
            except (ConnectionResetError, TimeoutError):  # it may well wait for the rest, in its time for idle connections
                got = b""
        assert got == b"" or got.startswith(b"HTTP/1."), got
    still_works(silent)


def test_the_admin_side_takes_no_nonsense_either(silent):
    for name in ("length and chunks", "two lengths", "a folded line", "a NUL in a value"):
        data = SMUGGLING[name].replace(b"/silent/x", b"/metrics")
        reply = raw_http(silent, data, timeout=1, stop_at_reply=False, to=silent.admin)
        assert reply.status in (0, 400) and b"castgate_" not in reply.data
    for target, status in ((b"/%6detrics", 404), (b"/metrics/", 404), (b"/../metrics", 404), (b"/metrics%00", 404), (b"//metrics", 404)):
        reply = raw_http(silent, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", to=silent.admin)
        assert reply.status in (status, 400), (target, reply.data)
    assert silent.request("/metrics", to=silent.admin).status == 200
    check_problem(silent.request("/nothing", to=silent.admin), 404, "not-found")
