"""A gateway that is killed at any moment gives no sequence number twice, and sends again as soon as it is back. By hand, for longer:
pytest test_kill.py --count 1000"""

import http.client
import random
import select
import threading
import time

import coap
from protected import Keys, Oscore, ProtectedMembers, kill, make_state, settings

SLACK_S = 5  # of a busy machine, for the start and the first reply


class Clients:
    """Ask for ever, from several threads, whether there is a gateway or not."""

    def __init__(self, address, count=4):
        self.address, self.stopping, self.replies, self.last = address, False, 0, 0.0
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def ask(self):
        while not self.stopping:
            connection = http.client.HTTPConnection(*self.address, timeout=5)
            try:
                for _ in range(50):
                    connection.request("GET", "/lights/status", headers={"Accept": "application/json"})
                    reply = connection.getresponse()
                    body = reply.read()
                    if reply.status == 200 and b'"verified":"source"' in body:
                        self.replies, self.last = self.replies + 1, time.monotonic()
                    if self.stopping:
                        break
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
            finally:
                connection.close()

    def stop(self):
        self.stopping = True
        for thread in self.threads:
            thread.join(20)


def collect(tap, into, stopping):
    """Every datagram, while the gateways come and go: the nonces that they used."""
    while not stopping.is_set():
        if select.select([tap.socket], [], [], 0.1)[0]:
            into.append(tap.socket.recvfrom(65536)[0])


def test_no_number_comes_twice(group, capture, gateway, tmp_path, pytestconfig):
    kills = pytestconfig.getoption("--count")
    keys = Keys(tmp_path / "keys", 2, group.port)
    fleet = ProtectedMembers(keys, group, 2, "127.1.0.1", [], tmp_path / "members.log")
    file = settings(make_state(tmp_path / "state", keys), (group, keys, {"timeout": 1}))
    gate = gateway(file)
    tap, seen, stopping = capture(), [], threading.Event()
    reader = threading.Thread(target=collect, args=(tap, seen, stopping), daemon=True)
    reader.start()
    clients = Clients(gate.http)
    chance, slowest = random.Random(1), 0.0
    file = gate.settings
    try:
        for _ in range(kills):
            time.sleep(chance.choice((chance.uniform(0, 0.02), chance.uniform(0, 0.3))))
            kill(gate)
            gate.process.returncode = 0  # as the fixture wants it: it did not fail, it was killed
            start = time.monotonic()
            gate = gateway(file)
            while clients.last < start:
                assert time.monotonic() < start + SLACK_S, gate.log()
                time.sleep(0.002)
            slowest = max(slowest, clients.last - start)
    finally:
        clients.stop()
        time.sleep(0.3)
        stopping.set()
        reader.join()
        fleet.stop()
    requests = [coap.Message.parse(data) for data in seen]
    nonces = [Oscore(message).nonce for message in requests]
    print(f"{kills} kills, {len(nonces)} datagrams, {clients.replies} replies, longest from start to reply {slowest:.2f} s")
    assert len(nonces) >= kills
    assert len(set(nonces)) == len(nonces), "a Partial IV came twice"
    tokens = [message.token for message in requests]
    assert len(set(tokens)) == len(tokens)


def test_a_restart_goes_on_behind_what_was_reserved(group, capture, gateway, tmp_path):
    keys = Keys(tmp_path / "keys", 1, group.port)
    file = settings(make_state(tmp_path / "state", keys), (group, keys, {"timeout": 1, "membership": "open", "finish": "deadline"}))
    tap, highest = capture(), -1
    for _ in range(3):
        gate = gateway(file)
        gate.request("/lights/status", headers={"Multicast-Timeout": "0"})
        kill(gate)
        gate.process.returncode = 0
        number = int.from_bytes(Oscore(tap.messages()[-1]).piv, "big")
        assert number > highest
        highest = number
