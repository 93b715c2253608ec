"""CoAP over TCP and TLS for tests (RFC 8323), independent of the C code as coap.py is."""

import os
import select
import socket
import time

import coap
from coap import MULTICAST_TIMEOUT, OBSERVE, Message, path_options, uint

CSM, PING, PONG, RELEASE, ABORT = (7 << 5 | n for n in range(1, 6))
MAX_MESSAGE_SIZE, BLOCK_WISE_TRANSFER, EXTENDED_TOKEN_LENGTH, CUSTODY, HOLD_OFF, BAD_CSM_OPTION = 2, 4, 6, 2, 4, 2


def emit(code, token=b"", options=(), payload=b""):
    """A frame (§3.2)."""
    body = coap.emit_options(list(options), payload)
    if len(body) < 13:
        length, more = len(body), b""
    elif len(body) < 269:
        length, more = 13, bytes([len(body) - 13])
    elif len(body) < 65805:
        length, more = 14, (len(body) - 269).to_bytes(2, "big")
    else:
        length, more = 15, (len(body) - 65805).to_bytes(4, "big")
    kind, extension = coap.extended(len(token))
    return bytes([length << 4 | kind]) + more + bytes([code]) + extension + token + body


def parse(data):
    """(message, rest), or None where the frame is not whole."""
    if len(data) < 2:
        return None
    size = {13: 1, 14: 2, 15: 4}.get(data[0] >> 4, 0)
    kind_size = {13: 1, 14: 2}.get(data[0] & 15, 0)
    if len(data) < 2 + size + kind_size:
        return None
    length = data[0] >> 4 if size == 0 else int.from_bytes(data[1:1 + size], "big") + {1: 13, 2: 269, 4: 65805}[size]
    token, at = coap.read_extended(data[0] & 15, data, 2 + size)
    end = at + token + length
    if len(data) < end:
        return None
    options, payload = coap.parse_options(data[at + token:end])
    return Message(code=data[1 + size], token=data[at:at + token], options=options, payload=payload), data[end:]


class Connection:
    """A client's. Its CSM is sent at once, unless `csm` is None."""

    def __init__(self, to, tls=None, csm=((MAX_MESSAGE_SIZE, uint(1152)), (BLOCK_WISE_TRANSFER, b"")), address="127.0.0.1", buffer=None):
        self.socket = socket.socket()
        if buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.bind((address, 0))
        self.socket.settimeout(20)
        self.socket.connect(to)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        self.data, self.poll = b"", select.poll()
        self.poll.register(self.socket, select.POLLIN)
        if csm is not None:
            self.send(emit(CSM, options=csm))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def hear(self, timeout=20.0):
        """The next message; None: there was none in time; EOFError: the connection has ended."""
        end = time.monotonic() + timeout
        while (found := parse(self.data)) is None:
            pending = getattr(self.socket, "pending", lambda: 0)()
            if not pending and not self.poll.poll(max(0, end - time.monotonic()) * 1000):
                return None
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                raise EOFError
            self.data += more
        message, self.data = found
        return message

    def hear_csm(self):
        message = self.hear()
        assert message.code == CSM
        return message

    def ask(self, path="", method=coap.GET, timeout=2, options=(), payload=b"", token=None):
        """Sends a request with Multicast-Timeout, unless that is None. Its token."""
        more = [] if timeout is None else [(MULTICAST_TIMEOUT, uint(timeout))]
        token = os.urandom(8) if token is None else token
        self.send(emit(method, token, path_options(path) + list(options) + more, payload))
        return token

    def gather(self, token, count):
        """So many messages, all of them on that token."""
        found = [self.hear() for _ in range(count)]
        assert all(message is not None and message.token == token for message in found), found
        return found

    def ends(self, timeout=20.0):
        """What comes until the connection ends."""
        found = []
        try:
            while (message := self.hear(timeout)) is not None:
                found.append(message)
        except EOFError:
            return found
        raise AssertionError(f"it did not end: {found}")

    def observe(self, path, **more):
        return self.ask(path, options=[(OBSERVE, b"")], **more)
