"""CoAP clients over DTLS: who is known by a key or a certificate, sessions that outlive what happens to them, and what strangers
send to the port. libcoap's client at the other end, and OpenSSL's where a session has to stay."""

import os
import secrets
import socket
import subprocess
import time

import pytest

import pki
from coap import CON, GET, MULTICAST_TIMEOUT, URI_PATH, Message
from conftest import free_udp_port, plain_mapping
from pki import authority, server, stranger  # noqa: F401
from probe import log_lines, metrics, running, wait_for

KEY = "0123456789abcdef"


@pytest.fixture
def secure(members, gateway, tmp_path):
    """secure(…): a gateway that listens by DTLS, before a fleet; the client "d" has KEY. .port is where."""
    key = tmp_path / "d.key"
    key.write_text(KEY)
    key.chmod(0o600)

    def start(count=3, tls=None, clients=None, grants=("d",)):
        fleet = members(count)
        port = free_udp_port()
        known = {"d": {"psk": {"identity": "d", "key_file": str(key)}}} if clients is None else clients
        gate = gateway({"coap": {"listen": [f"coaps://127.0.0.1:{port}"], **({"tls": tls} if tls else {})},
                        "group": {"interface": "lo", "nstart": 1000, "probing_rate": 1000000}, "clients": known,
                        "mappings": [plain_mapping(fleet, clients=list(grants), max_timeout=30)]})
        gate.port, gate.key = port, key
        return gate

    return start


def certified(server, ca=None):
    return {"certificate": str(server[0]), "key": str(server[1]), **({"client_ca": str(ca.certificate)} if ca else {})}


def with_key(identity="d", key=KEY):
    return ["-u", identity, "-k", key]


def with_certificate(folder, authority, issued):
    """coap-client wants the certificate and its key in one file."""
    both = folder / "client.pem"
    both.write_text(issued[0].read_text() + issued[1].read_text())
    return ["-c", both, "-C", authority.certificate]


def ask(gate, *arguments, wait=5, path="lights/light"):
    """What libcoap's client says of its request and the first response."""
    out = subprocess.run(["coap-client-openssl", "-m", "get", "-O", "2,\x01", "-B", str(wait), "-v", "6", *map(str, arguments),
                          f"coaps://127.0.0.1:{gate.port}/{path}"], capture_output=True, timeout=30)
    return (out.stdout + out.stderr).decode(errors="replace")


def figure(gate, name):
    return metrics(gate)[f"castgate_coap_dtls_{name}"]


class Session:
    """OpenSSL's own client, which sends what it is told as a record and prints what comes."""

    def __init__(self, gate, identity="d", key=KEY):
        self.process = subprocess.Popen(["openssl", "s_client", "-dtls1_2", "-quiet", "-connect", f"127.0.0.1:{gate.port}",
                                         "-psk", key.encode().hex(), "-psk_identity", identity, "-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        os.set_blocking(self.process.stdout.fileno(), False)

    def send(self, message):
        self.process.stdin.write(message.emit())
        self.process.stdin.flush()

    def hear(self, until, timeout=10):
        """Everything until it has what is looked for."""
        heard = b""

        def more():
            nonlocal heard
            heard += self.process.stdout.read() or b""
            return until(heard)

        wait_for(more, timeout)
        return heard

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def session():
    started = []

    def start(*arguments, **more):
        started.append(Session(*arguments, **more))
        return started[-1]

    yield start
    for one in started:
        one.close()


def request(token, mid):
    return Message(type=CON, code=GET, mid=mid, token=token,
                   options=[(MULTICAST_TIMEOUT, b"\x01"), (URI_PATH, b"lights"), (URI_PATH, b"light")])


# ---- Keys ----


def test_a_client_with_a_key(secure):
    gate = secure()
    said = ask(gate, *with_key())
    assert "c:2.05" in said, said
    (line,) = wait_for(lambda: log_lines(gate, "exchange"))
    assert line["client"] == "d"
    assert 1 <= int(line["answered"]) <= 3  # libcoap's client leaves with the first
    assert figure(gate, "opened_total") == 1


@pytest.mark.parametrize("identity,key", [("d", "0123456789abcdeX"), ("nobody", KEY)])
def test_a_client_with_no_good_key(secure, capture, identity, key):
    gate = secure()
    seen = capture()
    said = ask(gate, *with_key(identity, key), wait=3)
    assert "c:2.05" not in said and "c:4.01" not in said, said
    assert figure(gate, "opened_total") == 0
    assert seen.messages() == []
    assert KEY not in gate.log()


def test_every_answer_comes_in_the_session(secure, session):
    gate = secure(3)
    one, token = session(gate), secrets.token_bytes(8)
    one.send(request(token, 7))
    one.hear(lambda heard: heard.count(token) == 3)
    (line,) = wait_for(lambda: log_lines(gate, "exchange"))
    assert (line["client"], line["answered"]) == ("d", "3")


def test_a_client_that_comes_again_from_its_port(secure):
    """It has forgotten its session, and the gateway has not (RFC 6347 §4.2.8)."""
    gate = secure()
    port = free_udp_port()
    for count in (1, 2):
        said = ask(gate, "-p", port, *with_key())
        assert "c:2.05" in said, said
        assert figure(gate, "opened_total") == count


# ---- Certificates ----


def test_a_client_with_a_certificate(secure, authority, server, tmp_path):
    issued = authority.issue("d")
    gate = secure(tls=certified(server, authority), clients={"d": {"certificate_sha256": pki.fingerprint(issued[0])}})
    said = ask(gate, *with_certificate(tmp_path, authority, issued))
    assert "c:2.05" in said, said
    (line,) = wait_for(lambda: log_lines(gate, "exchange"))
    assert line["client"] == "d"


@pytest.mark.parametrize("fault", ["another CA's", "expired", "a server's", "nobody's"])
def test_a_certificate_that_proves_nothing(secure, capture, authority, stranger, server, tmp_path, fault):
    """Also where everybody may ask: it is a mistake that should show."""
    issued = {"another CA's": lambda: stranger.issue("other"), "expired": lambda: authority.issue("old", expired=True),
              "a server's": lambda: authority.issue("wrong", "serverAuth"), "nobody's": lambda: authority.issue("nobody")}[fault]()
    known = authority.issue("known")[0] if fault == "nobody's" else issued[0]
    gate = secure(tls=certified(server, authority), clients={"d": {"certificate_sha256": pki.fingerprint(known)}},
                  grants=("d", "anonymous"))
    seen = capture()
    said = ask(gate, *with_certificate(tmp_path, authority, issued))
    assert "c:4.01" in said and "certificate" in said, said
    assert seen.messages() == []


def test_a_client_without_certificate_is_nobody(secure, authority, server):
    gate = secure(tls=certified(server, authority), grants=("d",))
    assert "c:4.01" in ask(gate, "-C", authority.certificate)
    gate = secure(tls=certified(server), grants=("anonymous",), clients={})
    assert "c:2.05" in ask(gate, "-C", authority.certificate)


# ---- Settings that change ----


def test_a_reload_leaves_sessions_alone_but_those_that_lost_their_right(secure, session, authority, server, tmp_path):
    other_key = tmp_path / "e.key"
    other_key.write_text(KEY)
    other_key.chmod(0o600)
    gate = secure(tls=certified(server), grants=("d", "e"), clients={
        "d": {"psk": {"identity": "d", "key_file": str(tmp_path / "d.key")}},
        "e": {"psk": {"identity": "e", "key_file": str(other_key)}}})
    stays, goes = session(gate, "d"), session(gate, "e")
    for one in (stays, goes):
        token = secrets.token_bytes(8)
        one.send(request(token, 1))
        one.hear(lambda heard: heard.count(token) == 3)
    other_key.write_text(KEY[::-1])
    gate.reload(gate.settings)
    wait_for(lambda: figure(gate, "sessions") == 1)
    wait_for(lambda: goes.process.poll() is not None)  # it was told
    token = secrets.token_bytes(8)
    stays.send(request(token, 2))
    stays.hear(lambda heard: heard.count(token) == 3)
    assert figure(gate, "opened_total") == 2
    assert "c:2.05" in ask(gate, *with_key("e", KEY[::-1]))


def test_a_certificate_that_is_renewed(secure, authority, stranger, server, tmp_path):
    files = tmp_path / "crt", tmp_path / "key"
    for file, content in zip(files, server):
        file.write_text(content.read_text())
        file.chmod(0o600)
    gate = secure(tls=certified(files), grants=("anonymous",), clients={})
    assert "c:2.05" in ask(gate, "-C", authority.certificate)
    files[0].write_text("no certificate")
    gate.reload(gate.settings)
    wait_for(lambda: [line for line in log_lines(gate, "reload") if "the certificate in use stays" in line.get("msg", "")])
    assert "c:2.05" in ask(gate, "-C", authority.certificate)
    for file, content in zip(files, stranger.issue("server", "serverAuth")):
        file.write_text(content.read_text())
    gate.reload(gate.settings)
    wait_for(lambda: "c:2.05" in ask(gate, "-C", stranger.certificate), pause=0.2)


# ---- Strangers ----


def test_what_strangers_send_costs_nobody_anything(secure, session):
    gate = secure(1)
    one, token = session(gate), secrets.token_bytes(8)
    one.send(request(token, 1))
    one.hear(lambda heard: heard.count(token) == 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.settimeout(1)
        for i in range(500):
            head = b"\x16\xfe\xfd" + bytes(8) if i % 2 else b"\x17\xfe\xfd\x00\x01" + bytes(6)
            stranger.sendto(head + os.urandom(i % 300), ("127.0.0.1", gate.port))
        stranger.sendto(b"", ("127.0.0.1", gate.port))
        stranger.sendto(bytes(60000), ("127.0.0.1", gate.port))
        with pytest.raises(TimeoutError):
            stranger.recv(2000)
    wait_for(lambda: figure(gate, "strays_total") >= 250)
    token = secrets.token_bytes(8)
    one.send(request(token, 2))
    one.hear(lambda heard: heard.count(token) == 1)
    wait_for(lambda: running(gate) == 0)
    assert (figure(gate, "handshakes"), figure(gate, "sessions")) == (0, 1)


def test_plain_coap_to_the_port_of_dtls_is_not_answered(secure, capture):
    gate = secure(1)
    seen = capture()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.settimeout(1)
        plain.sendto(request(b"t", 1).emit(), ("127.0.0.1", gate.port))
        with pytest.raises(TimeoutError):
            plain.recv(2000)
    assert seen.messages() == []


def test_the_end_says_goodbye(secure, session):
    gate = secure(1)
    one, token = session(gate), secrets.token_bytes(8)
    one.send(request(token, 1))
    one.hear(lambda heard: heard.count(token) == 1)
    started = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - started < 20
    wait_for(lambda: one.process.poll() is not None)
