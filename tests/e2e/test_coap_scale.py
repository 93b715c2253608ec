"""Many CoAP clients at once, and some that want more than their share."""

import os
import resource
import select
import socket
import time
from pathlib import Path

import pytest

import coap
import coap_tcp
from coap import ACK, CON, EMPTY, NON, Client, Message
from conftest import free_tcp_port, free_udp_port, plain_mapping
from probe import Later, metrics, running, wait_for

MANY = 5000


@pytest.fixture(scope="module", autouse=True)
def enough_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 2 * MANY:
        pytest.skip(f"only {hard} file descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2 * MANY, hard))


def resident_mib(gate):
    return int(Path(f"/proc/{gate.process.pid}/statm").read_text().split()[1]) * 4 / 1024


def start(members, gateway, count=2, *arguments, **limits):
    fleet, port = members(count, *arguments), free_udp_port()
    gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]}, "limits": limits,
                    "group": {"interface": "lo", "nstart": 1000, "probing_rate": 1000000},
                    "mappings": [plain_mapping(fleet, max_timeout=30)]})
    gate.coap = ("127.0.0.1", port)
    return gate, fleet


class Crowd:
    """Clients with a socket each, in one thread."""

    def __init__(self, to, count):
        self.poll, self.sockets = select.epoll(), {}
        for _ in range(count):
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind(("127.0.0.1", 0))
            one.connect(to)
            self.sockets[one.fileno()] = one
            self.poll.register(one.fileno(), select.EPOLLIN)
        self.acknowledged, self.answers = set(), {number: [] for number in self.sockets}

    def ask(self, timeout):
        """One request each, all equal but for their tokens."""
        for number, one in self.sockets.items():
            options = coap.path_options("lights/light") + [(coap.MULTICAST_TIMEOUT, coap.uint(timeout))]
            one.send(Message(CON, coap.GET, 1, number.to_bytes(4, "big"), options).emit())

    def hear(self, seconds, until):
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            for number, _ in self.poll.poll(0.1):
                self._take(number, Message.parse_extended(self.sockets[number].recv(2048)))

    def _take(self, number, message):
        if message.code == EMPTY:
            self.acknowledged.add(number)
        else:
            assert message.token == number.to_bytes(4, "big")
            self.answers[number].append(message)

    def close(self):
        for one in self.sockets.values():
            one.close()
        self.poll.close()


def test_five_thousand_clients(members, gateway):
    """Each gets each member's answer, on its own token; equal requests are one to the group."""
    gate, fleet = start(members, gateway, 3, "--delay", "0:500", exchanges=MANY, exchanges_per_client=MANY)
    before = resident_mib(gate)
    crowd = Crowd(gate.coap, MANY)
    crowd.ask(timeout=20)
    crowd.hear(60, lambda: all(len(answers) == 3 for answers in crowd.answers.values()))
    assert {len(answers) for answers in crowd.answers.values()} == {3}
    assert len(crowd.acknowledged) == MANY
    assert resident_mib(gate) - before < 200
    crowd.close()
    wait_for(lambda: running(gate) == 0, timeout=60)
    assert metrics(gate)['castgate_coap_separate_responses_total{result="failed"}'] == 0


class TcpCrowd:
    """The same by TCP."""

    def __init__(self, to, count):
        self.poll, self.sockets, self.data, self.answers = select.epoll(), {}, {}, {}
        for _ in range(count):
            one = socket.create_connection(to)
            one.sendall(coap_tcp.emit(coap_tcp.CSM))
            self.sockets[one.fileno()], self.data[one.fileno()], self.answers[one.fileno()] = one, b"", []
            self.poll.register(one.fileno(), select.EPOLLIN)

    def ask(self, timeout):
        for number, one in self.sockets.items():
            options = coap.path_options("lights/light") + [(coap.MULTICAST_TIMEOUT, coap.uint(timeout))]
            one.sendall(coap_tcp.emit(coap.GET, number.to_bytes(4, "big"), options))

    def hear(self, seconds, until):
        end = time.monotonic() + seconds
        while not until() and time.monotonic() < end:
            for number, _ in self.poll.poll(0.1):
                more = self.sockets[number].recv(65536)
                assert more, "a connection has ended"
                self.data[number] += more
                while (found := coap_tcp.parse(self.data[number])) is not None:
                    message, self.data[number] = found
                    if message.code != coap_tcp.CSM:
                        assert message.token == number.to_bytes(4, "big")
                        self.answers[number].append(message)

    def close(self):
        for one in self.sockets.values():
            one.close()
        self.poll.close()


def test_five_thousand_clients_by_tcp(members, gateway):
    fleet, port = members(3, "--delay", "0:500"), free_tcp_port()
    gate = gateway({"coap": {"listen": [f"coap+tcp://127.0.0.1:{port}"]}, "limits": {"exchanges": MANY, "exchanges_per_client": MANY},
                    "group": {"interface": "lo", "nstart": 1000, "probing_rate": 1000000},
                    "mappings": [plain_mapping(fleet, max_timeout=30)]})
    before = resident_mib(gate)
    crowd = TcpCrowd(("127.0.0.1", port), MANY)
    crowd.ask(timeout=20)
    crowd.hear(60, lambda: all(len(answers) == 3 for answers in crowd.answers.values()))
    assert {len(answers) for answers in crowd.answers.values()} == {3}
    assert metrics(gate)["castgate_coap_tcp_connections"] == MANY
    assert resident_mib(gate) - before < 200
    crowd.close()
    wait_for(lambda: running(gate) == 0, timeout=60)


def flood(to, stop):
    """Requests of every kind, as fast as they go, from one port."""
    one, count = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0
    one.connect(to)
    one.setblocking(False)
    kinds = [(CON, [(coap.MULTICAST_TIMEOUT, b"\x14")] + coap.path_options("lights/light")), (NON, coap.path_options("nowhere")),
             (CON, []), (NON, [(coap.MULTICAST_TIMEOUT, b"")])]
    while not stop():
        type, options = kinds[count % len(kinds)]
        count += 1
        try:
            one.send(Message(type, coap.GET, count & 0xFFFF, os.urandom(4), options).emit())
            while count % 16 == 0 and one.recv(2048):
                pass
        except (BlockingIOError, ConnectionError):
            pass
    one.close()
    return count


def gather_again(client):
    """As clients do where the flood may have filled the socket's buffer just then (RFC 7252 §4.2)."""
    for _ in range(4):
        if answers := client.gather("lights/light", count=2, timeout=5, seconds=10):
            return answers
    return []


def test_a_flood_of_one_client_is_its_own(members, gateway):
    """Another one from another address is served as before, and the memory stays within its bounds."""
    gate, fleet = start(members, gateway, 2, exchanges=200, exchanges_per_client=16)
    before, over = resident_mib(gate), []
    flooding = Later(flood, gate.coap, lambda: over)
    other = Client(gate.coap, address="127.0.0.9")
    try:
        for _ in range(5):
            answers = gather_again(other)
            assert len(answers) == 2
            other.ask(timeout=0, token=answers[0].token)
    finally:
        over.append(True)
        assert flooding.result() > 0
        other.socket.close()
    assert resident_mib(gate) - before < 100
