"""What the end-to-end tests look with: a listener that sees hop limit and interface, a strict reader of the multipart reply,
raw HTTP over a socket, the metrics and the log. Written against the standards, not against the gateway's code."""

import base64
import ipaddress
import re
import select
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

import coap

IP_PKTINFO, IP_RECVTTL, IP_MULTICAST_ALL, IPV6_MULTICAST_ALL = 8, 12, 49, 29  # Python has no names for them
PATIENCE = 20  # seconds, for what should happen at once


def wait_for(what, timeout=PATIENCE, pause=0.02):
    """Calls what() until it says something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        found = what()
        if found or time.monotonic() > end:
            assert found, "did not happen in time"
            return found
        time.sleep(pause)


class Later(threading.Thread):
    """A call in a thread of its own: in the namespace of whoever makes it."""

    def __init__(self, call, *args, **kwargs):
        super().__init__(daemon=True)
        self._call = lambda: call(*args, **kwargs)
        self._value = self._error = None
        self.start()

    def run(self):
        try:
            self._value = self._call()
        except BaseException as e:
            self._error = e

    def result(self, timeout=60):
        self.join(timeout)
        assert not self.is_alive(), "the call did not end"
        if self._error is not None:
            raise self._error
        return self._value


# --- the group's side


@dataclass
class Packet:
    data: bytes
    source: tuple
    hops: int
    interface: int  # index
    to: str

    @property
    def message(self):
        return coap.Message.parse(self.data)


class Tap:
    """One more listener of a group, on one interface."""

    def __init__(self, group, interface="lo"):
        self.index = socket.if_nametoindex(interface)
        self.ipv6 = ":" in group.address
        self.seen = []
        self.socket = socket.socket(socket.AF_INET6 if self.ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        if self.ipv6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL, 0)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            self.socket.bind((group.address, group.port, 0, self.index))
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                                   socket.inet_pton(socket.AF_INET6, group.address) + struct.pack("=I", self.index))
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, IP_MULTICAST_ALL, 0)
            self.socket.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
            self.socket.bind((group.address, group.port))
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                   struct.pack("=4s4si", socket.inet_aton(group.address), bytes(4), self.index))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def _receive(self):
        data, ancillary, _, source = self.socket.recvmsg(65536, 1024)
        hops, interface, to = None, None, None
        for level, kind, value in ancillary:
            if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)):
                hops = struct.unpack("=i", value[:4])[0]
            elif (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                interface, to = struct.unpack("=i", value[:4])[0], socket.inet_ntoa(value[8:12])
            elif (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO):
                to, interface = socket.inet_ntop(socket.AF_INET6, value[:16]), struct.unpack("=I", value[16:20])[0]
        self.seen.append(Packet(data, source[:2], hops, interface, to))

    def packets(self, settle=0.2):
        """All since the start, after nothing came for `settle` seconds."""
        while select.select([self.socket], [], [], settle)[0]:
            self._receive()
        return list(self.seen)

    def next(self, timeout=PATIENCE):
        """The next one that comes."""
        assert select.select([self.socket], [], [], timeout)[0], "nothing was sent to the group"
        self._receive()
        return self.seen[-1]


def answer_to(message, payload=b"", code="2.05", type=coap.NON, mid=None, options=(), token=None):
    """The bytes of an answer to this request."""
    mid = (message.mid + 1) & 0xFFFF if mid is None else mid
    return coap.Message(type, coap.code(code), mid, message.token if token is None else token, list(options), payload).emit()


# --- the reply


@dataclass
class Part:
    status: int
    reason: str
    headers: list  # of (name, value), in order
    body: bytes

    def header(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        assert len(values) <= 1, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def origin(self):
        """(ip, port) as Reply-From's CRI says."""
        value = self.header("Reply-From")
        assert re.fullmatch(r":[A-Za-z0-9+/]*=*:", value), value
        return parse_cri(base64.b64decode(value[1:-1], validate=True))

    @property
    def member(self):
        """(name, {parameter: value}) of Castgate-Member, a structured field item."""
        value = self.header("Castgate-Member")
        found = re.fullmatch(r'"((?:[^"\\]|\\["\\])*)"((?:;[a-z]+=(?:[a-z0-9]+|:[A-Za-z0-9+/=]*:))*)', value)
        assert found, value
        pairs = (p.partition("=") for p in found[2].split(";")[1:])
        return re.sub(r"\\(.)", r"\1", found[1]), {k: v for k, _, v in pairs}


def _lines(head):
    assert b"\n" not in head.replace(b"\r\n", b"") and b"\r" not in head.replace(b"\r\n", b""), head
    return head.split(b"\r\n")


def _headers(lines):
    found = []
    for line in lines:
        assert re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x20-\x7e]*", line), line
        name, _, value = line.partition(b": ")
        found.append((name.decode(), value.decode()))
    return found


def parse_part(raw):
    """One body part of RFC 2046 that holds a whole HTTP response (RFC 9112)."""
    head, separator, response = raw.partition(b"\r\n\r\n")
    assert separator and _headers(_lines(head)) == [("Content-Type", "application/http")], raw
    head, separator, body = response.partition(b"\r\n\r\n")
    assert separator, raw
    lines = _lines(head)
    status = re.fullmatch(rb"HTTP/1\.1 ([2-5][0-9][0-9]) ([\x20-\x7e]*)", lines[0])
    assert status, lines[0]
    part = Part(int(status[1]), status[2].decode(), _headers(lines[1:]), body)
    if part.status in (204, 304):
        assert body == b"" and part.header("Content-Length") is None
    else:
        assert part.header("Content-Length") == str(len(body)), raw
    return part


def parse_mixed(reply):
    """The parts of a multipart/mixed reply, strictly: RFC 2046 §5.1.1 by the letter."""
    content_type = reply.headers["Content-Type"]
    found = re.fullmatch(r"multipart/mixed; ?boundary=([0-9A-Za-z'()+_,./:=?-]{1,70})", content_type)
    assert found, content_type
    delimiter = b"--" + found[1].encode()
    body = reply.body
    assert body.count(delimiter) == body.count(b"\r\n" + delimiter) + 1 and body.startswith(delimiter)
    pieces = (b"\r\n" + body).split(b"\r\n" + delimiter)
    assert pieces[0] == b"" and pieces[-1] in (b"--", b"--\r\n"), pieces
    parts = []
    for piece in pieces[1:-1]:
        assert piece.startswith(b"\r\n"), piece
        parts.append(parse_part(piece[2:]))
    return parts


def _cbor_head(data, at):
    major, low = data[at] >> 5, data[at] & 31
    if low < 24:
        return major, low, at + 1
    size = {24: 1, 25: 2, 26: 4, 27: 8}[low]
    return major, int.from_bytes(data[at + 1:at + 1 + size], "big"), at + 1 + size


def cbor(data, at=0):
    """(value, where it ends); integers, strings, arrays, maps, true, null."""
    major, number, at = _cbor_head(data, at)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        text = data[at:at + number]
        assert len(text) == number
        return text if major == 2 else text.decode(), at + number
    if major == 4:
        items = []
        for _ in range(number):
            item, at = cbor(data, at)
            items.append(item)
        return items, at
    if major == 5:
        pairs = {}
        for _ in range(number):
            key, at = cbor(data, at)
            assert key not in pairs
            pairs[key], at = cbor(data, at)
        return pairs, at
    assert major == 7 and number in (21, 22), (major, number)
    return {21: True, 22: None}[number], at


def parse_multipart_core(data):
    """(counts, ended_by, answers), strictly: each answer is what its part says, with `format` and `payload`."""
    items, end = cbor(data)
    assert end == len(data) and len(items) % 4 == 2
    assert items[0] == 60
    whole, end = cbor(items[1])
    assert end == len(items[1]) and set(whole) == {0, 1, 2} and whole[0] == 1
    names = {1: "reply_from", 2: "code", 3: "kid", 4: "verified", 5: "ms", 6: "max_age", 7: "etag", 8: "oscore", 9: "via"}
    answers = []
    for at in range(2, len(items), 4):
        about, end = cbor(items[at + 1])
        assert items[at] == 60 and end == len(items[at + 1])
        answers.append({"format": items[at + 2], "payload": items[at + 3]} | {names[key]: value for key, value in about.items()})
    assert whole[1]["answered"] == len(answers)
    return whole[1], whole[2], answers


def parse_cri(data):
    """(ip, port) of a CRI reference [scheme-id, [address, port?]]."""
    value, end = cbor(data)
    assert end == len(data), data
    scheme, authority = value
    assert scheme == -1, value  # coap
    ip = str(ipaddress.ip_address(authority[0]))
    port = authority[1] if len(authority) == 2 else 5683
    assert len(authority) in (1, 2)
    return ip, port


def sf_dictionary(text):
    """A dictionary of RFC 9651 whose values are integers and tokens; anything else is an error."""
    found = {}
    for member in re.split(r"[ \t]*,[ \t]*", text.strip(" ")):
        match = re.fullmatch(r"([a-z*][a-z0-9_.*-]*)=(?:(-?[0-9]{1,15})|([A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*))", member)
        assert match, f"{member!r} in {text!r}"
        assert match[1] not in found
        found[match[1]] = match[3] if match[2] is None else int(match[2])
    return found


# --- raw HTTP


@dataclass
class RawReply:
    status: int  # 0: the connection ended without a reply
    data: bytes  # everything that came
    closed: bool
    headers: dict = field(default_factory=dict)


def raw_http(gateway, data, timeout=10, stop_at_reply=True, to=None):
    """Sends these bytes and reads until a whole head came (or, without stop_at_reply, until the end or the timeout)."""
    got, closed = b"", False
    with socket.create_connection(to or gateway.http, timeout=timeout) as s:
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before it was read
        end = time.monotonic() + timeout
        while not (stop_at_reply and b"\r\n\r\n" in got):
            s.settimeout(max(0.01, end - time.monotonic()))
            try:
                piece = s.recv(65536)
            except ConnectionResetError:
                piece = b""
            except TimeoutError:
                break
            if not piece:
                closed = True
                break
            got += piece
    status = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", got)
    headers = {}
    for line in got.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        headers[name.decode("latin-1").lower()] = value.strip().decode("latin-1")
    return RawReply(int(status[1]) if status else 0, got, closed, headers)


# --- what the gateway says about itself


def metrics(gateway):
    """{'name{labels}': value} of /metrics, whose grammar is checked."""
    reply = gateway.request("/metrics", to=gateway.admin)
    assert reply.status == 200 and reply.headers["Content-Type"].startswith("text/plain")
    found, declared = {}, set()
    for line in reply.body.decode().splitlines():
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert kind in ("counter", "gauge", "histogram") and name not in declared
            declared.add(name)
        elif not line.startswith("# HELP "):
            match = re.fullmatch(r'([a-z_]+)(\{[a-z_]+="[^"]*"(?:,[a-z_]+="[^"]*")*\})? ([-+0-9.eE]+|\+Inf)', line)
            assert match, line
            assert re.sub(r"_(bucket|sum|count)$", "", match[1]) in declared or match[1] in declared, line
            assert match[1] + (match[2] or "") not in found, line
            found[match[1] + (match[2] or "")] = float(match[3])
    return found


def counter(gateway, name, mapping=None):
    """A mapping's counters are there with its first request."""
    if mapping is None:
        return metrics(gateway)[f"castgate_{name}"]
    return metrics(gateway).get(f'castgate_{name}{{mapping="{mapping}"}}', 0)


def running(gateway):
    return counter(gateway, "exchanges_running")


def log_lines(gateway, event=None):
    """[{key: value}] of the log; every line must have its shape."""
    found = []
    for line in gateway.log().splitlines():
        assert re.fullmatch(r'[a-z_]+=("(?:[^"\\]|\\.)*"|[^ "]+)( [a-z_]+=("(?:[^"\\]|\\.)*"|[^ "]+))*', line), line
        pairs = re.findall(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "]+)', line)
        entry = {k: v[1:-1] if v.startswith('"') else v for k, v in pairs}
        if event is None or entry["event"] == event:
            found.append(entry)
    return found


def check_problem(reply, status, slug):
    """A problem document (RFC 9457) of this kind."""
    assert reply.status == status, (reply.status, reply.body)
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert problem["type"] == f"urn:castgate:problem:{slug}", problem
    assert problem["status"] == status
    assert isinstance(problem["title"], str) and problem["title"]
    assert isinstance(problem["detail"], str) and problem["detail"]
    assert set(problem) <= {"type", "status", "title", "detail", "exchange"}
    return problem


def silent_mapping(group, name="silent", **more):
    """A mapping of a group in which nobody needs to be: exchanges run until their time is up."""
    return {"name": name, "path": f"/{name}", "group": group.uri, "security": "none", "timeout": 20,
            "clients": ["anonymous"], **more}
