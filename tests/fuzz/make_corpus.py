#!/usr/bin/python3
"""Writes the seeds of the fuzz targets to corpus/NAME/seed-*, and the settings' dictionary. What fuzzing adds has other names
and stays. Needs nothing but Python; run it again after a format of an input changed."""

import json
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def write(target, name, data):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"seed-{name}").write_bytes(data if isinstance(data, bytes) else data.encode())


def option(delta, value):
    """One option with its number's distance to the one before."""
    def nibble(number):
        if number < 13:
            return number, b""
        if number < 269:
            return 13, bytes([number - 13])
        return 14, struct.pack(">H", number - 269)
    (first, more), (second, length) = nibble(delta), nibble(len(value))
    return bytes([first << 4 | second]) + more + length + value


def message(kind, code, mid, token, options, payload=b""):
    out, last = bytes([0x40 | kind << 4 | len(token), code]) + struct.pack(">H", mid) + token, 0
    for number, value in options:
        out += option(number - last, value)
        last = number
    return out + (b"\xff" + payload if payload else b"")


def messages():
    token = bytes(range(1, 9))
    write("msg", "get", message(1, 1, 7, token, [(11, b"light"), (15, b"a=b"), (17, b"\x32")]))
    write("msg", "content", message(1, 0x45, 7, token, [(4, b"tag"), (12, b""), (14, b"\x3c"), (23, b"\x0e")], b"hello"))
    write("msg", "oscore", message(1, 0x44, 9, token, [(9, b"\x39\x05\x03gid\x11")], bytes(40)))
    write("msg", "far", message(0, 2, 9, b"", [(35, b"x" * 300), (258, b"\x1a"), (65000, b"")], b"p"))
    write("msg", "ping", message(0, 0, 1, b"", []))
    write("msg", "ack", message(2, 0, 1, b"", []))


def frame(code, token=b"", options=(), payload=b""):
    body, last = b"", 0
    for number, value in options:
        body += option(number - last, value)
        last = number
    body += b"\xff" + payload if payload else b""
    length, more = (len(body), b"") if len(body) < 13 else (13, bytes([len(body) - 13]))
    kind, extended = (len(token), b"") if len(token) < 13 else (13, bytes([len(token) - 13]))
    return bytes([length << 4 | kind]) + more + bytes([code]) + extended + token + body


def frames():
    csm, get = frame(0xe1, options=[(2, b"\x10\x00"), (4, b""), (6, b"\x40")]), frame(1, b"T", [(11, b"light")])
    write("frame", "requests", b"\x00" + csm + get + frame(3, bytes(20), [(11, b"light")], b"on" * 60) + get)
    write("frame", "pieces", b"\x07" + csm + get * 9 + frame(0x45, b"T", [(12, b"")], b"hello"))
    write("frame", "signals", b"\x03" + csm + frame(0xe2, b"p", [(2, b"")]) + frame(0xe3, b"p") + frame(0) + frame(0xe4, b"", [(4, b"\x09")]) + get)
    write("frame", "abort", b"\x05" + csm + frame(0xe5, b"", [(2, b"\x05")], b"bye"))
    write("frame", "no-csm", b"\x02" + get)
    write("frame", "bad-csm", b"\x01" + frame(0xe1, options=[(5, b"x")]))
    write("frame", "long-token", b"\x1f" + csm + frame(1, bytes(100)))
    write("frame", "too-large", b"\x00" + csm + b"\xe0\x13\x00\x01")
    write("frame", "bad-frame", b"\x04" + csm + b"\x10\x01\xff" + b"\x0f")


def uris():
    write("uri", "v4", "coap://224.0.1.187/\n/status\n")
    write("uri", "v6", "coap://[ff35:30:2001:db8::23%25eth1]:5684/light/%2f/%7e?a=b&c&&%26\n/more/\nq=1&r")
    write("uri", "name", "COAP+TCP://Lamp.Example:61616//x//?\n/%2e%2e/\n%ff")
    write("uri", "old", "coaps://0x7f.1/\n//\n?")


def cbor_text(text):
    return bytes([0x60 | len(text)]) + text.encode()


def cris():
    write("cri", "v4", bytes([0x82, 0x20, 0x81, 0x44, 224, 0, 1, 187]))
    write("cri", "v6", bytes([0x84, 0x20, 0x82, 0x50]) + b"\xff\x35" + bytes(14) + b"\x19\x16\x33\x81" + cbor_text("light") +
          b"\x82" + cbor_text("a=b") + cbor_text("&"))
    write("cri", "name", bytes([0x83]) + cbor_text("coaps") + b"\x83" + cbor_text("lamp") + cbor_text("example") + b"\x19\x16\x34\x82" +
          cbor_text("a/b") + cbor_text(""))


def settings():
    write("settings", "example", (ROOT / "conf/castgate.json").read_bytes())
    whole = {
        "http": {"listen": ["127.0.0.1:8080", {"address": "0.0.0.0:80", "insecure": True}], "hosts": ["gw.example:80"], "strict": True},
        "admin": {"listen": ["127.0.0.1:8081"]},
        "coap": {"listen": [], "options": {"multicast_timeout": 2, "reply_from": 248, "group_etag": 24}},
        "state": "state", "group": {"interface": "lo", "address": "127.0.0.1", "port": 5000, "hops": 3, "receive_buffer": 100000,
                                    "nstart": 2, "probing_rate": 10, "probing_burst": 2000, "frame_size": 1280},
        "plugins": {"folder": "plugins", "load": []}, "limits": {"exchanges": 10, "answer": 2048},
        "clients": {"dashboard": {"token_sha256": "ab" * 32}, "probe": {"certificate_sha256": "cd" * 32}},
        "mappings": [
            {"name": "floor3", "path": "/floor3", "host": "gw.example", "group": "coap://[ff35:30:2001:db8::23]:5683/light?x",
             "security": "none", "interface": "lo", "hops": 2, "methods": ["GET", "PUT"], "unsafe_methods": True, "leisure": 0.5,
             "timeout": 2.25, "max_timeout": 60, "finish": "quorum:0.9", "membership": "complete",
             "members": ["127.0.0.1:5683", {"name": "lamp-2", "address": "[::1]:61616"}], "repair": {"unicast": True},
             "cache": False, "aggregate": False, "anonymise": False, "forward": True, "stand_in": "group", "max_answers": 100,
             "budget": {"requests_per_minute": 60}, "clients": [{"name": "dashboard", "methods": ["GET"]}, "anonymous"]},
            {"name": "two", "path": "/two", "targets": [{"group": "coap://224.0.1.187/", "interface": "lo"}, {"group": "coap://224.0.1.188/"}],
             "security": "none", "finish": "count:12", "clients": ["probe"]}]}
    write("settings", "whole", json.dumps(whole))
    write("settings", "mappings", json.dumps({"mappings": whole["mappings"][1:], "clients": whole["clients"]}))


def texts():
    for number, text in enumerate(('{"a": [1, -2.5e+3, true, null], "b": {"c": "\\u00e4\\n"}}', "18446744073709551617", "1e400",
                                   '["\\u0000", "\\ud800"]', "[" * 64 + "]" * 64, "[" * 65 + "]" * 65, ' [ { } , [ ] ] ', "01", '{"a":1}}')):
        write("json", number, text)


def dictionary():
    """Keys and words of the schema, for -dict."""
    words = set()

    def walk(node):
        if isinstance(node, dict):
            words.update(node.get("properties", {}))
            for key, value in node.items():
                if key in ("enum", "const", "default", "examples"):
                    words.update(item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str))
                walk(value)
        elif isinstance(node, list):
            for item in node:
                walk(item)
    walk(json.loads((ROOT / "conf/castgate.schema.json").read_text()))
    lines = sorted(json.dumps(json.dumps(word)) for word in words if word.isascii() and len(word) < 40)
    (HERE / "settings.dict").write_text("# Made by make_corpus.py from conf/castgate.schema.json.\n" + "\n".join(lines) + "\n")


def http():
    head = "Host:127.0.0.1:8080\n"
    write("http_target", "get", "GET /a/b/status?x=1&y\n" + head + "Accept:application/json;q=0.5, text/plain\n"
          "Multicast-Timeout:2\ntraceparent:00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\n\n")
    write("http_target", "post", "POST /a%2fb/c/%7ex\n" + head + "Content-Type:application/coap-payload;cf=50\nX-HTTP-Method-Override:FETCH\n"
          "No-Response:26\nContent-Encoding:identity\n\n{\"on\":true}")
    write("http_target", "put", "PUT //\nHost:LOCALHOST:8080\nIf-Match:*\nIf-None-Match:*\nContent-Type:text/plain; charset=\"utf-8\"\n\nx")
    write("http_target", "patch", "PATCH http://gw.example/a/../b\nHost:gw.example\nContent-Type:application/merge-patch+json\n\n{}")
    write("http_target", "forward", "GET /hc/?target_uri=coap://224.0.1.187/a/b/c?x=1\n" + head + "\n")
    write("http_target", "forward-path", "HEAD /hc/COAP://%5BFF35:30::1%5d:61616/%78/y\n" + head + "\n")
    write("http_target", "links", "GET /.well-known/core?href=/a*&rt=cast*\n" + head + "\n")
    write("http_target", "oscore", "POST /a\n" + head + "Content-Type:application/oscore\nOSCORE:GQUDR00xEQ\n\nx")
    write("http_target", "origin", "GET /a\n" + head + "Origin:https://dash.example\nSec-Fetch-Site:cross-site\nSec-Fetch-Mode:navigate\n\n")
    write("http_target", "forwarded", "GET /a\n" + head + "Forwarded:for=\"[2001:db8::17]:4711\";by=127.0.0.1, for=_hidden\n"
          "X-Forwarded-For:192.0.2.4, 127.0.0.2\n\n")
    write("http_target", "head", "HEAD /~x\nHost:[::1]\nAccept:*/*\nAccept:text/event-stream, multipart/*;q=0.1\n\n")


def answer(flags, host, port, options, payload, code):
    raw = b"".join(bytes([delta, len(value)]) + value for delta, value in options)
    big = b"".join([bytes([flags, host]), struct.pack(">H", port), bytes([len(options)]), raw])
    return big + bytes([len(payload) // (8 if flags & 1 else 1)]) + payload + bytes([code])


def multiparts():
    boundary = bytes(range(16))
    write("multipart", "plain", b"\x10" + boundary + answer(0x48, 1, 5683, [(4, b"tag"), (8, b""), (2, b"\x3c")], b"23.5", 0) +
          answer(0x8c, 2, 61616, [(12, b"\x32")], b'{"a":[1,2.5,"x\\n"]}', 0) + answer(2, 3, 5683, [], b"", 5))
    write("multipart", "hostile", b"\x21" + boundary + bytes(16) +
          answer(0x30, 1, 5683, [(12, b"\x32")], b'{"a":\r\n1}\n', 5) +
          answer(0x20, 1, 5683, [], b"\r\n--" + boundary.hex().encode() + b"--\r\n\nevent: summary\n", 0) +
          answer(0x44, 1, 5683, [(4, b""), (8, b"\xff\xff")], b"\xff\xfe\x00", 3))
    write("multipart", "nested", b"\x00" + boundary + answer(0, 1, 5683, [(12, b"\x32")], b"[" * 120 + b"]" * 120, 0))


def oscore():
    """From the test vectors: each as request, response, plain message to be sealed, and inside."""
    vectors = json.loads((ROOT / "tests/vectors/group-oscore.json").read_text())["vectors"]
    for vector in vectors[::3]:
        name, derived = vector["name"], vector["derived"]
        sealed, plain = bytes.fromhex(vector["protected_message"]), bytes.fromhex(vector["plain_message"])
        inputs = (sealed, sealed, plain, plain, bytes.fromhex(derived["plaintext"]))
        for kind, body in enumerate(inputs):
            write("oscore_open", f"{name}-{kind}", bytes([kind]) + body)
        write("oscore_option", name, bytes.fromhex(derived["oscore_option"]))
        write("ccs", name, bytes.fromhex(vector["inputs"]["sender"]["auth_cred"]))

# fuzz_exchange.c: a byte of shape, six of settings, then events, each a byte (its index in `events` there) and its particulars.

REQUEST, ANSWER, TIME, PROMISE, READ, ABANDON, MODES, EMPTY, RAW, RELOAD, REFUSE, NEW, START, FORGED, STOP = range(15)
LAMPS, PAIR, TWIN, ROOM, ONE, SLOW, SLOWONE, SLOWTWIN = range(8)
JSON, MIXED, SSE = range(3)
NON, CON, RST, ACK = range(4)
DEFAULTS = bytes(7)


def request(mapping, encoder=JSON, method=1, rest=0, seconds=None, payload=None, no_response=None):
    more = encoder | (4 if payload is not None else 0) | (8 if no_response is not None else 0)
    out = bytes([REQUEST, mapping | rest << 4, method - 1, 0 if seconds is None else 0x80 | seconds, more])
    if payload is not None:
        out += bytes([len(payload)]) + payload
    return out + (b"" if no_response is None else bytes([no_response]))


def reply(index=0, who=0, kind=NON, code=0, block=None, payload=b"23.5", sixteens=None):
    with_ = (8 if block is not None else 0) | (16 if sixteens is not None else 32)
    out = bytes([ANSWER, index, who, kind | code << 2, with_])
    if block is not None:
        out += struct.pack(">H", block)
    if sixteens is not None:
        return out + bytes([sixteens]) + b"xxxx"
    return out + bytes([len(payload)]) + payload


def wait(seconds):
    return bytes([TIME, min(255, int(seconds * 2)), 2])


def modes(bits, who=0):
    return bytes([MODES, bits, who])


def promise(which=0, fails=False, again=False, who=0, echo=False):
    return bytes([PROMISE, which, fails | again << 1 | who << 2 | echo << 4])


def exchanges():
    answers = b"".join(reply(0, who) for who in range(3))
    seeds = {
        "json": request(LAMPS) + answers + reply(0, 0, payload=b"24") + wait(2),
        "mixed": request(PAIR, MIXED) + reply(0, 0) + reply(1, 1, code=2) + reply(1, 1, CON) + wait(3),
        "sse": request(LAMPS, SSE, seconds=40) + answers + wait(20) + bytes([READ, 0, 50]) + wait(25) + bytes([READ, 0, 255]),
        "sse-slow-reader": bytes([0, 0, 0x80, 0, 0, 0, 0]) + request(ROOM, SSE) + answers + wait(60),
        "nobody": request(LAMPS, MIXED) + request(LAMPS, JSON, seconds=0) + wait(30),
        "shared": request(LAMPS) + request(LAMPS) + answers + bytes([ABANDON, 0]) + wait(2),
        "queue": request(LAMPS, rest=1) + request(LAMPS, rest=6) + request(TWIN, method=3, payload=b"on") + wait(9),
        "put-left": request(TWIN, method=3) + bytes([ABANDON, 0]) + wait(9),
        "blocks": request(LAMPS, SSE) + reply(0, 0, block=0x08, sixteens=1) + reply(0, 0, CON, block=0x18, sixteens=1) +
                  reply(0, 0, ACK, block=0x20, payload=b"end") + wait(3),
        "blocks-broken": request(ROOM) + reply(0, 0, block=0x0a, sixteens=4) + reply(0, 0, block=0x28, sixteens=1) + wait(60),
        "only-member": request(ONE, seconds=60) + wait(5) + bytes([EMPTY, 0, 0]) + reply(0, 0, CON) + wait(2),
        "only-member-resets": request(ONE, seconds=60) + wait(5) + bytes([EMPTY, 0, 1]) + wait(1),
        "repair": bytes([0, 0, 0, 0, 5, 5, 5]) + request(ROOM, seconds=20) + reply(0, 1) + wait(11) + reply(0, 0, ACK) + wait(60),
        "quorum": bytes([0, 0, 0, 0, 2, 2, 2]) + request(ROOM) + reply(0, 0) + reply(0, 1),
        "sealed-later": modes(1) + request(SLOW) + promise() + answers + wait(2),
        "sealed-never": modes(1) + request(SLOWTWIN) + wait(120) + request(SLOW) + wait(60) + promise() + promise(),
        "sealed-across-purge": wait(59) + modes(1) + request(SLOW) + wait(1.5) + promise() + answers + wait(5),
        "seal-fails": modes(2) + request(SLOWONE) + modes(1) + request(SLOW) + promise(fails=True),
        "opened-later": modes(4) + request(SLOW) + answers + promise(1, who=1) + promise(0, again=True) + promise(0, fails=True) + wait(3),
        "opened-after-end": modes(4) + request(SLOW) + answers + wait(9) + promise() + promise(),
        "blocks-opened-twice": request(SLOW) + reply(0, 0, block=0x08, sixteens=1) + modes(4) + reply(0, 0, block=0x18, sixteens=1) +
                               reply(0, 0, block=0x18, sixteens=1) + promise() + promise() + wait(3),
        "echo": modes(0, 4) + request(SLOW, seconds=10) + answers + modes(0, 1) + reply(0, 0, ACK) + reply(1, 0, ACK) + wait(20),
        "echo-unicast": modes(0, 4) + request(SLOWONE) + reply(0, 0, ACK) + modes(0) + reply(0, 0, ACK) + wait(5),
        "emit-fails": modes(16) + request(PAIR) + request(ONE) + modes(0) + request(LAMPS) + modes(16) + reply(0, 0, CON) + wait(5),
        "reload": request(LAMPS) + bytes([RELOAD, 0x0d, 0xff, 0x0f, 8, 8, 8]) + answers + request(LAMPS) + answers + wait(9),
        "refuse": bytes([REFUSE, 0, 0, 0, 0, NEW, 0, 0, 0, 0, START, 1, NEW, 0, 0, 0, 0, ABANDON, 1]),
        "stop": request(LAMPS) + request(PAIR, SSE) + request(LAMPS, rest=1) + answers + bytes([STOP, 1]) + request(LAMPS),
        "stray": request(LAMPS) + bytes([RAW, 0, 4, 0x40, 0, 0, 1, RAW, 1, 3, 0, 0, 0, EMPTY, 0, 1]) + wait(9) + answers,
        "small-memory": bytes([0, 0, 0x20, 0x0e, 0, 0, 0]) + request(LAMPS, SSE) + reply(0, 0, sixteens=200) * 4 + wait(5),
        "forward": request(LAMPS | 8, seconds=2) + request(PAIR | 8, MIXED, rest=1, seconds=3) + answers + wait(9),
        "hidden": bytes([0, 0, 0, 0, 32, 32, 32]) + request(ROOM) + answers[:12] + wait(9) + request(ROOM, MIXED) + answers + wait(9),
        "rekeyed": request(SLOW) + request(SLOW, rest=1) + request(SLOW, rest=6) + modes(128 | 1) + answers + promise() + wait(3) +
                   promise() + wait(9),
        "no-response": request(LAMPS, no_response=26) + request(LAMPS, SSE, no_response=26) + wait(1),
    }
    for name, events in seeds.items():
        full = events if events[0] == 0 and name in ("sse-slow-reader", "repair", "quorum", "small-memory", "hidden") else DEFAULTS + events
        write("exchange", name, full)
        if name in ("sse", "blocks", "opened-later", "queue"):
            write("exchange", name + "-freed", b"\x01" + full[1:])


def coap_desk():
    """See fuzz_coap_desk.c: two bytes of settings, then events."""
    def body(options, payload=b""):
        return message(1, 1, 0, b"", options, payload)[4:]

    def ask(options, peer=0, token=2, code=0, payload=b"", non=False, multicast=False):
        bytes_ = body(options, payload)
        return bytes([peer << 4, code | non << 3 | (not multicast) << 4, token]) + struct.pack(">H", len(bytes_)) + bytes_

    def answer(which=0, member=0, code=0x45, options=(), payload=b"on", con=False):
        bytes_ = body(list(options), payload)
        return bytes([3, which, member | con << 7, code]) + struct.pack(">H", len(bytes_)) + bytes_ + b"\x12\x34"

    def wait(seconds):
        return bytes([5, min(255, int(seconds * 10))])

    two, path = (2, b"\x02"), (11, b"lamps")
    get, answers = ask([two, path]), answer(0, 0) + answer(0, 1) + answer(0, 2, con=True)
    lost, acknowledged, gone, refuses = bytes([6, 2]), bytes([7, 2]), bytes([8]), bytes([9, 1])
    proxy = (35, b"coap://224.0.1.187/light")
    seeds = {
        "get": get + answers + wait(3),
        "forward": ask([two, proxy]) + answers + wait(3),
        "scheme": ask([two, (3, b"224.0.1.187"), path, (39, b"coap")]) + answers + wait(3),
        "stop": get + ask([(2, b"")]) + answers + ask([(2, b"")]) + get,
        "observe": get + ask([two, (6, b""), path]) + ask([two, (6, b"\x01"), path]) + get,
        "collision": get + get + get + answers,
        "blocks": ask([two, path, (27, b"\x0a")], code=2, payload=bytes(64)) + ask([two, path, (27, b"\x12")], code=2, payload=b"end") +
                  ask([two, path, (27, b"\x12")], code=2, payload=b"end"),
        "large": get + answer(0, 0, payload=bytes(1400)) + wait(3),
        "lost": get + answers + lost + answers,
        "acknowledged": get + b"".join(answer(0, i % 8, payload=bytes([i])) for i in range(24)) + acknowledged + wait(3),
        "gone": get + ask([two, path], token=1) + gone + answers + get,
        "takes-nothing": get + refuses + answers + wait(20),
        "unproven": ask([two, path], peer=1) + ask([two, path, (252, bytes(8))], peer=1) + ask([], peer=1, token=0),
        "session": ask([two, (11, b"closed")], peer=3) + answers + bytes([10, 4]) + wait(2),
        "refused": ask([path]) + ask([(2, b"\xff"), path]) + ask([two, (11, b"closed")]) + ask([two, path], code=7) + ask([two, (9, b"")]),
        "multicast": ask([two, path], multicast=True) + ask([(11, b".well-known"), (11, b"core")], multicast=True),
        "discovery": ask([(11, b".well-known"), (11, b"core")]) + ask([(11, b".well-known"), (11, b"core"), (15, b"rt=x")]) + wait(1),
        "zero": ask([(2, b""), path]) + answers + ask([(2, b""), path, (258, b"\x1a")], token=1),
        "stopping": get + bytes([11]) + get + answers + wait(3),
        "reload": get + bytes([10, 7]) + answers + get + wait(3),
    }
    for name, events in seeds.items():
        write("coap_desk", name, bytes(2) + events)
    write("coap_desk", "get-freed", bytes([0, 1]) + get + answers)


def from_coap():
    """See fuzz_from_coap.c: how it came, the code, options and payload."""
    group = b"coap://224.0.1.187/a?x=1"
    cri = bytes([0x83, 0x20, 0x81, 0x44, 224, 0, 1, 187, 0x81]) + cbor_text("a")
    seeds = {
        "path": [(2, b"\x05"), (11, b"a"), (11, b"b/\xc3\xa4"), (15, b"x=1"), (15, b"&")],
        "host": [(3, b"Lights.Example."), (7, b"\x16\x33"), (11, b"x")],
        "proxy-uri": [(2, b"\x05"), (16, b"\x10"), (35, group)],
        "ourselves": [(35, b"coap://127.0.0.1/a/b?c")],
        "proxy-scheme": [(3, b"224.0.1.187"), (7, b"\x16\x33"), (11, b"a"), (39, b"coap")],
        "proxy-scheme-ipv6": [(3, b"[ff35:30::1]"), (7, b"\xf0\xb0"), (11, b"x"), (239, b"")],
        "zone": [(3, b"fe80::1%25eth1"), (239, b"")],
        "proxy-cri": [(235, cri)],
        "abbrev": [(13, b"\x01"), (15, b"ep=a")],
        "abbrev-uri": [(13, b"\x02"), (35, b"coap://224.0.1.189")],
        "abbrev-unknown": [(3, b"lights.example"), (13, b"\x63")],
        "core": [(11, b".well-known"), (11, b"core"), (15, b"rt=castgate.*"), (17, b"\x28"), (23, b"\x02")],
        "stop": [(2, b"")],
        "options": [(1, b"e"), (4, b"tag"), (5, b""), (6, b""), (9, b"\x09\x01"), (11, b"a"), (12, b"\x32"), (17, b"\x3e"), (24, b"e"), (60, b"\1"),
                    (252, b"echo"), (258, b"\x1a"), (292, b"tag"), (2049, b"x")],
        "blocks": [(11, b"a"), (23, b"\x16"), (27, b"\x0e"), (292, b"a"), (292, b"b")],
    }
    for name, options in seeds.items():
        for code in (1, 3):
            write("from_coap", f"{name}-{code}", bytes([1, code]) + message(1, code, 0, b"", options, b"on")[4:])


def coap_messages():
    """Events of fuzz_coap_message.c: its number, a byte of how, and what it reads."""
    datagram, to_group, wait, send, release, get, empty, session, does = range(9)
    proven, whole = 0x80, message(0, 1, 7, b"\xaa", [(11, b"a")], b"p")
    long_token = bytes([0x4d, 1, 0, 7, 19]) + bytes(32)
    seeds = {
        "answered": bytes([does, 4, datagram, proven, len(whole)]) + whole + bytes([datagram, proven, len(whole)]) + whole + bytes([wait, 255]),
        "long-token": bytes([does, 4, datagram, proven, len(long_token)]) + long_token,
        "ping": bytes([empty, 0, proven, 0, 9, empty, 1, proven, 0, 9]),
        "held": bytes([does, 2, get, 4, proven, 1, 0xaa, send, 1, 0xaa, 9, send, 9, 0xbb, 3, wait, 40, wait, 200, wait, 250, release, 0, wait, 255]),
        "lost": bytes([does, 66, get, 4, proven, 1, 0xaa, send, 1, 0xaa, 9, send, 9, 0xbb, 3]) +
                b"".join(bytes([empty, 3, proven]) + struct.pack(">H", mid) for mid in (0, 37, 0x25, 0x2500, 0x2501, 1)),
        "proven": bytes([does, 3, get, 4, 1, 1, 0xaa, get, 4, 1, 1, 0xaa, release, 0, wait, 250]),
        "group": bytes([does, 2, to_group, 1, 5, 0x51, 1, 0, 9, 0xaa, to_group, 1, 4, 0x40, 0, 0, 1, send, 1, 0xaa, 4, release, 0]),
        "many": bytes([does, 4]) + b"".join(bytes([get, 5, proven | who, who, 1]) for who in range(12)) * 6,
        "session": bytes([session, 2, does, 4, session, 4 * len(whole)]) + whole + bytes([session, 4 * len(whole)]) + whole + bytes([session, 1]),
        "fails": bytes([does, 0x80 | 30, get, 4, proven, 1, 0xaa, wait, 60, wait, 60]),
    }
    for name, events in seeds.items():
        write("coap_message", name, events)


def coap_blocks():
    def piece(number, more, szx, less=0, who=0):
        return struct.pack(">BHB", who << 2, number << 8 | more << 3 | szx, less)

    def kept(length, who=0):
        return struct.pack(">BH", who << 2 | 1, length)

    def asked(number, szx, token=1, who=0):
        return struct.pack(">BHB", who << 2 | 2, number << 8 | szx, token)

    def later(seconds):
        return struct.pack(">BB", 3, seconds)

    write("coap_blocks", "upload", b"\xff" + piece(0, 1, 2) + piece(1, 1, 2) + piece(1, 1, 2) + piece(2, 0, 2, 10))
    write("coap_blocks", "sizes", b"\xff" + piece(0, 1, 6) + piece(64, 1, 0) + piece(33, 0, 1, 3) + piece(33, 0, 1, 3))
    write("coap_blocks", "gaps", b"\xff" + piece(1, 1, 0) + piece(0, 1, 0) + piece(2, 1, 0) + piece(0, 1, 0, 251) + piece(1, 0, 0))
    write("coap_blocks", "mixed", b"\xff" + b"".join(piece(n, n < 3, 1, who=w) for n in range(4) for w in range(12)))
    write("coap_blocks", "slow", b"\xff" + piece(0, 1, 0) + later(246) + piece(1, 1, 0) + later(247) + piece(2, 0, 0))
    write("coap_blocks", "served", b"\xff" + kept(3000) + asked(0, 6) + asked(1, 6) + asked(2, 6, 64) + asked(3, 6) + asked(187, 0))
    write("coap_blocks", "full", b"\x20" + b"".join(kept(2500, w) + asked(1, 6, 8, w) for w in range(12)) + later(247) + asked(1, 6))
    write("coap_blocks", "others", b"\xff" + kept(2000) + asked(1, 6, 1, 1) + asked(1, 6, 1, 4) + kept(100) + asked(1, 0))


def links():
    write("link_format", "rfc6690", '</sensors>;ct=40;title="Sensor Index",</sensors/temp>;rt="temperature-c";if="sensor",'
                                    '<http://www.example.com/sensors/t123>;anchor="/sensors/temp";rel="describedby"')
    write("link_format", "rfc9176", '</rd>;rt=core.rd;ct=40,</rd-lookup/ep>;rt="core.rd-lookup-ep";ct=40;obs,'
                                    '</rd/501>;ep="gp1";et="core.rd-group";base="coap://[ff35:30:2001:db8:f1::8000:1]";d="R2-4-015"')
    write("link_format", "group-manager", '</join/1>;ct=65000;rt="core.osc.gm";if="ace.group";sec-gp="1";app-gp="a";app-gp="b";cred_fmt=33;gp_enc_alg=10')
    write("link_format", "quoting", '</a>;title="say \\"hi\\\\";x="a,<b>;c" , </b> ;title*=UTF-8\'\'%e2%82%ac;y=\t</c>')
    write("link_format", "broken", '</a>;obs,</b>;rt="x')
    write("link_format", "empty", "<>,<>;a;a;a=\"\"")


def inbounds():
    def request(options, payload=b"fire", method=2):
        return bytes([0x40, method, 0x12, 0x34]) + options + (b"\xff" + payload if payload else b"")

    alarm = b"\xb5alarm"
    plain = {"post": request(alarm), "put": request(alarm, method=3), "get": request(alarm, b"", 1), "root": request(b""),
             "query": request(alarm + b"\x10\x36room=3"), "block": request(alarm + b"\xd1\x03\x0e"), "dots": request(b"\xb2.."),
             "no-response": request(alarm + b"\xd1\xea\x02"), "critical": request(b"\x11x" + b"\xa5alarm")}
    for name, message in plain.items():
        write("inbound", name, b"\x01" + message)
        write("inbound", name + "-changed", b"\x02\x01\x25" + message)
    write("inbound", "unprotected", b"\x00" + plain["post"])
    write("inbound", "known", b"\x00" + request(b"\x97\x19\x05\x03Dalm", b"ciphertext and tag"))
    write("inbound", "group-mode", b"\x00" + request(b"\x97\x39\x05\x03Dalm", b"c" * 90))
    write("inbound", "foreign", b"\x00" + request(b"\x97\x19\x05\x03Dolm", b"ciphertext and tag"))
    write("inbound", "malformed", b"\x00" + request(b"\x91\xff", b"ciphertext and tag"))


def coap_shields():
    """Events of fuzz_coap_shield.c."""
    def asks(body=b"", layers=(0,), token=0x11, changed=0, *, change=b""):
        owners = sum(owner << 2 * i for i, owner in enumerate(layers))
        return bytes([14, token, len(layers) - 1 << 6 | owners, changed, len(body)]) + body + change

    def anybody(body, code=2):
        return bytes([0, 0x11, code, len(body)]) + body

    def later(body):
        return bytes([3, len(body)]) + body

    path, known, unknown = b"\xb1a", b"\xff" + b"on", b"\xe0\xfc\xdb"
    met = asks(path) + asks(changed=1)
    met_hop = asks(path, (1,)) + asks(b"", (1,), changed=1)
    write("coap_shield", "met", met + asks(path) + bytes([1, 0x11]))
    write("coap_shield", "context", asks(path, (2,)) + asks(b"", (2,), changed=1) + asks(path, (2,)))
    write("coap_shield", "layers", met + met_hop + asks(path, (0, 1)) + asks(path, (0, 1, 0)) + asks(path, (0, 1, 0, 1)))
    write("coap_shield", "changed", met + asks(path, changed=2, change=b"\x03\x01") + asks(path, changed=6, change=b"\x01\x80"))
    write("coap_shield", "later", met + bytes([2, 2]) + asks(path) + later(known) * 6 + later(unknown) + bytes([8, 1]))
    write("coap_shield", "layers-later", met + met_hop + bytes([2, 2]) + asks(path, (0, 1)) + later(known) * 6 + bytes([10]))
    write("coap_shield", "slow", bytes([5]) + asks(path) + bytes([6, 5]) + met + met_hop + bytes([5]) + asks(path, (0, 1)) * 5 + bytes([6, 7, 10]))
    write("coap_shield", "others-file", met + bytes([12, 0]) + asks(path) + bytes([12, 0]) + asks(path))
    write("coap_shield", "anybody", anybody(b"\x93\x09\x00c\xffciphertext") + anybody(b"\x92\x09\x00\xff" + b"c" * 20) + anybody(b"\x91\xff\xffx")
          + anybody(b"\x93\x09\x00c\x22..\xffciphertext"))
    write("coap_shield", "unproven", bytes([0x80]) + anybody(b"\x93\x09\x00c\xffciphertext")[1:] + b"\x8e" + asks(path)[1:])


def group_etags():
    for name, text in {"one": ":AQI=:", "two": " :AQIDBAUGBwg=:,\t:AQ:", "lines": ":AQ==:\n:Ag==:", "parameters": ':AQ==:;a;b="x\\"";c=:AA==:;d=?1',
                       "long": ":AQIDBAUGBwgJ:", "no-list": ":AQ==:,", "many": ",".join([":AQ==:"] * 40)}.items():
        write("group_etag", name, text)


for make in (messages, frames, uris, cris, settings, texts, dictionary, http, multiparts, exchanges, coap_messages, coap_desk, from_coap, oscore, coap_blocks, links, inbounds, coap_shields, group_etags):
    make()
