"""TLS on the HTTP listeners: who is known by a certificate, what is refused, and certificates that are renewed."""

import hashlib
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time

import pytest

import pki
from conftest import BUILD, free_tcp_port, plain_mapping
from pki import authority, server, stranger  # noqa: F401
from probe import Later, Tap, check_problem, running, silent_mapping, wait_for

NOW = {"Multicast-Timeout": "0"}
TOKEN = {"Authorization": "Bearer d-token"}


@pytest.fixture(scope="module")
def dashboard(authority):
    return authority.issue("dashboard")


def https(certificate, ca=None, **more):
    tls = {"certificate": str(certificate[0]), "key": str(certificate[1])}
    if ca is not None:
        tls["client_ca"] = str(ca.certificate)
    return {"listen": [f"127.0.0.1:{free_tcp_port()}"], "tls": tls, **more}


@pytest.fixture
def secure(gateway, group, authority, server, dashboard):
    """A gateway with TLS that knows the client "dashboard" by token or certificate."""
    clients = {"dashboard": {"token_sha256": hashlib.sha256(b"d-token").hexdigest(),
                             "certificate_sha256": pki.fingerprint(dashboard[0])}}
    return gateway({"http": https(server, authority), "clients": clients, "mappings": [
        silent_mapping(group, "closed", clients=["dashboard"]), silent_mapping(group, "open")]})


@pytest.mark.parametrize("key_type", ["ec", "rsa", "ed25519"])
def test_requests_over_tls(members, gateway, authority, key_type):
    fleet = members(3)
    certificate = authority.issue(f"server-{key_type}", "serverAuth", key_type=key_type)
    gate = gateway({"http": https(certificate), "mappings": [plain_mapping(fleet)]})
    tls = pki.context(authority)
    reply = pki.request(gate.http, tls, "/lights/status")
    assert (reply.status, reply.summary["answered"]) == (200, 3)
    # Several requests on one connection, all forms of replies, a large body.
    connection = http.client.HTTPSConnection("localhost", gate.http[1], timeout=20, context=tls)
    for accept, kind in (("application/json", "application/json"), ("text/event-stream", "text/event-stream"),
                         ("multipart/mixed", "multipart/mixed")) * 2:
        connection.request("GET", "/lights/status", headers={"Accept": accept})
        reply = connection.getresponse()
        reply.read()
        assert (reply.status, reply.headers.get_content_type()) == (200, kind)
    connection.request("POST", "/lights/x", b"?" * 1024, {"X-HTTP-Method-Override": "FETCH", "Expect": "100-continue"} | NOW)
    assert connection.getresponse().status == 204
    connection.close()


def test_a_certificate_makes_a_client_known(secure, group, authority, dashboard):
    with Tap(group) as tap:
        tls = pki.context(authority, dashboard)
        assert pki.request(secure.http, tls, "/closed/x", headers=NOW).status == 204
        assert len(tap.packets()) == 1
    assert 'client=dashboard' in secure.log()


def test_no_certificate_is_no_client(secure, authority):
    tls = pki.context(authority)
    check_problem(pki.request(secure.http, tls, "/closed/x", headers=NOW), 401, "unauthorized")
    assert pki.request(secure.http, tls, "/open/x", headers=NOW).status == 204


def test_a_token_works_with_and_without_certificate(secure, authority, stranger):
    assert pki.request(secure.http, pki.context(authority), "/closed/x", headers=NOW | TOKEN).status == 204
    # The token decides where there are both.
    tls = pki.context(authority, stranger.issue("somebody"))
    assert pki.request(secure.http, tls, "/closed/x", headers=NOW | TOKEN).status == 204
    check_problem(pki.request(secure.http, tls, "/closed/x", headers=NOW | {"Authorization": "Bearer no"}), 401, "unauthorized")


@pytest.mark.parametrize("path", ["/closed/x", "/open/x", "/.well-known/core"])
@pytest.mark.parametrize("what, detail", [("other CA", "issuer"), ("expired", "expired"), ("server's", "purpose"),
                                          ("not in the settings", "certificate_sha256")])
def test_a_certificate_that_proves_nothing_is_refused(secure, group, authority, stranger, path, what, detail):
    """The handshake succeeds, so that the client is told why. Refused where anonymous clients are taken, too."""
    client = {"other CA": lambda: stranger.issue("dashboard"), "expired": lambda: authority.issue("old", expired=True),
              "server's": lambda: authority.issue("web", "serverAuth"),
              "not in the settings": lambda: authority.issue("another")}[what]()
    with Tap(group) as tap:
        problem = check_problem(pki.request(secure.http, pki.context(authority, client), path, headers=NOW), 401, "unauthorized")
        assert detail in problem["detail"]
        if what == "not in the settings":
            assert pki.fingerprint(client[0]) in problem["detail"]
        assert tap.packets(0.05) == []


def test_a_certificate_that_expires_on_an_open_connection_is_refused(gateway, group, authority, server):
    """It was good when the connection began, and when it was checked first."""
    end = time.time() + 8
    short = authority.issue("short", seconds=8)
    gate = gateway({"http": https(server, authority), "clients": {"short": {"certificate_sha256": pki.fingerprint(short[0])}},
                    "mappings": [silent_mapping(group, "closed", clients=["short"])]})
    connection = http.client.HTTPSConnection("localhost", gate.http[1], timeout=20, context=pki.context(authority, short))
    statuses = []
    connection.connect()
    first = connection.sock
    while time.time() < end + 2:
        connection.request("GET", "/closed/x", headers=NOW)
        reply = connection.getresponse()
        reply.read()
        assert connection.sock is first
        statuses.append(reply.status)
        assert reply.status == 204 or time.time() > end - 1
        time.sleep(0.2)
    assert statuses[:3] == [204] * 3 and statuses[-3:] == [401] * 3
    connection.close()


def test_certificates_are_not_asked_for_without_a_ca(gateway, group, authority, server, dashboard):
    gate = gateway({"http": https(server), "mappings": [silent_mapping(group, "closed", clients=["dashboard"])],
                    "clients": {"dashboard": {"certificate_sha256": pki.fingerprint(dashboard[0])}}})
    reply = pki.request(gate.http, pki.context(authority, dashboard), "/closed/x", headers=NOW)
    check_problem(reply, 401, "unauthorized")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_only_tls_1_2_and_1_3_with_forward_secrecy(secure, authority):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        with pki.connect(secure.http, pki.context(authority, version=version)) as s:
            assert s.version() == {ssl.TLSVersion.TLSv1_2: "TLSv1.2", ssl.TLSVersion.TLSv1_3: "TLSv1.3"}[version]
            assert "GCM" in s.cipher()[0] or "POLY1305" in s.cipher()[0]
    old = pki.context(authority)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    weak = pki.context(authority, version=ssl.TLSVersion.TLSv1_2)
    weak.set_ciphers("AES128-SHA:AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0")
    for tls in (old, weak):
        with pytest.raises((ssl.SSLError, ConnectionError)):
            pki.connect(secure.http, tls).close()
    assert pki.request(secure.http, pki.context(authority), "/open/x", headers=NOW).status == 204


NO_TLS = {"a plain request": b"GET /open/x HTTP/1.1\r\nHost: localhost\r\n\r\n", "a cut hello": b"\x16\x03\x01\x02\x00\x01\x00",
          "a huge record": b"\x16\x03\x03\xff\xff" + bytes(65535), "SSL 2": b"\x80\x2e\x01\x00\x02",
          "random bytes": os.urandom(4000), "nothing": b""}


@pytest.mark.parametrize("bytes_sent", NO_TLS.values(), ids=NO_TLS.keys())
def test_what_is_no_tls_ends_its_connection_only(secure, group, authority, bytes_sent):
    with Tap(group) as tap:
        with socket.create_connection(secure.http, timeout=20) as s:
            try:
                s.sendall(bytes_sent)
                s.shutdown(socket.SHUT_WR)
                while s.recv(4096):
                    pass
            except ConnectionError:
                pass
        assert tap.packets(0.05) == []
    assert secure.running()
    assert pki.request(secure.http, pki.context(authority), "/open/x", headers=NOW).status == 204


def test_tls_on_a_plain_listener_is_no_request(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group)]})
    with pytest.raises((ssl.SSLError, ConnectionError)):
        pki.connect(gate.http, ssl._create_unverified_context()).close()
    assert gate.request("/silent/x", headers=NOW).status == 204


def test_a_client_that_leaves_during_a_request(secure, authority):
    with pki.connect(secure.http, pki.context(authority)) as s:
        s.sendall(b"GET /open/x HTTP/1.1\r\nHost: localhost\r\nMulticast-Timeout: 20\r\n\r\n")
        wait_for(lambda: "event=ready" in secure.log())
        s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            s.recv(1)
    wait_for(lambda: "ended_by=client" in secure.log())


def renew(server, authority, name):
    """Replaces the files' contents; returns the new certificate's serial number."""
    fresh = authority.issue(name, "serverAuth")
    for old, new in zip(server, fresh):
        shutil.copy(new, old)
    out = subprocess.run(["openssl", "x509", "-in", server[0], "-noout", "-serial"], check=True, capture_output=True, text=True)
    return out.stdout.strip().partition("=")[2]


@pytest.mark.parametrize("side", ["http", "admin"])
def test_sighup_takes_renewed_certificates(gateway, group, authority, side):
    server = authority.issue(f"renewed-{side}", "serverAuth")
    settings = {side: https(server, authority), "mappings": [silent_mapping(group)]}
    gate = gateway(settings)
    address, tls = getattr(gate, side), pki.context(authority)
    before = pki.serial(address, tls)
    path = "/silent/x" if side == "http" else "/healthz"
    connection = http.client.HTTPSConnection("localhost", address[1], timeout=20, context=tls)

    def ask():
        connection.request("GET", path, headers=NOW)
        reply = connection.getresponse()
        reply.read()
        return reply.status

    assert ask() in (200, 204)
    old_socket = connection.sock
    pending = Later(pki.request, address, tls, "/silent/y", headers={"Multicast-Timeout": "2"}) if side == "http" else None
    if pending:
        wait_for(lambda: running(gate) == 1)
    after = renew(server, authority, f"renewed2-{side}")
    assert after != before
    gate.reload(gate.settings)
    wait_for(lambda: pki.serial(address, tls) == after)
    assert ask() in (200, 204) and connection.sock is old_socket  # the old connection goes on
    connection.close()
    if pending:
        assert pending.result().status == 204

    # A file that is no good changes nothing, and the log says which and why.
    server[0].write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
    gate.reload(gate.settings)
    wait_for(lambda: "the certificate in use stays" in gate.log())
    line = next(line for line in gate.log().splitlines() if "the certificate in use stays" in line)
    assert "level=error" in line and str(server[0]) in line
    assert pki.serial(address, tls) == after
    another = authority.issue(f"mismatch-{side}", "serverAuth")
    shutil.copy(another[0], server[0])
    gate.reload(gate.settings)
    wait_for(lambda: "not the key of the certificate" in gate.log())
    assert pki.serial(address, tls) == after


def test_sighup_takes_another_client_ca_and_other_file_names(gateway, group, authority, stranger, server, dashboard):
    theirs = stranger.issue("theirs")
    clients = {"dashboard": {"certificate_sha256": pki.fingerprint(dashboard[0])},
               "theirs": {"certificate_sha256": pki.fingerprint(theirs[0])}}
    gate = gateway({"http": https(server, authority), "clients": clients, "mappings": [
        silent_mapping(group, "closed", clients=["dashboard", "theirs"])]})
    ask = lambda who: pki.request(gate.http, pki.context(authority, who), "/closed/x", headers=NOW).status
    assert (ask(dashboard), ask(theirs)) == (204, 401)
    tls = {"tls": {**gate.settings["http"]["tls"], "client_ca": str(stranger.certificate)}}
    gate.reload({**gate.settings, "http": {**gate.settings["http"], **tls}})
    wait_for(lambda: ask(theirs) == 204)
    assert ask(dashboard) == 401
    # Turned off in the file: not without a restart.
    gate.reload({**gate.settings, "http": {"listen": gate.settings["http"]["listen"]}})
    wait_for(lambda: "restart" in gate.log())
    assert ask(theirs) == 204


@pytest.mark.parametrize("fault, why", [("missing", "cannot be read"), ("shared", "chmod 600"), ("mismatch", "not the key"),
                                        ("nonsense", "key"), ("empty ca", "ca.crt"), ("no certificate", "server.crt")])
def test_bad_files_stop_the_start(tmp_path, authority, fault, why):
    """With the file's name and the reason."""
    certificate, key = (shutil.copy(f, tmp_path / f.name) for f in authority.issue(f"start-{fault[:4]}", "serverAuth"))
    certificate = shutil.move(certificate, tmp_path / "server.crt")
    key = shutil.move(key, tmp_path / "server.key")
    ca = tmp_path / "ca.crt"
    shutil.copy(authority.certificate, ca)
    named = {"missing": key, "shared": key, "mismatch": key, "nonsense": key, "empty ca": ca, "no certificate": certificate}[fault]
    if fault == "missing":
        key.unlink()
    elif fault == "shared":
        key.chmod(0o640)
    elif fault == "mismatch":
        shutil.copy(authority.issue("start-other", "serverAuth")[1], key)
    elif fault == "nonsense":
        key.write_text("no key\n")
    elif fault == "empty ca":
        ca.write_text("\n")
    else:
        certificate.write_text("")
    file = tmp_path / "castgate.json"
    file.write_text(json.dumps({"http": {**https((certificate, key)), "tls": {"certificate": "server.crt", "key": "server.key",
                                                                           "client_ca": "ca.crt"}},
                                "admin": {"listen": []}, "state": "."}))
    done = subprocess.run([BUILD / "castgate", "-c", file], capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    line = next(line for line in done.stderr.splitlines() if "event=start" in line)
    assert str(named) in line and why in line


def test_a_shared_key_file_when_the_settings_say_so(gateway, group, authority):
    server = authority.issue("container", "serverAuth")
    server[1].chmod(0o644)
    gate = gateway({"http": https(server), "key_files_may_be_shared": True, "mappings": [silent_mapping(group)]})
    assert pki.request(gate.http, pki.context(authority), "/silent/x", headers=NOW).status == 204
