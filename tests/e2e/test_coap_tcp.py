"""CoAP clients over TCP and TLS (RFC 8323): the same as over UDP without a message layer, and what is bounded where clients do
not keep to the rules, or to their word."""

import socket
import subprocess
import time

import pytest

import coap
import pki
from coap import BLOCK2, FETCH, GET, MULTICAST_TIMEOUT, OBSERVE, REPLY_FROM, code_text, path_options
from coap_tcp import (ABORT, BAD_CSM_OPTION, BLOCK_WISE_TRANSFER, CSM, CUSTODY, EXTENDED_TOKEN_LENGTH, HOLD_OFF, MAX_MESSAGE_SIZE,
                      PING, PONG, RELEASE, Connection, emit)
from conftest import free_tcp_port, plain_mapping
from pki import authority, server  # noqa: F401
from probe import log_lines, metrics, parse_multipart_core, running, wait_for

KEY = "0123456789abcdef"


@pytest.fixture
def tcp(members, gateway, tmp_path):
    """tcp(…): a gateway that listens by TCP, and by TLS where it has a key or certificate, before a fleet. The client "d" has KEY.
    .to and .tls_port are where."""
    key = tmp_path / "d.key"
    key.write_text(KEY)
    key.chmod(0o600)

    def start(count=3, tls=None, clients=None, grants=("d", "anonymous"), silent=False, **mapping):
        fleet = members(count, *(["--loss", "1"] if silent else []))
        port, tls_port = free_tcp_port(), free_tcp_port()
        known = {"d": {"psk": {"identity": "d", "key_file": str(key)}}} if clients is None else clients
        gate = gateway({"coap": {"listen": [f"coap+tcp://127.0.0.1:{port}", f"coaps+tcp://127.0.0.1:{tls_port}"],
                                 **({"tls": tls} if tls else {})},
                        "group": {"interface": "lo", "nstart": 1000, "probing_rate": 1000000}, "clients": known,
                        "mappings": [plain_mapping(fleet, clients=list(grants), max_timeout=30, **mapping)]})
        gate.to, gate.tls_port = ("127.0.0.1", port), tls_port
        return gate

    return start


@pytest.fixture
def connect():
    opened = []

    def start(gate, **more):
        opened.append(Connection(gate.to, **more))
        return opened[-1]

    yield start
    for one in opened:
        one.socket.close()


def figure(gate, name, **labels):
    label = "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}" if labels else ""
    return metrics(gate)[f"castgate_coap_{name}{label}"]


def libcoap(gate, scheme, port, *arguments):
    """What libcoap's client says of its request and the first response."""
    out = subprocess.run(["coap-client-openssl", "-m", "get", "-O", "2,\x01", "-B", "5", "-v", "6", *map(str, arguments),
                          f"{scheme}://127.0.0.1:{port}/lights/light"], capture_output=True, timeout=30)
    return (out.stdout + out.stderr).decode(errors="replace")


# ---- The same as over UDP ----


def test_each_member_answers_on_the_connection(tcp, connect):
    gate = tcp(3)
    one = connect(gate)
    csm = one.hear_csm()
    assert csm.uint(MAX_MESSAGE_SIZE) > 65536 and csm.all(BLOCK_WISE_TRANSFER) == [b""]  # which stands for BERT, too
    assert csm.uint(EXTENDED_TOKEN_LENGTH) == 64
    token = one.ask("lights/light")
    answers = one.gather(token, 3)
    assert [code_text(a.code) for a in answers] == ["2.05"] * 3
    assert len({a.one(REPLY_FROM) for a in answers}) == 3
    wait_for(lambda: running(gate) == 0)
    assert code_text(one.gather(one.ask("lights/light", timeout=None), 1)[0].code) == "4.00"  # and goes on
    assert figure(gate, "tcp_requests_total") == 2


def test_links_and_a_member_by_its_path(tcp, connect):
    gate = tcp(2, stand_in="members")
    one = connect(gate)
    one.hear_csm()
    (links,) = one.gather(one.ask(".well-known/core", timeout=None), 1)
    assert b"</lights>" in links.payload
    (first, _) = one.gather(one.ask("lights/status"), 2)
    assert first.one(REPLY_FROM).startswith(b"\x82\x26")  # a CRI of coap+tcp (-7), so that it leads back here


def test_an_observation_and_the_message_that_stops_it(tcp, connect):
    gate = tcp(2)
    one = connect(gate)
    one.hear_csm()
    token = one.observe("lights/light", timeout=1)
    assert all(a.one(OBSERVE) is not None for a in one.gather(token, 2))
    one.ask(timeout=0, token=token)  # the Early Stop Request
    wait_for(lambda: running(gate) == 0)


def test_pieces_of_any_size_and_many_at_once(tcp, connect):
    gate = tcp(1)
    one = connect(gate, csm=None)
    for byte in emit(CSM) + emit(GET, b"slow", path_options(".well-known/core")):
        one.send(bytes([byte]))
    one.hear_csm()
    one.gather(b"slow", 1)
    one.send(b"\0\0" + b"".join(emit(GET, n.to_bytes(2, "big"), path_options(".well-known/core")) for n in range(500)))
    assert [one.hear().token for _ in range(500)] == [n.to_bytes(2, "big") for n in range(500)]


def test_a_large_request_and_a_large_answer_in_one_message_each(tcp, connect):
    gate = tcp(1)
    one = connect(gate, csm=[(MAX_MESSAGE_SIZE, coap.uint(70000))])
    one.hear_csm()
    (answer,) = one.gather(one.ask("lights/big"), 1)
    assert len(answer.payload) == 4096 and answer.block() is None
    (block,) = one.gather(one.ask("lights/big", options=[(BLOCK2, coap.block(0, 0, 64))]), 1)
    assert len(block.payload) == 64 and block.block() == (0, True, 64)
    (refused,) = one.gather(one.ask("lights/light", method=FETCH, payload=bytes(66000)), 1)
    assert code_text(refused.code) == "4.13"


def bert(number, more=False):
    """A Block option of any number of 1024 bytes (RFC 8323, Section 6)."""
    return coap.uint(number << 4 | more << 3 | 7)


def test_many_blocks_in_one_message(tcp, connect):
    gate = tcp(3, aggregate=True, repair={"large_requests": True})
    one = connect(gate, csm=[(MAX_MESSAGE_SIZE, coap.uint(4000)), (BLOCK_WISE_TRANSFER, b"")])
    one.hear_csm()
    body, more, lengths = b"", True, []
    while more:
        (got,) = one.gather(one.ask("lights/big", options=[(coap.ACCEPT, b"\x3e"), (BLOCK2, bert(len(body) // 1024))]), 1)
        number, more, _ = got.block()
        assert (got.uint(BLOCK2) & 7, number) == (7, len(body) // 1024)
        body, lengths = body + got.payload, lengths + [len(got.payload)]
    assert set(lengths[:-1]) == {3072}
    _, _, answers = parse_multipart_core(body)
    assert [len(answer["payload"]) for answer in answers] == [4096] * 3
    (go_on,) = one.gather(one.ask("lights/light", method=FETCH, payload=bytes(2048), options=[(coap.BLOCK1, bert(0, True))]), 1)
    assert (code_text(go_on.code), go_on.one(coap.BLOCK1)) == ("2.31", bert(0, True))
    answers = one.gather(one.ask("lights/light", method=FETCH, payload=bytes(3000), options=[(coap.BLOCK1, bert(2))]), 3)
    assert {answer.one(coap.BLOCK1) for answer in answers} == {bert(2)}


@pytest.mark.parametrize("size", [1152, 200, 40])
def test_answers_are_no_larger_than_the_client_takes(tcp, connect, size):
    gate = tcp(1)
    one = connect(gate, csm=[(MAX_MESSAGE_SIZE, coap.uint(size))])
    one.hear_csm()
    (answer,) = one.gather(one.ask("lights/big", token=b"t"), 1)
    assert len(emit(answer.code, answer.token, answer.options, answer.payload)) <= size
    assert code_text(answer.code) == ("2.05" if size > 40 else "5.02")
    if size > 40:
        assert answer.block()[:2] == (0, True) and answer.block()[2] == len(answer.payload)


def test_tokens_as_long_as_the_csm_says(tcp, connect):
    """And those that are longer (RFC 8974, Section 2.2.2)."""
    gate = tcp(2)
    one = connect(gate)
    one.hear_csm()
    for length in (0, 8, 13, 64):
        one.gather(one.ask("lights/light", token=bytes(range(length)), timeout=1), 2)
    for length in (65, 269, 1000):
        (refused,) = one.gather(one.ask("lights/light", token=b"x" * length), 1)
        assert code_text(refused.code) == "4.00"
    one.gather(one.ask("lights/light", timeout=1), 2)


def test_what_is_kept_has_its_tag_in_one_message(tcp, connect):
    """The client's tag is answered by 2.03, as over UDP (draft-ietf-core-groupcomm-proxy, Section 7)."""
    one = connect(tcp(cache=True, aggregate=True), csm=[(MAX_MESSAGE_SIZE, coap.uint(70000))])
    one.hear_csm()
    accept = [(coap.ACCEPT, b"\x3e")]
    (answer,) = one.gather(one.ask("lights/light", options=accept), 1)
    tag = answer.one(coap.GROUP_ETAG)
    (valid,) = one.gather(one.ask("lights/light", options=[(coap.GROUP_ETAG, tag)] + accept), 1)
    assert (code_text(valid.code), valid.payload, valid.one(coap.GROUP_ETAG)) == ("2.03", b"", tag)


def test_pings(tcp, connect):
    gate = tcp(1)
    one = connect(gate)
    one.hear_csm()
    one.send(emit(PING, b"p") + emit(PING, b"q", [(CUSTODY, b"")]))
    first, second = one.hear(), one.hear()
    assert (first.code, first.token, first.options) == (PONG, b"p", [])
    assert (second.code, second.token, second.options) == (PONG, b"q", [(CUSTODY, b"")])


def test_who_releases_gets_what_runs(tcp, connect):
    gate = tcp(2)
    one = connect(gate)
    one.hear_csm()
    token = one.ask("lights/light", timeout=1)
    one.send(emit(RELEASE, options=[(HOLD_OFF, b"\x0a")], payload=b"so long"))
    assert [a.token for a in one.ends()] == [token] * 2
    assert figure(gate, "tcp_ended_total", cause="released") == 1


def test_who_aborts_ends_what_runs(tcp, connect):
    gate = tcp(2, silent=True)
    one, other = connect(gate), connect(gate)
    one.hear_csm(), other.hear_csm()
    one.ask("lights/light", timeout=20)
    wait_for(lambda: running(gate) == 1)
    one.send(emit(ABORT, payload=b"no more"))
    assert one.ends() == []
    wait_for(lambda: running(gate) == 0)
    assert figure(gate, "tcp_ended_total", cause="aborted") == 1
    other.send(emit(PING))
    assert other.hear().code == PONG


def test_libcoap_by_tcp(tcp):
    gate = tcp(3)
    said = libcoap(gate, "coap+tcp", gate.to[1])
    assert "c:2.05" in said, said


# ---- TLS ----


def test_libcoap_by_tls_with_a_key(tcp):
    gate = tcp(3, grants=("d",))
    said = libcoap(gate, "coaps+tcp", gate.tls_port, "-u", "d", "-k", KEY)
    assert "c:2.05" in said, said
    (line,) = wait_for(lambda: log_lines(gate, "exchange"))
    assert line["client"] == "d"
    assert "c:2.05" not in libcoap(gate, "coaps+tcp", gate.tls_port, "-u", "d", "-k", KEY[::-1])
    assert "c:2.05" not in libcoap(gate, "coaps+tcp", gate.tls_port, "-u", "nobody", "-k", KEY)
    assert figure(gate, "tls_failed_total") == 2
    assert KEY not in gate.log()


def certified(server, ca=None):
    return {"certificate": str(server[0]), "key": str(server[1]), **({"client_ca": str(ca.certificate)} if ca else {})}


def test_libcoap_by_tls_with_a_certificate(tcp, authority, server, tmp_path):
    issued, both = authority.issue("d"), tmp_path / "client.pem"
    both.write_text(issued[0].read_text() + issued[1].read_text())
    gate = tcp(3, tls=certified(server, authority), grants=("d",),
               clients={"d": {"certificate_sha256": pki.fingerprint(issued[0])}})
    said = libcoap(gate, "coaps+tcp", gate.tls_port, "-c", both, "-C", authority.certificate)
    assert "c:2.05" in said, said
    (line,) = wait_for(lambda: log_lines(gate, "exchange"))
    assert line["client"] == "d"
    assert "c:4.01" in libcoap(gate, "coaps+tcp", gate.tls_port, "-C", authority.certificate)
    old, both = authority.issue("old", expired=True), tmp_path / "old.pem"
    both.write_text(old[0].read_text() + old[1].read_text())
    assert "c:4.01" in libcoap(gate, "coaps+tcp", gate.tls_port, "-c", both, "-C", authority.certificate)


def s_client(gate, *arguments, say=b"", seconds=10):
    """OpenSSL's client, which sends that when its handshake is done: (what came, what it says)."""
    run = subprocess.run(["timeout", str(seconds), "openssl", "s_client", "-connect", f"127.0.0.1:{gate.tls_port}", "-psk",
                          KEY.encode().hex(), "-psk_identity", "d", *arguments], input=say, capture_output=True)
    return run.stdout, run.stderr.decode(errors="replace")


@pytest.mark.parametrize("version,suite", [("-tls1_2", "PSK-AES128-CCM8"), ("-tls1_3", None)])
def test_keys_in_both_versions_of_tls(tcp, version, suite):
    """SNI does no harm, and ALPN is as RFC 8323 has it."""
    gate = tcp(1, grants=("d",))
    csm_and_release = emit(CSM) + emit(GET, b"hello", path_options("lights/light") + [(MULTICAST_TIMEOUT, b"\x01")]) + emit(RELEASE)
    came, said = s_client(gate, version, "-quiet", "-servername", "x.example", "-alpn", "coap", *(["-cipher", suite] if suite else []),
                          say=csm_and_release)
    assert b"hello" in came, said
    (line,) = wait_for(lambda: log_lines(gate, "exchange"))
    assert line["client"] == "d"


@pytest.mark.parametrize("what", [["-tls1_1"], ["-tls1_2", "-alpn", "http/1.1"], ["-tls1_2", "-cipher", "PSK-AES128-CBC-SHA256"]])
def test_what_is_not_agreed_on(tcp, what):
    gate = tcp(1)
    s_client(gate, *what)
    assert figure(gate, "tls_opened_total") == 0
    assert figure(gate, "tls_failed_total") == 1


def test_nothing_is_negotiated_again(tcp):
    gate = tcp(1)
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{gate.tls_port}", "-psk", KEY.encode().hex(),
                                "-psk_identity", "d", "-tls1_2"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        wait_for(lambda: figure(gate, "tls_opened_total") == 1)
        process.stdin.write(b"R\n")
        process.stdin.flush()
        wait_for(lambda: figure(gate, "tcp_connections") == 0)
        assert b"no renegotiation" in process.communicate(timeout=10)[0]
    finally:
        process.kill()
        process.wait()


def test_a_reload_takes_up_certificates_and_ends_who_is_no_client_any_more(tcp, authority, server, tmp_path):
    files = tmp_path / "crt", tmp_path / "key"
    for file, content in zip(files, server):
        file.write_text(content.read_text())
        file.chmod(0o600)
    issued = authority.issue("d")
    gate = tcp(1, tls=certified(files, authority), grants=("d",), clients={"d": {"certificate_sha256": pki.fingerprint(issued[0])}})
    at = ("127.0.0.1", gate.tls_port)
    before = pki.serial(at, pki.context(authority))
    with Connection(at, tls=pki.context(authority, issued)) as one:
        one.hear_csm()
        one.gather(one.ask("lights/light"), 1)
        for file, content in zip(files, authority.issue("server2", "serverAuth")):
            file.write_text(content.read_text())
        gate.settings["clients"]["d"]["certificate_sha256"] = pki.fingerprint(authority.issue("other")[0])
        gate.reload(gate.settings)
        assert [message.code for message in one.ends()] == [RELEASE]
    assert figure(gate, "tcp_ended_total", cause="withdrawn") == 1
    assert pki.serial(at, pki.context(authority)) != before


# ---- Who does not keep to the rules ----


@pytest.mark.parametrize("cause,data", [
    ("no-csm", emit(GET, b"T", path_options("lights"))),
    ("option", emit(CSM, options=[(5, b"")])),
    ("code", emit(CSM) + emit(7 << 5 | 9)),
    ("framing", emit(CSM) + b"\x10\x01\xff"),
    ("framing", emit(CSM) + b"\x0f\x01"),
    ("too-large", emit(CSM) + b"\xf0\x00\x10\x00\x00\x02"),
])
def test_who_breaks_the_rules_is_told_so(tcp, connect, cause, data):
    gate = tcp(1)
    good = connect(gate)
    good.hear_csm()
    bad = connect(gate, csm=None)
    bad.send(data)
    csm, abort = bad.ends()
    assert (csm.code, abort.code) == (CSM, ABORT) and abort.payload
    assert abort.all(BAD_CSM_OPTION) == ([b"\x05"] if cause == "option" else [])
    assert figure(gate, "tcp_aborted_total", cause=cause) == 1
    good.gather(good.ask("lights/light"), 1)


def test_a_client_that_does_not_read_is_not_listened_to(tcp, connect):
    gate = tcp(1)
    deaf, good = connect(gate, buffer=4096), connect(gate)
    good.hear_csm()
    deaf.socket.setblocking(False)
    many, sent, heard = emit(GET, b"x" * 8, path_options(".well-known/core")) * 500, 0, -1
    while heard != (heard := figure(gate, "tcp_requests_total")):
        try:
            while True:
                sent += deaf.socket.send(many)
        except BlockingIOError:
            time.sleep(0.3)
    assert 0 < heard < sent / len(many) * 500
    good.gather(good.ask("lights/light", timeout=1), 1)
    assert figure(gate, "tcp_requests_total") == heard + 1


def test_half_open_connections_keep_nobody_out(tcp, connect):
    gate = tcp(1)
    silent = [socket.create_connection(to) for to in (gate.to, ("127.0.0.1", gate.tls_port)) for _ in range(600)]
    wait_for(lambda: figure(gate, "tcp_accepted_total") == 1200)
    assert figure(gate, "tcp_connections") == 1024
    assert figure(gate, "tcp_refused_total") == 176
    other = connect(gate, address="127.0.0.9")
    other.hear_csm()
    other.gather(other.ask("lights/light"), 1)
    assert figure(gate, "tcp_ended_total", cause="room") == 1
    for one in silent:
        one.close()
    wait_for(lambda: figure(gate, "tcp_connections") == 1)
