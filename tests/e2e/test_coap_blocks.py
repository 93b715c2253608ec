"""CoAP clients whose payloads, or whose answers, are larger than a message (RFC 7959), and one response for all answers."""

import subprocess

from coap import (ACCEPT, ACK, BLOCK1, BLOCK2, CON, CONTENT_FORMAT, EMPTY, ETAG, FETCH, GET, NO_RESPONSE, PROXY_URI, PUT, REPLY_FROM, REQUEST_TAG,
                  SIZE1, SIZE2, Message, uint)
from probe import Tap, parse_cri, parse_multipart_core
from test_coap import client, lamps, origin  # noqa: F401 (fixtures)

ACCEPT_62 = (ACCEPT, uint(62))


def casts(tap):
    """What has gone to the group."""
    return [Message.parse(p.data) for p in tap.packets()]


def block(number, more, size):
    return uint(number << 4 | more << 3 | (size.bit_length() - 5))


def fetch(one, path, first, size=1024, **more):
    """The rest of a body of which `first` is the first block: (body, each block's response)."""
    body, responses = first.payload, []
    options = more.pop("options", ())
    while not responses or responses[-1].block()[1]:
        got = one.call(path, options=[*options, (BLOCK2, block(len(body) // size, False, size))], **more)
        assert (got.type, got.code_text) == (ACK, "2.05"), (got, got.payload)
        assert got.one(ETAG) == first.one(ETAG)
        body += got.payload
        responses.append(got)
    return body, responses


# ---- One response for all ----


def test_one_response_for_all(lamps, client):
    gate, fleet = lamps(3, mapping={"aggregate": True})
    one = client(gate)
    request = one.ask("lights/status", timeout=10, options=[ACCEPT_62])
    acknowledgement = one.hear()
    assert (acknowledgement.type, acknowledgement.code) == (ACK, EMPTY)
    (answer,) = [m for m in one.hear_all(2) if m.code != EMPTY]
    assert (answer.type, answer.code_text, answer.token, answer.uint(CONTENT_FORMAT)) == (CON, "2.05", request.token, 62)
    assert answer.one(REPLY_FROM) is None and answer.one(BLOCK2) is None
    counts, ended_by, answers = parse_multipart_core(answer.payload)
    assert (counts["answered"], counts["failed"], ended_by) == (3, 0, "all")  # long before the client's time
    assert {parse_cri(a["reply_from"]) for a in answers} == set(fleet.addresses)
    assert all((a["code"], a["format"], a["verified"], a["via"]) == (69, 50, 0, 0) for a in answers)


def test_nobody_has_answered_is_a_response_too(lamps, client):
    gate, fleet = lamps(1, "--loss", "1", mapping={"aggregate": True})
    (answer,) = client(gate).gather("lights/light", timeout=1, options=[ACCEPT_62], seconds=3)
    assert answer.code_text == "2.05"
    counts, ended_by, answers = parse_multipart_core(answer.payload)
    assert (counts["answered"], counts["missing"], ended_by, answers) == (0, 1, "deadline", [])


def test_what_accept_names_is_consumed(lamps, client):
    gate, fleet = lamps(2, mapping={"aggregate": True})
    with Tap(fleet.group) as tap:
        client(gate).gather("lights/light", count=1, timeout=1, options=[ACCEPT_62])
        assert [m.one(ACCEPT) for m in casts(tap)] == [None]


def test_without_it_responses_are_separate(lamps, client):
    gate, fleet = lamps(3, mapping={"aggregate": True})
    answers = client(gate).gather("lights/light", timeout=1, seconds=2)
    assert {origin(a) for a in answers} == set(fleet.addresses) and len(answers) == 3


def test_elsewhere_accept_goes_to_the_members(lamps, client):
    gate, fleet = lamps(2)
    with Tap(fleet.group) as tap:
        client(gate).gather("lights/light", timeout=1, options=[ACCEPT_62], seconds=1.5)
        assert {m.one(ACCEPT) for m in casts(tap)} == {uint(62)}


def test_without_a_time_it_is_refused(lamps, client):
    gate, fleet = lamps(2, mapping={"aggregate": True})
    answer = client(gate).call("lights/light", timeout=None, options=[ACCEPT_62])
    assert (answer.type, answer.code_text) == (ACK, "4.00")


def test_a_large_one_goes_in_blocks_and_nothing_is_cast_again(lamps, client):
    gate, fleet = lamps(3, mapping={"aggregate": True})
    one = client(gate)
    with Tap(fleet.group) as tap:
        (first,) = one.gather("lights/big", count=1, timeout=10, options=[ACCEPT_62])
        assert (first.block(), len(first.payload)) == ((0, True, 1024), 1024)
        body, responses = fetch(one, "lights/big", first, timeout=10, options=[ACCEPT_62])
        assert len(body) == first.uint(SIZE2)
        assert all(r.uint(CONTENT_FORMAT) == 62 for r in responses)
        counts, _, answers = parse_multipart_core(body)
        assert [len(a["payload"]) for a in answers] == [4096] * 3 and counts["answered"] == 3
        assert len(casts(tap)) == 1
        again = one.call("lights/big", timeout=10, options=[ACCEPT_62, (BLOCK2, block(1, False, 1024))])
        assert again.payload == body[1024:2048]  # as often as the client likes
        beyond = one.call("lights/big", timeout=10, options=[ACCEPT_62, (BLOCK2, block(100, False, 1024))])
        assert beyond.code_text == "4.00"
        assert len(casts(tap)) == 1


def test_the_clients_block_size_is_kept_to(lamps, client):
    gate, fleet = lamps(3, mapping={"aggregate": True})
    one = client(gate)
    (first,) = one.gather("lights/big", count=1, timeout=10, options=[ACCEPT_62, (BLOCK2, block(0, False, 256))])
    assert (first.block(), len(first.payload)) == ((0, True, 256), 256)
    body, _ = fetch(one, "lights/big", first, size=256, timeout=10, options=[ACCEPT_62])
    assert parse_multipart_core(body)[0]["answered"] == 3


def test_another_client_gets_none_of_it(lamps, client):
    gate, fleet = lamps(3, mapping={"aggregate": True})
    one, other = client(gate), client(gate)
    with Tap(fleet.group) as tap:
        one.gather("lights/big", count=1, timeout=10, options=[ACCEPT_62])
        answer = other.call("lights/big", timeout=10, options=[ACCEPT_62, (BLOCK2, block(1, False, 1024))])
        assert (answer.type, answer.code_text) == (ACK, "5.03")
        assert len(casts(tap)) == 1


def test_libcoaps_client_gets_it(lamps, tmp_path):
    """One that fits a message: it does not fetch further blocks of a response that came behind the acknowledgement (4.3.1)."""
    gate, fleet = lamps(3, mapping={"aggregate": True})
    out = tmp_path / "body"
    subprocess.run(["coap-client-openssl", "-m", "get", "-A", "62", "-O", "2,\x05", "-B", "8", "-o", out,
                    f"coap://127.0.0.1:{gate.coap[1]}/lights/light"], check=True, capture_output=True, timeout=20)
    counts, _, answers = parse_multipart_core(out.read_bytes())
    assert [a["payload"] for a in answers] == [b"off"] * 3


# ---- Large answers of members ----


def test_a_members_large_answer_goes_by_its_first_block(lamps, client):
    """The rest is asked of the member that Reply-From names, and comes from the same answer."""
    gate, fleet = lamps(2, mapping={"forward": True})
    one = client(gate)
    with Tap(fleet.group) as tap:
        firsts = one.gather("", count=2, timeout=2, options=[(PROXY_URI, f"{fleet.group.uri}/big".encode())])
        assert {origin(f) for f in firsts} == set(fleet.addresses)
        for first in firsts:
            assert (first.block(), first.uint(SIZE2), len(first.payload)) == ((0, True, 1024), 4096, 1024)
            ip, port = origin(first)
            body, _ = fetch(one, "", first, timeout=None, options=[(PROXY_URI, f"coap://{ip}:{port}/big".encode())])
            assert len(body) == 4096
        assert len(casts(tap)) == 1


def test_by_the_members_name(lamps, client):
    gate, fleet = lamps(2, mapping={"stand_in": "members"})
    one = client(gate)
    firsts = one.gather("lights/big", count=2, timeout=2)
    assert len(firsts) == 2
    for ip, port in fleet.addresses:
        rest = [one.call(f"lights/.member/{ip}:{port}/big", timeout=None, options=[(BLOCK2, block(n, False, 1024))])
                for n in (1, 2, 3)]
        assert [r.block() for r in rest] == [(1, True, 1024), (2, True, 1024), (3, False, 1024)]


def test_a_block_that_is_not_kept_is_asked_of_the_member(lamps, client):
    gate, fleet = lamps(1, mapping={"stand_in": "members"})
    one = client(gate)
    (ip, port), = fleet.addresses
    with Tap(fleet.group) as tap:
        got = one.call(f"lights/.member/{ip}:{port}/big", timeout=None, options=[(BLOCK2, block(3, False, 1024))])
        assert (got.code_text, got.block(), len(got.payload)) == ("2.05", (3, False, 1024), 1024)
        assert casts(tap) == []


def test_a_members_error_is_told_whichever_block_was_asked_for(lamps, client):
    gate, fleet = lamps(1, mapping={"stand_in": "members"})
    (ip, port), = fleet.addresses
    got = client(gate).call(f"lights/.member/{ip}:{port}/nothing", timeout=None, options=[(BLOCK2, block(3, False, 1024))])
    assert (got.code_text, got.block()) == ("4.04", None)


def test_no_response_does_not_hold_up_blocks(lamps, client):
    """RFC 7967: what is said of the response is said with the last block, and a 2.31 comes all the same."""
    gate, fleet = lamps(2)
    one = client(gate)
    first = one.call("lights/light", method=FETCH, payload=bytes(16), timeout=1, options=[(NO_RESPONSE, b"\x02"), (BLOCK1, block(0, True, 16))])
    assert first.code_text == "2.31"
    with Tap(fleet.group) as tap:
        one.ask("lights/light", method=FETCH, payload=b"x", timeout=1, options=[(BLOCK1, block(1, False, 16))])
        one.hear_all(1.5)
        assert [m.payload for m in casts(tap)] == [bytes(16) + b"x"]


def test_a_further_block_of_a_group_is_gone(lamps, client):
    gate, fleet = lamps(2)
    with Tap(fleet.group) as tap:
        answer = client(gate).call("lights/big", options=[(BLOCK2, block(1, False, 1024))])
        assert (answer.type, answer.code_text) == (ACK, "5.03") and b"block 0" in answer.payload
        assert casts(tap) == []


def test_the_reserved_block_size_is_refused(lamps, client):
    gate, fleet = lamps(2)
    answer = client(gate).call("lights/big", options=[(BLOCK2, b"\x07")])
    assert (answer.type, answer.code_text) == (ACK, "4.00")


# ---- Payloads in blocks ----


def test_libcoaps_client_sends_in_blocks(lamps, tmp_path):
    gate, fleet = lamps(2)
    body = tmp_path / "body"
    body.write_bytes(bytes(range(250)) * 4)
    with Tap(fleet.group) as tap:
        subprocess.run(["coap-client-openssl", "-m", "fetch", "-b", "256", "-f", body, "-O", "2,\x01", "-B", "6",
                        f"coap://127.0.0.1:{gate.coap[1]}/lights/light"], check=True, capture_output=True, timeout=20)
        (cast,) = casts(tap)
        assert (cast.code, cast.payload) == (FETCH, body.read_bytes())


def test_who_may_not_hears_that_with_the_first_block(lamps, client):
    gate, fleet = lamps(2, mapping={"unsafe_methods": True})  # anonymous: GET and FETCH only
    with Tap(fleet.group) as tap:
        answer = client(gate).call("lights/light", method=PUT, payload=bytes(64), options=[(BLOCK1, block(0, True, 64))])
        assert (answer.type, answer.code_text) == (ACK, "4.01")
        assert casts(tap) == []


FETCH_BODY = bytes(range(1, 200))


def fetch_blocks(one, path, body, size, options=()):
    """A FETCH whose payload comes in blocks; the response to the last."""
    for at in range(0, len(body), size):
        more = at + size < len(body)
        got = one.call(path, method=FETCH, payload=body[at:at + size], timeout=1,
                       options=[*options, (BLOCK1, block(at // size, more, size))], seconds=2)
        if more:
            assert (got.type, got.code_text, got.one(BLOCK1)) == (ACK, "2.31", block(at // size, True, size))
    return got


def test_a_payload_in_blocks_is_cast_whole(lamps, client):
    gate, fleet = lamps(2)
    with Tap(fleet.group) as tap:
        fetch_blocks(client(gate), "lights/light", FETCH_BODY, 64)
        (cast,) = casts(tap)
        assert (cast.code, cast.payload, cast.one(BLOCK1)) == (FETCH, FETCH_BODY, None)


def test_two_at_once_are_told_apart_by_request_tag(lamps, client):
    gate, fleet = lamps(2)
    one = client(gate)
    with Tap(fleet.group) as tap:
        for tag in (b"a", b"b"):
            got = one.call("lights/light", method=FETCH, payload=tag * 16, options=[(REQUEST_TAG, tag), (BLOCK1, block(0, True, 16))])
            assert got.code_text == "2.31"
        for tag in (b"a", b"b"):
            one.ask("lights/light", method=FETCH, payload=tag, options=[(REQUEST_TAG, tag), (BLOCK1, block(1, False, 16))])
        one.hear_all(2.5)
        assert sorted(m.payload for m in casts(tap)) == [b"a" * 17, b"b" * 17]
        assert all(m.one(REQUEST_TAG) is None for m in casts(tap))


def test_bad_blocks(lamps, client):
    gate, fleet = lamps(2)
    one = client(gate)

    def put(number, more, payload, size=16, options=()):
        return one.call("lights/light", method=FETCH, payload=payload, options=[*options, (BLOCK1, block(number, more, size))]).code_text

    with Tap(fleet.group) as tap:
        assert put(1, True, bytes(16)) == "4.08"  # where is block 0?
        assert put(0, True, bytes(15)) == "4.00"  # it is not full
        assert put(0, True, bytes(16)) == "2.31"
        assert put(2, True, bytes(16)) == "4.08"  # where is block 1?
        assert put(0, True, bytes(16), options=[(SIZE1, uint(65537))]) == "4.13"
        assert one.call("lights/light", method=FETCH, payload=b"x", options=[(BLOCK1, b"\x07")]).code_text == "4.00"
        assert one.call("lights/light", method=GET, options=[(BLOCK1, block(0, True, 16))]).code_text == "4.02"
        assert casts(tap) == []


def test_a_body_that_is_too_large_is_413_with_what_is_taken(lamps, client):
    gate, fleet = lamps(2, limits={"request_body": 100})
    one = client(gate)
    first = one.call("lights/light", method=FETCH, payload=bytes(64), options=[(BLOCK1, block(0, True, 64))])
    second = one.call("lights/light", method=FETCH, payload=bytes(64), options=[(BLOCK1, block(1, True, 64))])
    assert (first.code_text, second.code_text, second.uint(SIZE1)) == ("2.31", "4.13", 100)
    whole = one.call("lights/light", method=FETCH, payload=bytes(101))
    assert (whole.code_text, whole.uint(SIZE1)) == ("4.13", 100)
