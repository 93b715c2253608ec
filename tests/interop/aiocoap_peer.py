#!/usr/bin/python3
"""The independent implementation as a peer: aiocoap's Group OSCORE as members of a group, or as its client.

    aiocoap_peer.py serve GROUP_FILE --group 224.0.1.187:5690 --bind 127.1.0.1 [--mode group|pairwise] [--window-lost]
    aiocoap_peer.py ask   GROUP_FILE --group 224.0.1.187:5690 --count N [--unicast ADDRESS:PORT]

GROUP_FILE is what `castgate-keys new` writes as group.json. Needs aiocoap 0.4.17 (python3-aiocoap of Debian 14, pure Python:
unpack it and put it on PYTHONPATH), python3-cbor2 and python3-cryptography. Messages are framed here, so only aiocoap's protection is
used, none of its transports.
"""

import argparse
import json
import secrets
import select
import socket
import struct
import sys
import time
import types

# aiocoap wants these two only for what is not used here, or for one function that is given below.
sys.modules.setdefault("filelock", types.ModuleType("filelock"))

from aiocoap import Code, Message, Type  # noqa: E402
from aiocoap import oscore  # noqa: E402
from aiocoap.message import Direction  # noqa: E402
from aiocoap.util import cryptography_additions  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import x25519  # noqa: E402

P = 2**255 - 19


def pk_to_curve25519(public):
    """u = (1 + y) / (1 - y), RFC 7748 section 4.1."""
    raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y in (1, P - 1):
        raise ValueError("a point of small order")
    u = (1 + y) * pow(1 - y, P - 2, P) % P
    return x25519.X25519PublicKey.from_public_bytes(u.to_bytes(32, "little"))


cryptography_additions.pk_to_curve25519 = pk_to_curve25519


def compare_ec_keys():
    """Debian 12's cryptography compares public keys by identity, aiocoap by value: the same numbers give the same object here."""
    known = {}

    def same(key):
        return known.setdefault((key.public_numbers().x, key.public_numbers().y), key)

    ecdsa = oscore.ECDSA_SHA256_P256
    from_kccs, from_private = ecdsa.from_kccs, ecdsa.public_from_private
    ecdsa.from_kccs = lambda self, ccs: same(from_kccs(self, ccs))
    ecdsa.public_from_private = lambda self, private: same(from_private(self, private))


compare_ec_keys()


def by_value(algorithms, value):
    for algorithm in algorithms.values():
        if getattr(algorithm, "value", None) == value:
            return algorithm
    raise SystemExit(f"aiocoap has no algorithm {value}")


class P256Agreement(oscore.ECDSA_SHA256_P256):
    """ECDH-SS on P-256: aiocoap has it with its ES256, under that number; its -27 knows Ed25519 keys only."""

    value = -27


def agreement(common):
    if common["alg_signature"] == -7:
        return P256Agreement()
    return by_value(oscore.algorithms_staticstatic, common["alg_pairwise_key_agreement"])


def private_key(algorithm, party):
    raw = bytes.fromhex(party["private_key"])
    if algorithm.value == -8:
        return raw
    public = algorithm.from_kccs(bytes.fromhex(party["cred"]))
    numbers = public.public_numbers()
    return algorithm.from_private_parts(numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big"), raw)


def context(keys, own, peers):
    common = keys["common"]
    signature = by_value(oscore.algorithms_countersign, common["alg_signature"])
    return oscore.SimpleGroupContext(
        by_value(oscore.algorithms, common["alg_aead"]),
        oscore.hashfunctions[common["hkdf"]],
        signature,
        by_value(oscore.algorithms, common["alg_group_enc"]),
        agreement(common),
        bytes.fromhex(common["gid"]),
        bytes.fromhex(common["master_secret"]),
        bytes.fromhex(common["master_salt"]),
        bytes.fromhex(own["sender_id"]),
        private_key(signature, own),
        bytes.fromhex(own["cred"]),
        {bytes.fromhex(p["sender_id"]): bytes.fromhex(p["cred"]) for p in peers},
        bytes.fromhex(common["gm_cred"]),
    )


def decode(datagram):
    message = Message.decode(datagram)
    message.direction = Direction.INCOMING
    return message


def join(group, port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_IP, 49, 0)  # IP_MULTICAST_ALL
    sock.bind((group, port))
    mreq = struct.pack("4s4si", socket.inet_aton(group), socket.inet_aton("0.0.0.0"), socket.if_nametoindex("lo"))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, mreq)
    return sock


def lose_windows(secctx):
    """As after a restart: whoever asks first is to show that the request is fresh. aiocoap has that for pairs of endpoints; of its groups
    the aspects lack the Echo value alone."""
    for peer in secctx.peers:
        secctx.recipient_replay_windows[peer] = oscore.ReplayWindow(32, lambda: None)
    echo = secrets.token_bytes(8)
    for aspect in (oscore._GroupContextAspect, oscore._PairwiseContextAspect):
        aspect.echo_recovery = property(lambda self: self.groupcontext.echo_value)
    secctx.echo_value = echo


class Member:
    def __init__(self, keys, own, address, mode, window_lost):
        self.name = own["sender_id"]
        self.context = context(keys, own, [keys["gateway"]])
        self.context.echo_value = None
        if window_lost:
            lose_windows(self.context)
        self.mode = mode
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(address)
        self.mid = 1

    def answer(self, datagram, source):
        request = decode(datagram)
        unprotected = oscore.verify_start(request)
        secctx = self.context.get_oscore_context_for(unprotected)
        try:
            plain, request_id = secctx.unprotect(request)
            text = f"{self.name} has {plain.code.name} /{'/'.join(plain.opt.uri_path)} {plain.payload.decode()}".strip()
            response = Message(code=Code.CONTENT, payload=text.encode())
            response.opt.content_format = 0
        except oscore.ReplayErrorWithEcho as challenge:
            request_id, response = challenge.request_id, Message(code=Code.UNAUTHORIZED, echo=challenge.echo)
        response.direction = Direction.OUTGOING
        sender = secctx.context_for_response()
        if self.mode == "group" and oscore.COSE_COUNTERSIGNATURE0 in unprotected:
            sender = self.context  # signed, as the request was
            request_id.can_reuse_nonce = response.code is Code.CONTENT
        sealed, _ = sender.protect(response, request_id)
        sealed.mtype = Type.ACK if request.mtype is Type.CON else Type.NON
        sealed.mid = request.mid if request.mtype is Type.CON else self.mid
        self.mid += 1
        sealed.token = request.token
        self.sock.sendto(sealed.encode(), source)


def serve(args, keys):
    group, port = args.group.split(":")
    first = struct.unpack(">I", socket.inet_aton(args.bind))[0]
    members = [
        Member(keys, own, (socket.inet_ntoa(struct.pack(">I", first + i)), int(port)), args.mode, args.window_lost)
        for i, own in enumerate(keys["members"])
    ]
    heard = join(group, int(port))
    print("ready", len(members), flush=True)
    while True:
        for sock in select.select([heard] + [m.sock for m in members], [], [])[0]:
            datagram, source = sock.recvfrom(65536)
            for member in members if sock is heard else [m for m in members if m.sock is sock]:
                try:
                    member.answer(datagram, source)
                except Exception as error:  # a member says nothing to what does not verify
                    print(member.name, type(error).__name__, error, file=sys.stderr, flush=True)


def ask(args, keys):
    """Sends one protected GET /status; prints who answered and was verified. Exit 0 if --count did."""
    group, port = args.group.split(":")
    secctx = context(keys, keys["gateway"], keys["members"])
    secctx.sender_sequence_number = time.time_ns() // 1_000_000 & 0xFFFFFFFFFF  # never the same twice
    sender = secctx
    request = Message(code=Code.GET, uri_path=["status"])
    request.direction = Direction.OUTGOING
    target = (group, int(port))
    if args.unicast:
        host, unicast_port = args.unicast.split(":")
        target = (host, int(unicast_port))
        member = next(m for m in keys["members"] if m["address"] == args.unicast)
        sender = secctx.pairwise_for(bytes.fromhex(member["sender_id"]))
    sealed, request_id = sender.protect(request)
    sealed.mtype, sealed.mid, sealed.token = Type.NON, 4711, b"interop1"
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
    sock.sendto(sealed.encode(), target)
    sock.settimeout(3)
    verified = set()
    while len(verified) < args.count:
        try:
            response = decode(sock.recvfrom(65536)[0])
        except socket.timeout:
            break
        unprotected = oscore.verify_start(response)
        plain, _ = sender.context_from_response(unprotected).unprotect(response, request_id)
        kid = unprotected.get(oscore.COSE_KID, b"").hex() or "the one asked"
        mode = "group" if oscore.COSE_COUNTERSIGNATURE0 in unprotected else "pairwise"
        print(kid, mode, plain.code, plain.payload.decode())
        verified.add(kid)
    return 0 if len(verified) == args.count else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["serve", "ask"])
    parser.add_argument("keys")
    parser.add_argument("--group", required=True)
    parser.add_argument("--bind", default="127.1.0.1")
    parser.add_argument("--mode", choices=["group", "pairwise"], default="group")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--unicast")
    parser.add_argument("--window-lost", action="store_true")
    args = parser.parse_args()
    with open(args.keys) as file:
        keys = json.load(file)
    return serve(args, keys) if args.role == "serve" else ask(args, keys)


if __name__ == "__main__":
    sys.exit(main())
