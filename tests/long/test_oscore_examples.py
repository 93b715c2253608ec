"""The OSCORE library by its example programs against aiocoap, which was written independently: each asks the other, in both modes and with
several algorithms. aiocoap comes as test_aiocoap.py has it; its side is tests/interop/aiocoap_peer.py."""

import subprocess

import pytest

from conftest import TOP, Program
from oscore_library import begin_numbers, examples, installed, start_member  # noqa: F401, the fixtures
from protected import Keys
from test_aiocoap import aiocoap, python  # noqa: F401, the fixtures

PEER = TOP / "tests/interop/aiocoap_peer.py"
ALGORITHMS = {
    "Ed25519, AES-CCM": [],
    "Ed25519, ChaCha20/Poly1305": ["--alg-group-enc", "24", "--alg-aead", "24"],
    "ES256, AES-CCM": ["--alg-signature", "-7"],
}


@pytest.fixture(params=ALGORITHMS)
def keys(request, tmp_path, group):
    """Of two members. Whoever asks does so by the gateway's key, the one that aiocoap's members know; no gateway is here."""
    made = Keys(tmp_path / "keys", 2, group.port, *ALGORITHMS[request.param])
    begin_numbers(made)
    return made


@pytest.fixture
def client(examples, keys, group):  # noqa: F811
    def ask(destination, path, count, *member):
        words = [examples / "client", keys.gateway, "lo", destination, str(group.port), path, str(count), *member]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
        return done.returncode, sorted(done.stdout.splitlines()), done.stderr

    return ask


@pytest.mark.parametrize("windows", [[], ["--window-lost"]])
@pytest.mark.parametrize("mode", ["group", "pairwise"])
def test_example_client_asks_aiocoap(client, keys, python, group, tmp_path, mode, windows):  # noqa: F811
    """Also where aiocoap asks first whether the request is fresh (Echo)."""
    words = python(PEER, "serve", keys.group, "--group", f"{group.address}:{group.port}", "--bind", "127.1.0.1", "--mode", mode, *windows)
    members = Program(words, tmp_path / "aiocoap.log", stdout=subprocess.PIPE, text=True)
    assert members.process.stdout.readline() == "ready 2\n", members.log()
    first = "pairwise" if windows else mode  # what answers the request with the Echo value, which is in pairwise mode
    assert client(group.address, "status", 2) == (0, [f"{name} {first} 2.05 {name} has GET /status" for name in ("11", "12")], "")
    assert client(group.address, "status", 2) == (0, [f"{name} {mode} 2.05 {name} has GET /status" for name in ("11", "12")], "")
    assert client("127.1.0.2", "status", 1, "12") == (0, ["12 pairwise 2.05 12 has GET /status"], "")
    members.process.kill()
    members.process.wait()
    members.process.stdout.close()


def test_aiocoap_asks_example_members(client, start_member, keys, python, group):  # noqa: F811
    """Group requests, which one member answers in group and one in pairwise mode, and a pairwise one. Our client comes first, since
    aiocoap has no Echo for groups."""
    start_member("11")
    start_member("12", "pairwise")
    assert client(group.address, "light", 2)[0] == 0

    def ask(*words):
        asked = python(PEER, "ask", keys.group, "--group", f"{group.address}:{group.port}", *words)
        done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return sorted(done.stdout.splitlines())

    assert ask("--count", "2") == ["11 group 4.04 Not Found ", "12 pairwise 4.04 Not Found "]
    assert ask("--count", "1", "--unicast", f"127.1.0.1:{group.port}") == ["the one asked pairwise 4.04 Not Found "]
