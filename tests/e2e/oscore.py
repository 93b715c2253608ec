"""A client's side of OSCORE (RFC 8613), on purpose independent of the C code: keys, nonces, requests sealed, responses opened. Between
a client and its proxy every option goes inside (draft-ietf-core-oscore-capable-proxies) that is not named as outer."""

import json
import secrets
import select
import socket
import subprocess

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

import coap
from coap import OBSERVE, OSCORE, Client, Message
from coap_tcp import Connection, emit

AES_CCM_16_64_128, KEY, NONCE, TAG = 10, 16, 13, 8
PIV_FLAGS, KID_CONTEXT_FLAG, KID_FLAG = 7, 16, 8


def _head(major, number):
    return bytes([major << 5 | number]) if number < 24 else bytes([major << 5 | 24, number])


def cbor(value):
    if value is None:
        return b"\xf6"
    if isinstance(value, int):
        return _head(0, value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value)) + value.encode()
    return _head(4, len(value)) + b"".join(map(cbor, value))


def piv_of(number):
    return number.to_bytes(max(1, (number.bit_length() + 7) // 8), "big")


class Context:
    """What a client and the gateway share. `number` is the client's next one; `seen` are the gateway's Partial IVs."""

    def __init__(self, client=b"\x01", gateway=b"\x02", id_context=None, secret=None, salt=None):
        self.client, self.gateway, self.id_context = client, gateway, id_context
        self.secret, self.salt = secret or secrets.token_bytes(16), salt or secrets.token_bytes(8)
        self.number, self.seen = 0, []
        self.sender_key, self.recipient_key = self._derive(client, "Key", KEY), self._derive(gateway, "Key", KEY)
        self.common_iv = self._derive(b"", "IV", NONCE)

    def _derive(self, party, kind, length):
        info = cbor([party, self.id_context, AES_CCM_16_64_128, kind, length])
        return HKDF(SHA256(), length, self.salt, info).derive(self.secret)

    def write(self, file):
        """The gateway's file."""
        document = {"master_secret": self.secret.hex(), "master_salt": self.salt.hex(), "sender_id": self.gateway.hex(),
                    "recipient_id": self.client.hex()}
        if self.id_context is not None:
            document["id_context"] = self.id_context.hex()
        file.write_text(json.dumps(document))
        file.chmod(0o600)
        return file

    @classmethod
    def read(cls, file):
        """The client's file."""
        values = {key: bytes.fromhex(text) for key, text in json.loads(file.read_text()).items() if isinstance(text, str) and key != "hkdf"}
        return cls(values["sender_id"], values["recipient_id"], values.get("id_context"), values["master_secret"], values["master_salt"])

    def _nonce(self, party, piv):
        plain = bytes([len(party)]) + party.rjust(NONCE - 6, b"\0") + piv.rjust(5, b"\0")
        return bytes(a ^ b for a, b in zip(plain, self.common_iv))

    def _aad(self, piv):
        external = cbor([1, [AES_CCM_16_64_128], self.client, piv, b""])
        return cbor(["Encrypt0", b"", external])

    def seal(self, code, options, payload=b"", outer=(), number=None):
        """(outer code, outer options, ciphertext, Partial IV)"""
        if number is None:
            number, self.number = self.number, self.number + 1
        piv = piv_of(number)
        context = b"" if self.id_context is None else bytes([len(self.id_context)]) + self.id_context
        flags = len(piv) | KID_FLAG | (KID_CONTEXT_FLAG if context else 0)
        inner = bytes([code]) + coap.emit_options(options, payload)
        ciphertext = AESCCM(self.sender_key, TAG).encrypt(self._nonce(self.client, piv), inner, self._aad(piv))
        outside = [(n, v) for n, v in options if n == OBSERVE] + list(outer) + [(OSCORE, bytes([flags]) + piv + context + self.client)]
        return coap.FETCH if any(n == OBSERVE for n, _ in options) else coap.POST, outside, ciphertext, piv

    def open(self, message, piv):
        """The plain response; it must have a Partial IV of its own, which never comes twice."""
        value = message.one(OSCORE)
        assert value, f"unprotected: {message}"
        own = value[1:1 + (value[0] & PIV_FLAGS)]
        assert own and own not in self.seen, f"Partial IV {own.hex()}"
        self.seen.append(own)
        inner = AESCCM(self.recipient_key, TAG).decrypt(self._nonce(self.gateway, own), message.payload, self._aad(piv))
        options, payload = coap.parse_options(inner[1:])
        return Message(message.type, inner[0], message.mid, message.token, options, payload)

    def can_open(self, message, piv):
        try:
            self.open(message, piv)
        except (InvalidTag, AssertionError):
            return False
        return True


class ShieldedClient(Client):
    """A client whose requests to the gateway itself are protected. What it sends is remembered by token, to open what comes."""

    def __init__(self, gateway, context, **more):
        super().__init__(gateway, **more)
        self.context, self.pivs, self.sent = context, {}, []

    def ask(self, path="", method=coap.GET, type=coap.CON, timeout=2, options=(), payload=b"", token=None, mid=None, outer=(), number=None,
            layers=1):
        more = [] if timeout is None else [(coap.MULTICAST_TIMEOUT, coap.uint(timeout))]
        inner = sorted(coap.path_options(path) + list(options) + more, key=lambda o: o[0])
        pivs = []
        for _ in range(layers):
            method, inner, payload, piv = self.context.seal(method, inner, payload, outer, number)
            pivs.append(piv)
        message = Message(type, method, self.next_mid() if mid is None else mid, secrets.token_bytes(8) if token is None else token,
                          sorted(inner, key=lambda o: o[0]), payload)
        self.pivs[message.token] = pivs
        self.put(message)
        return message

    def put(self, message):
        """On its way."""
        self.sent.append(message.emit())
        self.socket.send(self.sent[-1])

    def take(self, timeout):
        """The next message as it comes."""
        return super().hear(timeout)

    def hear(self, timeout=10.0):
        """Opened as far as it is protected, in the layers of its request."""
        message = self.take(timeout)
        if message is None:
            return None
        for piv in reversed(self.pivs.get(message.token, ())):
            message = self.context.open(message, piv) if message.one(OSCORE) is not None else message
        return message

    def call(self, path="", **more):
        """Meets a challenge, too."""
        answer = super().call(path, **more)
        echo = answer.one(coap.ECHO) if answer is not None and answer.code_text == "4.01" else None
        if echo is None:
            return answer
        options = list(more.pop("options", ())) + [(coap.ECHO, echo)]
        return super().call(path, options=options, **more)

    def close(self):
        self.socket.close()

    def meet(self):
        """Whatever the gateway wants to hear first."""
        return self.call(".well-known/core", timeout=None)


class ShieldedSession(ShieldedClient):
    """The same by DTLS with a pre-shared key: OpenSSL's client makes a record of each datagram that it is given, and the other way round."""

    def __init__(self, gateway, context, identity, key):
        super().__init__(gateway, context)
        self.socket.close()
        self.socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.process = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-quiet", "-connect", f"{gateway[0]}:{gateway[1]}", "-psk",
                                         key.encode().hex(), "-psk_identity", identity, "-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"],
                                        stdin=other, stdout=other, stderr=subprocess.DEVNULL)
        other.close()

    def receive_bytes(self, timeout):
        if not select.select([self.socket], [], [], max(0, timeout))[0]:
            return None
        return self.socket.recv(65536), self.to

    def close(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()


class ShieldedConnection(ShieldedClient):
    """The same by TCP, where messages have neither types nor numbers."""

    def __init__(self, gateway, context):
        super().__init__(gateway, context)
        self.socket.close()
        self.connection = Connection(gateway)
        self.socket = self.connection.socket
        self.connection.hear_csm()

    def put(self, message):
        self.connection.send(emit(message.code, message.token, message.options, message.payload))

    def take(self, timeout):
        return self.connection.hear(max(0, timeout))
