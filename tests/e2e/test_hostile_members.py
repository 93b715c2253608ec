"""Members that misbehave: each kind has a defined outcome, nobody else's answer suffers, and the gateway goes on."""

import random

import pytest

import coap
from conftest import free_tcp_port, plain_mapping
from probe import Later, Tap, answer_to, counter, metrics, parse_mixed, running, silent_mapping, wait_for
from protected import AUTHORIZED, TESTER


def still_works(gate, fleet):
    reply = gate.get_json("/good/status")
    assert sorted(a["from"] for a in reply["answers"]) == sorted(fleet.texts)
    assert running(gate) == 0


@pytest.fixture
def beside(members, gateway, new_group):
    """beside(*arguments, …): ten members that misbehave, mapped at /bad, and three good ones in a group of their own."""
    def start(*arguments, count=10, settings=None, **mapping):
        good, bad = members(3, group=new_group()), members(count, *arguments, group=new_group())
        gate = gateway({**(settings or {}), "mappings": [plain_mapping(good, "good"), plain_mapping(bad, "bad", **mapping)]})
        return gate, good, bad
    return start


def test_garbage(beside):
    """What is no CoAP message is counted and dropped; what happens to be one with the right token counts."""
    gate, good, bad = beside("--misbehave", "garbage", "--seed", "1", count=50, timeout=1)
    for _ in range(2):
        reply = gate.get_json("/bad/status")
        assert reply["summary"]["answered"] + reply["summary"]["missing"] == 50
        assert {a["from"] for a in reply["answers"]} | {m["from"] for m in reply["missing"]} == set(bad.texts)
    assert counter(gate, "malformed_total") > 0
    still_works(gate, good)


def test_oversized_answers_within_the_limit(beside):
    """60 000 bytes in one datagram are less than 64 KiB: they count, whole."""
    gate, good, bad = beside("--misbehave", "oversized")
    parts = parse_mixed(gate.request("/bad/status"))
    assert {p.origin for p in parts} == set(bad.addresses)
    assert {len(p.body) for p in parts} == {60000}
    still_works(gate, good)


def test_oversized_answers_beyond_the_limit(beside):
    gate, good, bad = beside("--misbehave", "oversized", settings={"limits": {"answer": 32768}}, timeout=1)
    reply = gate.get_json("/bad/status")
    assert (reply["summary"]["answered"], reply["summary"]["rejected"], reply["summary"]["missing"]) == (0, 10, 10)
    assert {(r["from"], r["reason"]) for r in reply["rejected"]} == {(text, "too-large") for text in bad.texts}
    assert counter(gate, "rejected_total", "bad") == 10
    still_works(gate, good)


def test_a_hundred_answers_each(beside):
    """Each member counts once."""
    gate, good, bad = beside("--misbehave", "repeat:100", finish="deadline", timeout=2)
    reply = gate.get_json("/bad/status")
    assert sorted(a["from"] for a in reply["answers"]) == sorted(bad.texts)
    assert reply["summary"]["duplicates"] == 990 - reply["summary"]["kernel_drops"]
    assert counter(gate, "duplicate_total", "bad") == reply["summary"]["duplicates"]
    still_works(gate, good)


def test_confirmable_answers(beside):
    gate, good, bad = beside("--misbehave", "con")
    assert gate.get_json("/bad/status")["summary"]["answered"] == 10
    still_works(gate, good)


def test_wrong_tokens(beside):
    gate, good, bad = beside("--misbehave", "wrong-token", timeout=1, repair={"probe": False})
    reply = gate.get_json("/bad/status")
    assert (reply["answers"], reply["summary"]["missing"], reply["summary"]["rejected"]) == ([], 10, 0)
    assert counter(gate, "unknown_token_total") == 10
    still_works(gate, good)


def test_answers_to_a_dead_exchange(beside):
    gate, good, bad = beside("--misbehave", "late:1300", timeout=1, repair={"probe": False})
    for number in (1, 2):
        assert gate.get_json("/bad/status")["summary"]["answered"] == 0
        wait_for(lambda: counter(gate, "late_total", "bad") == 10 * number)
        still_works(gate, good)


def test_the_message_id_of_the_request(beside):
    gate, good, bad = beside("--misbehave", "request-mid")
    assert gate.get_json("/bad/status")["summary"]["answered"] == 10
    still_works(gate, good)


def test_duplicated_and_reordered(beside):
    gate, good, bad = beside("--duplicate", "0.7", "--reorder", "--seed", "2", finish="deadline", timeout=1)
    reply = gate.get_json("/bad/status")
    assert sorted(a["from"] for a in reply["answers"]) == sorted(bad.texts)
    assert reply["summary"]["duplicates"] > 0
    still_works(gate, good)


# --- what a payload can look like


BOUNDARY = "--0123456789abcdef0123456789abcdef"
PAYLOADS = {
    "a header": "\r\nX-Evil: 1\r\n\r\n",
    "a boundary": f"\r\n{BOUNDARY}\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 200 OK\r\n\r\nforged\r\n{BOUNDARY}--\r\n",
    "a response": "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: evil=1\r\n\r\n",
    "chunks": "\r\n0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged",
    "an event": "\n\nevent: answer\ndata: {\"forged\":1}\n\n",
    "json": "\"}],\"answers\":[{\"forged\":1}],\"x\":[{\"y\":\"",
    "dashes": "--\r\n--\r\n--\r\n--",
    "line ends": "\r\n\r\n\n\n\r\r",
    "html": "<script>alert(1)</script>",
}

AS_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;", "\r": "\u240d"})


@pytest.mark.parametrize("name", PAYLOADS)
def test_a_payload_cannot_break_out(members, gateway, name):
    """In every form of the reply it stays what it is: bytes of one part."""
    payload = PAYLOADS[name]
    fleet = members(3, "--resource", f"/evil={payload}")
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    reply = gate.request("/lights/evil")
    parts = parse_mixed(reply)
    assert [(p.status, p.body.decode()) for p in parts] == [(200, payload)] * 3
    assert {p.origin for p in parts} == set(fleet.addresses)
    names = {"content-type", "etag", "reply-from", "castgate-member", "content-length", "cache-control"}
    assert all({n.lower() for n, _ in p.headers} <= names for p in parts)
    assert "Set-Cookie" not in reply.headers and "X-Evil" not in reply.headers
    document = gate.get_json("/lights/evil")
    assert [a["body"] for a in document["answers"]] == [payload] * 3
    assert list(document) == ["exchange", "mapping", "summary", "answers", "missing", "rejected"]
    stream = gate.request("/lights/evil", headers={"Accept": "text/event-stream"}).body.decode()
    events = [line for line in stream.split("\n") if line.startswith("event:")]
    assert events == ["event: answer"] * 3 + ["event: summary"]
    page = gate.request("/lights/evil", headers={"Accept": "text/html"}).body.decode()
    assert page.count("<tr>") == 3 and payload.translate(AS_HTML) in page


def test_a_boundary_cannot_be_foreseen(members, gateway):
    fleet = members(2)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    boundaries = {gate.request("/lights/light").headers["Content-Type"] for _ in range(20)}
    assert len(boundaries) == 20
    assert all(len(b) > len("multipart/mixed; boundary=") + 22 for b in boundaries)


HOSTILE_OPTIONS = [
    [(coap.ETAG, b"\r\nX: y")], [(coap.ETAG, b"")], [(coap.ETAG, b"123456789")], [(coap.ETAG, b"1"), (coap.ETAG, b"2")],
    [(coap.MAX_AGE, b"\xff\xff\xff\xff")], [(coap.MAX_AGE, b"\xff" * 8)], [(coap.CONTENT_FORMAT, b"\xff\xff\xff")],
    [(coap.CONTENT_FORMAT, b"\x32"), (coap.CONTENT_FORMAT, b"\x00")], [(coap.LOCATION_PATH, b"\r\n"), (coap.LOCATION_PATH, b"a" * 300)],
    [(coap.OBSERVE, b"\x01")], [(coap.BLOCK2, b"\xff\xff\xff\xff")], [(coap.BLOCK2, b"\x07")], [(coap.BLOCK2, b"\x00")],
    [(coap.SIZE2, b"\xff\xff\xff\xff")], [(65535, b"x" * 1000)], [(65000, b"")] * 500, [(4, b"a")] * 300, [(2051, b"\"\\\n")],
]


@pytest.mark.parametrize("options", HOSTILE_OPTIONS, ids=range(len(HOSTILE_OPTIONS)))
def test_odd_options(gateway, group, options):
    """Whatever an answer's options hold: a well-formed reply comes, and the gateway goes on."""
    gate = gateway({"mappings": [silent_mapping(group, finish="count:1", timeout=2)]})
    for accept in ("multipart/mixed", "application/json", "text/event-stream"):
        with Tap(group) as tap, coap.Endpoint() as member:
            pending = Later(gate.request, "/silent/x", headers={"Accept": accept})
            packet = tap.next()
            member.send_bytes(packet.source, answer_to(packet.message, b"payload", options=options))
            reply = pending.result()
        assert reply.status in (200, 504)
        if reply.status == 200 and accept == "multipart/mixed":
            assert all(p.body == b"payload" for p in parse_mixed(reply))
        if accept == "application/json":
            assert reply.json()["summary"]["answered"] + reply.json()["summary"]["rejected"] == 1
    assert running(gate) == 0


def test_random_answers(gateway, group):
    """A thousand random and damaged datagrams at the gateway's port while an exchange runs."""
    chance = random.Random(8)
    gate = gateway({"mappings": [silent_mapping(group, timeout=2)]})
    with Tap(group) as tap, coap.Endpoint() as member:
        pending = Later(gate.request, "/silent/x", headers={"Accept": "application/json"})
        packet = tap.next()
        for _ in range(1000):
            data = bytearray(answer_to(packet.message, b"{\"a\": 1}", options=[(4, b"etag"), (12, b"\x32"), (14, b"\x3c"), (23, b"\x0e")]))
            for _ in range(chance.randrange(4)):
                at = chance.randrange(len(data))
                if chance.random() < 0.3:
                    del data[at:]
                    data += b"x"
                else:
                    data[at] = chance.randrange(256)
            member.send_bytes(packet.source, bytes(data))
        for size in (0, 1, 2, 3, 4, 65000):
            member.send_bytes(packet.source, chance.randbytes(size))
        member.send_bytes(packet.source, answer_to(packet.message, b"last"))
        reply = pending.result()
        reply.json()
        assert reply.status == 200 and reply.json()["summary"]["answered"] <= 1  # one address and port
        again = Later(gate.get_json, "/silent/again")
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"still"))
        assert [a["body"] for a in again.result()["answers"]] == ["still"]


# --- blocks


def block_member(gateway, group, serve, **more):
    """Runs a request against one member that answers with a first block, and whatever `serve` makes of the next requests."""
    gate = gateway({"mappings": [silent_mapping(group, timeout=1, finish="count:1", **more)]})
    with Tap(group) as tap, coap.Endpoint() as member:
        pending = Later(gate.request, "/silent/x", headers={"Accept": "application/json"})
        packet = tap.next()
        first = [(coap.ETAG, b"e"), (coap.BLOCK2, coap.block(0, True, 64))]
        member.send_bytes(packet.source, answer_to(packet.message, b"a" * 64, options=first))
        while pending.is_alive():
            got = member.receive(0.1)
            if got is None:
                continue
            if (got.message.type, got.message.code) == (coap.CON, coap.EMPTY):  # a stranger is pinged before it is asked
                member.send_empty(packet.source, coap.RST, got.message.mid)
                continue
            for data in serve(got.message):
                member.send_bytes(packet.source, data)
        reply = pending.result().json()
        assert running(gate) == 0
        return gate, reply


def ack(request, payload, number, more, size=64, etag=b"e", code="2.05"):
    return answer_to(request, payload, code, coap.ACK, request.mid, [(coap.ETAG, etag), (coap.BLOCK2, coap.block(number, more, size))])


BLOCKS = {
    "right": (lambda r: [ack(r, b"b" * 10, 1, False)], "a" * 64 + "b" * 10),
    "separate": (lambda r: [coap.Message(coap.ACK, coap.EMPTY, r.mid).emit(),
                            answer_to(r, b"b", type=coap.CON, mid=1, options=[(coap.ETAG, b"e"), (coap.BLOCK2, coap.block(1, False, 64))])]
                 if r.code else [], "a" * 64 + "b"),
    "never": (lambda r: [], None),
    "reset": (lambda r: [coap.Message(coap.RST, coap.EMPTY, r.mid).emit()], None),
    "an error": (lambda r: [ack(r, b"gone", 1, False, code="4.04")], None),
    "another etag": (lambda r: [ack(r, b"b", 1, False, etag=b"f")], None),
    "another number": (lambda r: [ack(r, b"b" * 64, 7, False)], None),
    "the first again": (lambda r: [ack(r, b"a" * 64, 0, True)], None),
    "a short one with more": (lambda r: [ack(r, b"b", 1, True)], None),
    "a larger size": (lambda r: [ack(r, b"b" * 128, 0, False, size=128)], None),
    "no block option": (lambda r: [answer_to(r, b"b", type=coap.ACK, mid=r.mid)], "b"),  # it has become small meanwhile
    "for ever": (lambda r: [ack(r, b"b" * 64, (r.block() or (1,))[0], True)], None),
    "garbage": (lambda r: [b"\x00", b"\xff" * 100], None),
}


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks(gateway, group, name):
    """A large answer is either whole or not there: half a body is none. The member is then listed with the reason."""
    serve, body = BLOCKS[name]
    gate, reply = block_member(gateway, group, serve)
    if body is None:
        assert reply["answers"] == []
        assert [r["reason"] for r in reply["rejected"]] == ["blocks-incomplete"]
    else:
        assert [a["body"] for a in reply["answers"]] == [body]
        assert reply["rejected"] == []


def block2(*values):
    return [(coap.BLOCK2, value) for value in values]


FIRST_BLOCKS = {  # Block2 options and payload of a first answer (RFC 7959 2.2), and why it is none; None: it is whole
    "48 bytes, block of 32": (block2(b"\x09"), b"a" * 48, "bad-block"),
    "16 bytes, block of 32": (block2(b"\x09"), b"a" * 16, "bad-block"),
    "not the first, more": (block2(b"\x18"), b"a" * 16, "bad-block"),
    "the last alone": (block2(b"\x10"), b"a" * 4, "bad-block"),
    "reserved size": (block2(b"\x07"), b"a" * 4, "bad-block"),
    "reserved size, more": (block2(b"\x0f"), b"a" * 16, "bad-block"),
    "4 bytes": (block2(b"\0\0\0\x08"), b"a" * 16, "bad-block"),
    "two options": (block2(b"\x08", b"\x08"), b"a" * 16, "bad-block"),
    "longer than its only block": (block2(b""), b"a" * 17, "bad-block"),
    "an only block": (block2(b""), b"a" * 16, None),
}


@pytest.mark.parametrize("name", FIRST_BLOCKS)
def test_what_is_no_first_block_is_rejected(gateway, group, name):
    options, payload, reason = FIRST_BLOCKS[name]
    gate = gateway({"mappings": [silent_mapping(group, timeout=1, finish="count:1")]})
    with Tap(group) as tap, coap.Endpoint() as member:
        pending = Later(gate.get_json, "/silent/x")
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, payload, options=options))
        reply = pending.result()
        assert member.receive(0.1) is None  # nothing is asked for
    if reason is None:
        assert [a["body"] for a in reply["answers"]] == [payload.decode()]
    else:
        assert reply["answers"] == [] and [r["reason"] for r in reply["rejected"]] == [reason]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_blocks_of_an_answer_to_what_acts_are_not_fetched(gateway, group, method):
    """Asking for the second block would do it all again."""
    mapping = silent_mapping(group, timeout=1, unsafe_methods=True, methods=[method], clients=["tester"])
    gate = gateway({"clients": TESTER, "mappings": [mapping]})
    with Tap(group) as tap, coap.Endpoint() as member:
        pending = Later(gate.request, "/silent/x", method, {"Accept": "application/json", **AUTHORIZED})
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"a" * 64, options=block2(coap.block(0, True, 64))))
        reply = pending.result().json()
        assert member.receive(0.1) is None
    assert reply["answers"] == [] and [r["reason"] for r in reply["rejected"]] == ["blocks-unsafe"]


def test_blocks_come_from_who_was_asked(gateway, group):
    """An answer with the right token, but from somebody else's address, completes nothing."""
    gate = gateway({"mappings": [silent_mapping(group, timeout=2, finish="count:1")]})
    with Tap(group) as tap, coap.Endpoint() as member, coap.Endpoint("127.6.6.6") as forger:
        pending = Later(gate.get_json, "/silent/x")
        packet = tap.next()
        first = [(coap.ETAG, b"e"), (coap.BLOCK2, coap.block(0, True, 64))]
        member.send_bytes(packet.source, answer_to(packet.message, b"a" * 64, options=first))
        member.send_empty(packet.source, coap.RST, member.receive(5).message.mid)  # a ping, before anything is asked
        request = member.receive(5).message
        forger.send_bytes(packet.source, ack(request, b"FORGED", 1, False))
        reply = pending.result()
    assert "FORGED" not in str(reply)
    assert reply["answers"] == [] and [r["reason"] for r in reply["rejected"]] == ["wrong-source", "blocks-incomplete"]


# --- every datagram is accounted for


def odd_datagrams(request):
    """{what it is: (the datagram, where it shows)}: a reason among the rejected, or a fate."""
    token = request.token

    def raw(first, code, rest=b""):
        return bytes([first, coap.code(code), 1, 2]) + token + rest
    return {
        "an answer": (answer_to(request, b"a"), "answer"),
        "the same again": (answer_to(request, b"a"), "duplicate"),
        "a request with the token": (raw(0x58, "0.01"), "bad-code"),
        "a code of no class": (raw(0x58, "6.01"), "bad-code"),
        "a signal": (raw(0x58, "7.02"), "bad-code"),
        "a marker without payload": (raw(0x58, "2.05", b"\xff"), "malformed"),
        "an option cut off": (raw(0x58, "2.05", b"\xd1"), "malformed"),
        "an acknowledgement of something else": (answer_to(request, b"x", type=coap.ACK, mid=request.mid ^ 1), "wrong-mid"),
        "an unsafe option": (answer_to(request, b"x", options=[(65002, b"")]), "bad-option"),
        "an OSCORE option": (answer_to(request, b"x", options=[(9, b"\x01\x05")]), "bad-option"),
        "no token": (answer_to(request, b"x", token=b""), "unknown-token"),
        "another token": (answer_to(request, b"x", token=bytes(8)), "unknown-token"),
        "garbage": (b"\xff\xff", "malformed datagram"),
        "nothing": (b"", "malformed datagram"),
        "a request": (coap.Message(coap.NON, coap.GET, 1, b"", [], b"").emit(), "request"),
        "a ping": (coap.Message(coap.CON, coap.EMPTY, 2, b"", [], b"").emit(), "request"),
        "a code of no class without token": (bytes([0x50, coap.code("6.00"), 0, 1]), "bad-code datagram"),
        "an acknowledgement of nothing": (coap.Message(coap.ACK, coap.EMPTY, 3, b"", [], b"").emit(), "stray-empty"),
    }


REASONS = {"bad-code", "malformed", "wrong-mid", "bad-option"}


def test_every_datagram_is_accounted_for(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group, timeout=1)]})
    with Tap(group) as tap, coap.Endpoint("127.5.5.5") as member:
        pending = Later(gate.get_json, "/silent/x")
        packet = tap.next()
        odd = odd_datagrams(packet.message)
        for datagram, _ in odd.values():
            member.send_bytes(packet.source, datagram)
        reply = pending.result()
        member.send_bytes(packet.source, answer_to(packet.message, b"late"))
        wait_for(lambda: counter(gate, "datagrams_total") == len(odd) + 1)
    where = [where for _, where in odd.values()]
    assert sorted(r["reason"] for r in reply["rejected"]) == sorted(w for w in where if w in REASONS)
    figures = metrics(gate)
    fates = {name[len('castgate_datagram_fates_total{fate="'):-2]: count for name, count in figures.items() if "_fates_" in name}
    expected = {"late": 1, "rejected": sum(w in REASONS for w in where)}
    for w in where:
        if w not in REASONS:
            fate = w.removesuffix(" datagram")
            expected[fate] = expected.get(fate, 0) + 1
    assert {fate: count for fate, count in fates.items() if count > 0} == expected
    assert sum(fates.values()) == figures["castgate_datagrams_total"]
    assert counter(gate, "rejected_total", "silent") == reply["summary"]["rejected"] == expected["rejected"]
    assert counter(gate, "late_total", "silent") == 1


@pytest.mark.parametrize("strict", [False, True])
def test_answers_of_type_ack(gateway, group, strict):
    """Small devices acknowledge a group request with their answer."""
    gate = gateway({"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"], "strict": strict}, "mappings": [silent_mapping(group, timeout=1)]})
    with Tap(group) as tap, coap.Endpoint("127.5.5.5") as member:
        pending = Later(gate.get_json, "/silent/x", headers={"Accept": "application/json", "Multicast-Timeout": "1"})
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"on", type=coap.ACK, mid=packet.message.mid))
        reply = pending.result()
    assert [a["body"] for a in reply["answers"]] == ([] if strict else ["on"])
    assert [r["reason"] for r in reply["rejected"]] == (["unexpected-ack"] if strict else [])


def test_a_member_that_answers_from_another_port(gateway, group):
    """The only configured member at an address is known by it: never answered and missing at once."""
    gate = gateway({"mappings": [silent_mapping(group, timeout=1, membership="complete",
                                                members=[{"name": "lamp", "address": "127.5.5.5:5683"}, "127.5.5.6:5683"])]})
    with Tap(group) as tap, coap.Endpoint("127.5.5.5") as member:
        pending = Later(gate.get_json, "/silent/x")
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"on"))
        reply = pending.result()
    assert [(a["member"], a["from"]) for a in reply["answers"]] == [("lamp", f"127.5.5.5:{member.port}")]
    assert [m["member"] for m in reply["missing"]] == ["127.5.5.6:5683"]
