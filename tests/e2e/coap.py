"""A small CoAP codec and endpoint for tests, on purpose independent of the C code: what it says about a message is a second
opinion. RFC 7252 over UDP; options are a list of (number, bytes)."""

import ipaddress
import os
import select
import socket
import struct
import time
from dataclasses import dataclass, field

CON, NON, ACK, RST = range(4)

EMPTY, GET, POST, PUT, DELETE, FETCH, PATCH, IPATCH = range(8)

IF_MATCH, URI_HOST, ETAG, IF_NONE_MATCH, OBSERVE, URI_PORT, LOCATION_PATH, OSCORE = 1, 3, 4, 5, 6, 7, 8, 9
URI_PATH, CONTENT_FORMAT, MAX_AGE, URI_QUERY, HOP_LIMIT, ACCEPT = 11, 12, 14, 15, 16, 17
BLOCK2, BLOCK1, SIZE2, PROXY_URI, PROXY_SCHEME, SIZE1 = 23, 27, 28, 35, 39, 60
ECHO, NO_RESPONSE, REQUEST_TAG = 252, 258, 292
MULTICAST_TIMEOUT, URI_PATH_ABBREV, GROUP_ETAG, PROXY_CRI, PROXY_SCHEME_NUMBER, REPLY_FROM = 2, 13, 24, 235, 239, 248  # the settings' defaults


class FormatError(ValueError):
    """Not a CoAP message (RFC 7252 §3)."""


def code(text):
    """'2.05' → 69"""
    major, minor = text.split(".")
    return int(major) << 5 | int(minor)


def code_text(number):
    return f"{number >> 5}.{number & 31:02d}"


def uint(value):
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def read_extended(nibble, data, at):
    if nibble == 15:
        raise FormatError("nibble 15")
    size = {13: 1, 14: 2}.get(nibble, 0)
    if at + size > len(data):
        raise FormatError("truncated option")
    if size == 0:
        return nibble, at
    return int.from_bytes(data[at:at + size], "big") + (13 if size == 1 else 269), at + size


def extended(value):
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes([value - 13])
    return 14, (value - 269).to_bytes(2, "big")


def parse_options(data):
    """What follows the token: ([(number, value)], payload)."""
    options, at, number = [], 0, 0
    while at < len(data):
        if data[at] == 0xFF:
            if at + 1 == len(data):
                raise FormatError("marker without payload")
            return options, data[at + 1:]
        delta, length = data[at] >> 4, data[at] & 15
        delta, at = read_extended(delta, data, at + 1)
        length, at = read_extended(length, data, at)
        if at + length > len(data):
            raise FormatError("truncated option value")
        number += delta
        options.append((number, data[at:at + length]))
        at += length
    return options, b""


def emit_options(options, payload=b""):
    out, last = b"", 0
    for number, value in sorted(options, key=lambda o: o[0]):
        delta, delta_bytes = extended(number - last)
        length, length_bytes = extended(len(value))
        out += bytes([delta << 4 | length]) + delta_bytes + length_bytes + value
        last = number
    return out + (b"\xff" + payload if payload else b"")


@dataclass
class Message:
    type: int = NON
    code: int = EMPTY
    mid: int = 0
    token: bytes = b""
    options: list = field(default_factory=list)
    payload: bytes = b""

    @classmethod
    def parse(cls, data):
        if len(data) < 4 or data[0] >> 6 != 1:
            raise FormatError("header")
        length = data[0] & 15
        if length > 8 or len(data) < 4 + length:
            raise FormatError("token")
        if data[1] == EMPTY and len(data) > 4:
            raise FormatError("empty message with content")
        options, payload = parse_options(data[4 + length:])
        return cls(data[0] >> 4 & 3, data[1], data[2] << 8 | data[3], data[4:4 + length], options, payload)

    @classmethod
    def parse_extended(cls, data):
        """As between clients and the gateway: tokens of more than 8 bytes, too (RFC 8974 §2.1)."""
        if len(data) < 4 or data[0] >> 6 != 1:
            raise FormatError("header")
        length, at = read_extended(data[0] & 15, data, 4)
        if len(data) < at + length:
            raise FormatError("token")
        options, payload = parse_options(data[at + length:])
        return cls(data[0] >> 4 & 3, data[1], data[2] << 8 | data[3], data[at:at + length], options, payload)

    def emit(self):
        nibble, extension = extended(len(self.token))
        header = struct.pack("!BBH", 1 << 6 | self.type << 4 | nibble, self.code, self.mid)
        return header + extension + self.token + emit_options(self.options, self.payload)

    def all(self, number):
        return [value for n, value in self.options if n == number]

    def one(self, number):
        """The value, or None; more than one is an error here."""
        values = self.all(number)
        assert len(values) <= 1, f"option {number} is repeated"
        return values[0] if values else None

    def uint(self, number):
        value = self.one(number)
        return None if value is None else int.from_bytes(value, "big")

    def block(self, number=BLOCK2):
        """(number, more, size), or None."""
        value = self.uint(number)
        return None if value is None else (value >> 4, bool(value & 8), 16 << (value & 7))

    @property
    def path(self):
        return "/" + "/".join(v.decode() for v in self.all(URI_PATH))

    @property
    def code_text(self):
        return code_text(self.code)


def path_options(path):
    path, _, query = path.partition("?")
    options = [(URI_PATH, part.encode()) for part in path.strip("/").split("/") if part]
    return options + [(URI_QUERY, part.encode()) for part in query.split("&") if part]


def block(number, more, size):
    return uint(number << 4 | more << 3 | (size.bit_length() - 5))


@dataclass
class Received:
    message: Message
    source: tuple  # (ip, port)
    at: float  # time.monotonic()
    data: bytes


class Endpoint:
    """A UDP socket that sends to members and groups through one interface."""

    def __init__(self, address="127.0.0.1", port=0, interface="lo"):
        ipv6 = ipaddress.ip_address(address).version == 6
        self.socket = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        index = socket.if_nametoindex(interface)
        if ipv6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("=4s4si", bytes(4), bytes(4), index))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((address, port))
        self.port = self.socket.getsockname()[1]
        self._mid = int.from_bytes(os.urandom(2), "big")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def next_mid(self):
        self._mid = (self._mid + 1) & 0xFFFF
        return self._mid

    def send_bytes(self, to, data):
        self.socket.sendto(data, to)

    def send(self, to, path="", method=GET, type=NON, options=(), payload=b"", token=None, mid=None):
        message = Message(type, method, self.next_mid() if mid is None else mid,
                          os.urandom(8) if token is None else token, path_options(path) + list(options), payload)
        self.socket.sendto(message.emit(), to)
        return message

    def send_empty(self, to, type, mid):
        self.socket.sendto(Message(type, EMPTY, mid).emit(), to)

    def receive_bytes(self, timeout):
        """(data, source), or None when nothing came in time."""
        if not select.select([self.socket], [], [], max(0, timeout))[0]:
            return None
        data, source = self.socket.recvfrom(65536)
        return data, source[:2]

    def receive(self, timeout=10.0):
        got = self.receive_bytes(timeout)
        return None if got is None else Received(Message.parse(got[0]), got[1], time.monotonic(), got[0])

    def collect(self, count=None, timeout=None):
        """Whatever comes until there are `count`, or until `timeout` seconds are over: long ones where a number is expected."""
        end, found = time.monotonic() + (timeout or (2 if count is None else 20)), []
        while count is None or len(found) < count:
            got = self.receive(end - time.monotonic())
            if got is None:
                break
            found.append(got)
        return found

    def request(self, to, path="", method=GET, timeout=10.0, **more):
        """A Confirmable request and its piggybacked or separate response."""
        message = self.send(to, path, method, type=CON, **more)
        for got in iter(lambda: self.receive(timeout), None):
            answer = got.message
            if answer.type == CON:
                self.send_empty(to, ACK, answer.mid)
            if answer.type == RST and answer.mid == message.mid or answer.code and answer.token == message.token:
                return answer
        return None


class Client(Endpoint):
    """A client of the gateway's CoAP side. It acknowledges what is Confirmable, unless `quiet`; whatever is on none of its tokens is
    left alone."""

    def __init__(self, gateway, address=None, quiet=False, **more):
        self.to, self.quiet = gateway, quiet
        super().__init__(address or ("::1" if ":" in gateway[0] else "127.0.0.1"), **more)
        self.socket.connect(gateway)

    def ask(self, path="", method=GET, type=CON, timeout=2, options=(), payload=b"", token=None, mid=None):
        """Sends a request with Multicast-Timeout, unless that is None."""
        more = [] if timeout is None else [(MULTICAST_TIMEOUT, uint(timeout))]
        message = Message(type, method, self.next_mid() if mid is None else mid, os.urandom(8) if token is None else token,
                          path_options(path) + list(options) + more, payload)
        self.socket.send(message.emit())
        return message

    def hear(self, timeout=10.0):
        """The next message, or None."""
        got = self.receive_bytes(timeout)
        if got is None:
            return None
        message = Message.parse_extended(got[0])
        if message.type == CON and not self.quiet:
            self.socket.send(Message(ACK, EMPTY, message.mid).emit())
        return message

    def hear_all(self, seconds):
        """Whatever comes within that time."""
        end, found = time.monotonic() + seconds, []
        while (message := self.hear(end - time.monotonic())) is not None:
            found.append(message)
        return found

    def call(self, path="", seconds=10.0, **more):
        """A request that is answered by one response, wherever that is; None: by none."""
        request = self.ask(path, **more)
        end = time.monotonic() + seconds
        while (message := self.hear(end - time.monotonic())) is not None:
            if message.code != EMPTY and message.token == request.token or message.type == RST and message.mid == request.mid:
                return message
        return None

    def gather(self, path="", count=None, seconds=5.0, **more):
        """A group request: its responses, until there are `count` or the time is over. The empty acknowledgement is passed over."""
        request, found = self.ask(path, **more), []
        end = time.monotonic() + seconds
        while (count is None or len(found) < count) and (message := self.hear(end - time.monotonic())) is not None:
            if message.code != EMPTY and message.token == request.token:
                found.append(message)
        return found
