"""Secrets are wiped before their memory is given back: every block that is freed is searched for the keys, what is derived from
them, tokens, and all of that as text (preload/wiping.c), over start, requests, reload, rekey and stop, and in castgate-keys. That
the secrets are the right ones is seen in the memory of the running gateway, which needs them."""

import hashlib
import hmac
import json
import os
import re
import subprocess

import pytest

import pki
from conftest import BUILD, Gateway, free_tcp_port, plain_mapping
from preloaded import PRELOAD, environment
from protected import AUTHORIZED, TOKEN, Keys, ProtectedMembers, make_state, settings
from probe import wait_for
from test_protected import memory_of

GIVEN_BACK_UNWIPED = re.compile(r"^found (\S+) ", re.M)


def cbor_head(major, value):
    return bytes([major << 5 | value]) if value < 24 else bytes([major << 5 | 24, value])


def derive(keys, identity, kind, length):
    """HKDF as RFC 8613 §3.2.1 has it, with SHA-256 and algorithm 10."""
    common = keys["common"]
    gid, ikm, salt = (bytes.fromhex(common[name]) for name in ("gid", "master_secret", "master_salt"))
    info = b"".join([cbor_head(4, 5), cbor_head(2, len(identity)), identity, cbor_head(2, len(gid)), gid, cbor_head(0, 10),
                     cbor_head(3, len(kind)), kind.encode(), cbor_head(0, length)])
    extracted = hmac.new(salt, ikm, hashlib.sha256).digest()
    return hmac.new(extracted, info + b"\1", hashlib.sha256).digest()[:length]


def secrets_of(name, file):
    """{name: bytes} of a gateway's key file: what it says and what comes of it."""
    keys = json.loads(file.read_text())
    own = bytes.fromhex(keys["self"]["sender_id"])
    found = {"master-secret": bytes.fromhex(keys["common"]["master_secret"]),
             "private-key": bytes.fromhex(keys["self"]["private_key"]),
             "sender-key": derive(keys, own, "Key", 16),
             "signature-encryption-key": derive(keys, b"", "SEKey", 16)}
    for peer in keys["peers"]:
        found[f"recipient-key-{peer}"] = derive(keys, bytes.fromhex(peer), "Key", 16)
    for text in "master-secret", "private-key":
        found[text + "-as-text"] = found[text].hex().encode()
    return {f"{name}-{key}": value for key, value in found.items()}


class Watch:
    """What is started in its environment is searched for these secrets."""

    def __init__(self, folder, secrets):
        self.secrets = secrets
        self.list, self.found = folder / "secrets", folder / "found"
        self.list.write_text("".join(f"{name} {value.hex()}\n" for name, value in secrets.items()))

    def environment(self):
        return environment(LD_PRELOAD=PRELOAD / "wiping.so", CASTGATE_TEST_SECRETS=self.list, CASTGATE_TEST_FOUND=self.found)

    def check(self):
        text = self.found.read_text() if self.found.exists() else ""
        assert not text, f"{sorted(set(GIVEN_BACK_UNWIPED.findall(text)))}\n{symbols(text)[:6000]}"


def symbols(text):
    """The program's own places, by name."""

    def named(match):
        out = subprocess.run(["addr2line", "-f", "-e", match[1], match[2]], capture_output=True, text=True).stdout
        return out.split("\n")[0]

    return re.sub(rf"^({re.escape(str(BUILD))}\S*)\(\+(0x[0-9a-f]+)\)\S*", named, text, flags=re.M)


def test_the_watch_sees_what_is_not_wiped(tmp_path):
    """A program that frees a secret as it is: cat, whose buffer the file went through."""
    secret = b"some secret that nobody wipes"
    watch = Watch(tmp_path, {"secret": secret})
    (tmp_path / "file").write_bytes(secret * 3)
    with watch.environment():
        subprocess.run(["sort", tmp_path / "file"], check=True, stdout=subprocess.DEVNULL)
    assert "found secret " in watch.found.read_text()


@pytest.fixture
def scene(tmp_path, members, new_group):
    """Plain and protected groups, two epochs of keys; ends what it started."""

    class Scene:
        pass

    scene, started = Scene(), []
    scene.plain = members(2, bind="127.1.0.1")
    scene.group = new_group()
    scene.keys = Keys(tmp_path / "keys", 3, scene.group.port, name="locks", first="127.2.0.1")
    scene.next_keys = scene.keys.rekeyed(tmp_path / "next")
    started.append(ProtectedMembers(scene.keys, scene.group, 3, "127.2.0.1", ["--mode", "pairwise"], tmp_path / "locks.log"))
    scene.state = make_state(tmp_path / "state", scene.keys, scene.next_keys)
    scene.secrets = {**secrets_of("now", scene.keys.gateway), **secrets_of("next", scene.next_keys.gateway), "token": TOKEN.encode()}

    def start(watch, **more):
        mappings = settings(scene.state, (scene.group, scene.keys))
        mappings["mappings"].append(plain_mapping(scene.plain, clients=["tester"]))
        with watch.environment():
            gate = Gateway({**mappings, **more}, tmp_path / "gate")
        started.append(gate)
        gate.wait()
        return gate

    scene.start = start
    yield scene
    for one in started:
        assert one.stop() == 0, one.log()[-3000:]


def reload_with(gate, **more):
    seen = len(gate.log())
    gate.reload({**gate.settings, **more})
    wait_for(lambda: "the settings are in use" in gate.log()[seen:])


def ask_everything(gate):
    for path in "/locks/status", "/locks/big", "/lights/status":
        for accept in "*/*", "application/json", "text/event-stream":
            assert gate.request(path, headers={"Accept": accept, **AUTHORIZED}).status == 200
    assert gate.request("/lights/status", headers={"Authorization": f"Bearer {TOKEN}x"}).status == 401
    assert gate.request("/nowhere", headers=AUTHORIZED).status == 404
    assert gate.request("/lights/status", "PUT", {**AUTHORIZED, "Content-Length": "1", "Transfer-Encoding": "chunked"}).status == 400


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_the_secrets_are_what_the_gateway_works_with(scene, tmp_path):
    gate = scene.start(Watch(tmp_path, {"nothing": b"\0none\0"}))
    ask_everything(gate)
    image = b"".join(data for _, data in memory_of(gate.process.pid))
    for name in "sender-key", "signature-encryption-key", "recipient-key-11", "private-key":
        assert scene.secrets[f"now-{name}"] in image, name


def test_no_secret_is_given_back_unwiped(scene, tmp_path):
    watch = Watch(tmp_path, scene.secrets)
    gate = scene.start(watch)
    ask_everything(gate)
    reload_with(gate)
    ask_everything(gate)
    prepared = {"locks": {"file": str(scene.keys.gateway), "next": str(scene.next_keys.gateway)}}
    reload_with(gate, security_groups=prepared)
    ask_everything(gate)
    reload_with(gate, security_groups={"locks": str(scene.next_keys.gateway)})
    gate.request("/locks/status", headers={**AUTHORIZED, "Multicast-Timeout": "0.1"})
    assert gate.stop() == 0
    watch.check()


def test_no_secret_of_tls_is_given_back_unwiped(scene, tmp_path):
    authority = pki.Authority(tmp_path / "ca")
    certificate, key = authority.issue("server", "serverAuth")
    body = "".join(line for line in key.read_text().splitlines() if "-----" not in line)
    out = subprocess.run(["openssl", "pkey", "-in", key, "-noout", "-text"], check=True, capture_output=True, text=True).stdout
    scalar = bytes.fromhex(re.sub(r"[\s:]", "", out.split("priv:")[1].split("pub:")[0]))[-32:]
    watch = Watch(tmp_path, {"tls-key": scalar, "tls-key-as-text": body[40:100].encode(), "token": TOKEN.encode()})
    tls = {"certificate": str(certificate), "key": str(key)}
    gate = scene.start(watch, http={"listen": [f"127.0.0.1:{free_tcp_port()}"], "tls": tls}, admin={"listen": []})
    context = pki.context(authority)
    assert pki.request(gate.http, context, "/lights/status", headers=AUTHORIZED).status == 200
    reload_with(gate)
    assert pki.request(gate.http, context, "/lights/status", headers=AUTHORIZED).status == 200
    assert gate.stop() == 0
    watch.check()


def test_castgate_keys_gives_no_secret_back_unwiped(tmp_path):
    """The keys of a group that is read: those of one that is made are known only afterwards."""
    keys = Keys(tmp_path / "keys", 3, 5683)
    group = keys.load()
    secrets = {"master-secret": bytes.fromhex(group["common"]["master_secret"])}

    def collect(name, value):
        if isinstance(value, dict):
            for key, one in value.items():
                collect(f"{name}-{key}", one)
        elif isinstance(value, list):
            for i, one in enumerate(value):
                collect(f"{name}-{i}", one)
        elif name.endswith("private_key"):
            secrets[name.strip("-")] = bytes.fromhex(value)

    collect("", group)
    assert len(secrets) == 6  # of three members, the gateway and the Group Manager
    secrets.update({f"{name}-as-text": value.hex().encode() for name, value in list(secrets.items())})
    watch = Watch(tmp_path, secrets)
    state = make_state(tmp_path / "state")
    with watch.environment():
        Keys.run("add", keys.folder, "--members", 1)
        Keys.run("rekey", keys.folder, "--evict", "11", "--replace")
        Keys.run("finish", keys.folder)
        Keys.run("claim", keys.gateway, "--state", state)
    watch.check()
