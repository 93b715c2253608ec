"""The document that describes the admin side is to be believed: every route of it, and requests made from it at random, find what it
says and nothing else. R20."""

import collections
import hashlib
import http.client
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import plain_mapping
from openapi import Document, Requests
from protected import Keys, ProtectedMembers, make_state, mapping, settings
from probe import wait_for

TOKEN = "the-administrators"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
CONNECTIONS = 4
COUNT = int(os.environ.get("CASTGATE_RANDOM_REQUESTS", "1000"))


@pytest.fixture
def admin(tmp_path, gateway, group, new_group, members):
    """A gateway with a secured group and a plain one in its settings, and something of every kind stored."""
    keys = Keys(tmp_path / "keys", 2, group.port)
    fleet = ProtectedMembers(keys, group, 2, "127.9.0.1", [], tmp_path / "protected.log")
    plain = members(3, group=new_group())
    state = make_state(tmp_path / "state", keys)
    seal = tmp_path / "seal"
    seal.write_bytes(os.urandom(32))
    seal.chmod(0o600)
    base = settings(state, (group, keys, {"timeout": 1}))
    root = {"token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "role": "admin"}
    gate = gateway({**base, "seal_key": str(seal), "clients": {**base["clients"], "root": root},
                    "mappings": [*base["mappings"], plain_mapping(plain, "plain", timeout=1)]})
    wait_for(lambda: gate.request("/readyz", to=gate.admin).status == 200)
    put(gate, "POST", "mappings", plain_mapping(plain, "stored", timeout=1))
    put(gate, "POST", "clients", {"name": "user", "role": "operator"})
    put(gate, "POST", "clients/user/tokens", {})
    put(gate, "POST", "security-groups", {"name": "made", "members": 2})
    put(gate, "POST", "try", {"mapping": "plain"})
    yield gate
    assert fleet.stop() == 0, fleet.log()


def put(gate, method, path, body):
    reply = gate.request(f"/admin/v1/{path}", method, {**BEARER, "Content-Type": "application/json"}, json.dumps(body).encode(),
                         to=gate.admin)
    assert reply.status in (200, 201), (path, reply.status, reply.body)


def ask(gate, path):
    return gate.request(f"/admin/v1/{path}", headers=BEARER, to=gate.admin).json()


def document_of(gate):
    return Document(gate.request("/admin/v1/openapi.json", to=gate.admin).json())


def names_of(gate):
    def names(path, key="name"):
        return [str(one[key]) for one in ask(gate, path)["items"]] + ["stored"]

    return {"mappings": names("mappings"), "clients": names("clients"), "security-groups": names("security-groups"),
            "reactions": ["r1", "r2"], "id": names("exchanges", "id") + [one["id"] for one in ask(gate, "clients/user/tokens")["items"]],
            "n": [1, 2, 3, 4, 99], "member": [*names("members"), "11", "12"], "mapping": names("mappings"),
            "security": ["none", "lights", "made"], "group": ["coap://224.0.1.187:5683", "coap://[ff35:30:2001:db8::1]"],
            "path": ["/a", "/b", "/stored", "/lights"], "method": ["GET", "PUT", "DELETE"], "timeout": [0, 1],
            "role": ["viewer", "operator"], "token_sha256": ["ab" * 32], "interface": ["lo"]}


class Connection:
    """Persistent, as programs' are; made anew where the other side has closed it."""

    def __init__(self, gate):
        self.gate, self.http = gate, None

    def ask(self, request, headers):
        for again in (True, False):
            try:
                if self.http is None:
                    self.http = http.client.HTTPConnection(*self.gate.admin, timeout=60)
                self.http.request(request.method, request.target, request.body, {**headers, **request.headers})
                response = self.http.getresponse()
                is_stream = response.headers.get("Content-Type", "").startswith("text/event-stream")
                body = b"" if is_stream else response.read()
                if is_stream or response.will_close:
                    self.close()
                return response.status, response.headers, body
            except (http.client.BadStatusLine, ConnectionError):
                self.close()
                if not again:
                    raise

    def close(self):
        if self.http:
            self.http.close()
        self.http = None


def memory_of(program):
    """Bytes that it holds."""
    line = next(one for one in Path(f"/proc/{program.process.pid}/status").read_text().splitlines() if one.startswith("VmRSS"))
    return int(line.split()[1]) << 10


class Attack:
    def __init__(self, gate, count):
        self.gate, self.count = gate, count
        self.document, self.names = document_of(gate), names_of(gate)
        self.misfits, self.statuses = [], collections.Counter()
        self.lock = threading.Lock()

    def one(self, connection, requests, operation):
        request = requests.request(operation)
        headers = {} if requests.dice.random() < 0.01 else BEARER
        status, back, body = connection.ask(request, headers)
        wrong = self.document.misfits(operation, status, back, body)
        with self.lock:
            self.statuses[operation.id, status] += 1
            if wrong:
                self.misfits.append((operation.id, request, status, wrong, body[:600]))

    def work(self, seed):
        requests, connection = Requests(self.document, seed, self.names), Connection(self.gate)
        try:
            for _ in range(self.count // CONNECTIONS):
                self.one(connection, requests, requests.dice.choice(self.document.operations))
        except Exception as error:  # what a thread dies of is told where the test looks
            with self.lock:
                self.misfits.append(("thread", seed, type(error).__name__, str(error)))
        finally:
            connection.close()

    def run(self):
        threads = [threading.Thread(target=self.work, args=(seed,)) for seed in range(CONNECTIONS)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        return self


def told(attack):
    kinds = {}
    for one in attack.misfits:
        kinds.setdefault((one[0], one[2], str(one[3])[:100]), one)
    return "\n".join(map(str, kinds.values()))


def test_random_requests_find_what_the_document_says(admin):
    attack = Attack(admin, COUNT).run()
    by_status = collections.Counter()
    for (_, status), count in attack.statuses.items():
        by_status[status] += count
    print(dict(by_status), file=sys.stderr)
    assert not attack.misfits, told(attack)
    of_members = {("try", 502), ("try", 503), ("try", 504)}  # what the data side would say, with limits of 1 too
    assert not [one for one in attack.statuses if one[1] >= 500 and one not in of_members], attack.statuses
    assert {operation for operation, _ in attack.statuses} == {one.id for one in attack.document.operations}
    done = {operation for operation, status in attack.statuses if status < 400}
    assert len(done) > len(attack.document.operations) // 2, sorted({o.id for o in attack.document.operations} - done)


def test_every_route_that_reads_is_as_documented(admin):
    document, names = document_of(admin), names_of(admin)
    parts = {"mappings": "stored", "clients": "user", "security-groups": "made", "n": "1", "member": "11"}
    asked = 0
    for operation in (one for one in document.operations if one.method == "GET"):
        path = operation.path.replace("{name}", parts.get(operation.path.split("/")[1], "x")).replace("{n}", "1")
        path = path.replace("{member}", "11").replace("{id}", names["id"][0])
        connection = Connection(admin)
        request = type("Plain", (), {"method": "GET", "target": document.root + path, "body": None, "headers": {}})
        status, headers, body = connection.ask(request, BEARER)
        connection.close()
        assert not (wrong := document.misfits(operation, status, headers, body)), (operation.path, wrong, body[:600])
        asked += status == 200
    assert asked > 12, asked


# What no client should send.

DEEP = b'{"name":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
BROKEN = {
    "cut": b'{"name": "a"', "two": b"{}{}", "none": b"", "text": b"hello", "comment": b"{/**/}", "tail": b'{"name":"a",}',
    "deep": DEEP, "deep objects": b'{"a":' * 50_000 + b"1" + b"}" * 50_000, "huge": b'{"timeout": ' + b"9" * 100_000 + b"}",
    "exponent": b'{"timeout": 1e99999}', "twice": b'{"name":"a","name":"b"}', "twice below": b'{"name":"a","observe":{"a":1,"a":2}}',
    "utf-8": b'{"name":"\xff"}', "overlong": b'{"name":"\xc0\xaf"}', "surrogate": b'{"name":"\\ud800"}', "nul": b'{"name":"a\\u0000b"}',
    "not a number": b'{"timeout": NaN}', "array": b"[]", "number": b"1", "bom": b'\xef\xbb\xbf{"name":"a"}',
}


@pytest.mark.parametrize("path, method", [("mappings", "POST"), ("mappings/stored", "PATCH"), ("settings", "PATCH"), ("changes", "POST"),
                                          ("import", "PUT"), ("try", "POST"), ("security-groups", "POST"), ("discovery", "POST")])
def test_broken_bodies_are_refused(admin, path, method):
    before = ask(admin, "revisions?limit=1")["items"]
    for name, body in BROKEN.items():
        if name == "none" and path == "discovery":  # it may be without
            continue
        reply = admin.request(f"/admin/v1/{path}", method, {**BEARER, "Content-Type": "application/json", "If-Match": "*"}, body,
                              to=admin.admin)
        assert reply.status in (400, 413) and reply.json()["status"] == reply.status, (name, reply.status, reply.body[:300])
    assert ask(admin, "revisions?limit=1")["items"] == before


def send_much(gate, megabytes, length=None):
    """Sends a body until nobody takes it any more; what came back."""
    with socket.create_connection(gate.admin, timeout=20) as peer:
        head = f"PUT /admin/v1/import HTTP/1.1\r\nHost: 127.0.0.1:{gate.admin[1]}\r\nAuthorization: Bearer {TOKEN}\r\n"
        framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
        peer.sendall(f"{head}Content-Type: application/json\r\n{framing}\r\n\r\n".encode())
        piece = b" " * (1 << 20)
        try:
            for _ in range(megabytes):
                peer.sendall((b"100000\r\n" if length is None else b"") + piece + (b"\r\n" if length is None else b""))
            return peer.recv(4096)
        except ConnectionError:
            return peer.recv(4096) if select_reads(peer) else b""


def select_reads(peer):
    try:
        return bool(peer.recv(1, socket.MSG_PEEK))
    except OSError:
        return False


@pytest.mark.parametrize("length", [100 << 20, None], ids=["announced", "chunked"])
def test_a_body_of_100_mb_is_refused_and_not_kept(admin, length):
    send_much(admin, 100, length)
    before = memory_of(admin)
    for _ in range(2):
        answer = send_much(admin, 100, length)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 413 "), answer[:200]
    assert memory_of(admin) - before < 16 << 20
    assert admin.request("/readyz", to=admin.admin).status == 200


def is_taken(peer):
    """One byte more; False: it was refused, with a status of the document."""
    try:
        peer.sendall(b" ")
        peer.setblocking(False)
        answer = peer.recv(4096)
    except BlockingIOError:
        peer.setblocking(True)
        return True
    except ConnectionError:
        answer = b""
    peer.close()
    assert answer[:13] in (b"", b"HTTP/1.1 408 ", b"HTTP/1.1 429 ", b"HTTP/1.1 503 "), answer
    return False


def test_slow_bodies_hold_nobody_up(admin):
    slow = []
    for _ in range(100):
        peer = socket.create_connection(admin.admin, timeout=20)
        peer.sendall(f"POST /admin/v1/mappings HTTP/1.1\r\nHost: 127.0.0.1:{admin.admin[1]}\r\nAuthorization: Bearer {TOKEN}\r\n"
                     "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{".encode())
        slow.append(peer)
    before = memory_of(admin)
    for _ in range(10):
        slow = [peer for peer in slow if is_taken(peer)]
        assert admin.request("/admin/v1/mappings", headers=BEARER, to=admin.admin).status == 200
        time.sleep(0.02)
    assert memory_of(admin) - before < 16 << 20
    for peer in slow:
        peer.close()
    wait_for(lambda: admin.request("/admin/v1/mappings", headers=BEARER, to=admin.admin).status == 200)
