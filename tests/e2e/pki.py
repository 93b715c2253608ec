"""Certificates for tests, made with the openssl program, and HTTPS requests with them."""

import hashlib
import http.client
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from conftest import Reply


def openssl(*arguments, **more):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, **more)


class Authority:
    """A CA in a folder of its own."""

    def __init__(self, folder, name="test CA"):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True)
        self.certificate = self.folder / "ca.crt"
        self._key = self.folder / "ca.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3", "-subj",
                f"/CN={name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self._key, "-out", self.certificate)

    def issue(self, name, purpose="clientAuth", expired=False, key_type="ec", seconds=None):
        """(certificate file, key file) for localhost and 127.0.0.1. `seconds`: for how long from now it is good."""
        certificate, key, request = (self.folder / f"{name}.{end}" for end in ("crt", "key", "csr"))
        kind = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["rsa:2048"], "ed25519": ["ed25519"]}[key_type]
        openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"extendedKeyUsage={purpose}\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n"
                              "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        # "openssl ca" can set both dates; it wants a database.
        database = self.folder / f"{name}.db"
        database.write_text("")
        settings = self.folder / f"{name}.cnf"
        settings.write_text(f"[ca]\ndefault_ca=x\n[x]\ndatabase={database}\nnew_certs_dir={self.folder}\nrand_serial=yes\n"
                            "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
        start, end = ("20200101000000Z", "20200201000000Z") if expired else ("20200101000000Z", "20990101000000Z")
        if seconds is not None:
            end = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))
        openssl("ca", "-batch", "-notext", "-config", settings, "-cert", self.certificate, "-keyfile", self._key, "-in",
                request, "-out", certificate, "-startdate", start, "-enddate", end, "-extfile", extensions)
        key.chmod(0o600)
        return certificate, key


def fingerprint(certificate):
    """certificate_sha256 as the settings have it."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(Path(certificate).read_text())).hexdigest()


def context(ca, client=None, version=None):
    made = ssl.create_default_context(cafile=str(ca.certificate))
    if client is not None:
        made.load_cert_chain(*client)
    if version is not None:
        made.minimum_version = made.maximum_version = version
    return made


def connect(address, tls, timeout=10):
    return tls.wrap_socket(socket.create_connection(address, timeout=timeout), server_hostname="localhost")


def serial(address, tls):
    """The serial number of the certificate that the server shows."""
    with connect(address, tls) as s:
        return s.getpeercert()["serialNumber"]


def request(address, tls, path, method="GET", headers=None, body=None):
    """One HTTPS request on a connection of its own."""
    connection = http.client.HTTPSConnection("localhost", address[1], timeout=20, context=tls)
    start = time.monotonic()
    try:
        connection.request(method, path, body=body, headers=headers or {})
        response = connection.getresponse()
        return Reply(response.status, response.headers, response.read(), time.monotonic() - start)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("pki") / "ca")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    """Another CA of the same name."""
    return Authority(tmp_path_factory.mktemp("pki") / "stranger")


@pytest.fixture(scope="module")
def server(authority):
    return authority.issue("server", "serverAuth")
