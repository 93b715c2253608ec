"""Who answers a plain group request from a made-up address, and members that nobody has configured."""

import select
import socket
import struct
import time

import coap
from conftest import plain_mapping
from probe import Later, Tap, answer_to, counter, parse_mixed, running, silent_mapping

FORGED = 2000
PINGS_OF_A_HOST = 16


def first_block(request, payload=b"0123456789abcdef"):
    return answer_to(request, payload, options=[(coap.BLOCK2, b"\x08")])  # number 0, more, 16 bytes


class Victim:
    """A host that knows nothing of this: sees every UDP datagram to its address, and whoever forges it chooses among its ports."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind((address, 0))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.socket.close()

    def forge(self, port, data, to):
        header = struct.pack("!HHHH", port, to[1], 8 + len(data), 0)  # no checksum
        self.socket.sendto(header + data, (to[0], 0))

    def received(self, settle):
        """The payloads of all that it gets, until nothing comes for `settle` seconds."""
        seen = []
        while select.select([self.socket], [], [], settle)[0]:
            packet = self.socket.recv(65536)
            seen.append(packet[(packet[0] & 15) * 4 + 8:])
        return seen


def test_a_victim_of_forged_first_blocks_gets_a_few_pings(members, gateway, group, new_group):
    """2000 datagrams from one host's address, each the first block of an answer to a FETCH with a kilobyte."""
    fleet = members(3, group=new_group())
    gate = gateway({"mappings": [silent_mapping(group, timeout=6), plain_mapping(fleet)]})
    with Tap(group) as tap, Victim("127.66.6.6") as victim:
        headers = {"X-HTTP-Method-Override": "FETCH", "Content-Type": "text/plain", "Accept": "application/json"}
        client = Later(gate.request, "/silent/x", method="POST", headers=headers, body=bytes(1000))
        packet = tap.next()
        for number in range(FORGED):
            victim.forge(10000 + number, first_block(packet.message), packet.source)
            if number % 100 == 0:
                assert gate.get_json("/lights/status")["summary"]["answered"] == 3  # others are served meanwhile
        reply = client.result()
        seen = victim.received(settle=0.5)
    assert {(len(data), coap.Message.parse(data).code) for data in seen} == {(4, coap.EMPTY)}
    assert PINGS_OF_A_HOST <= len(seen) <= PINGS_OF_A_HOST + 2  # one more in five seconds
    assert len({coap.Message.parse(data).mid for data in seen}) > 1
    document = reply.json()
    dropped = document["summary"]["kernel_drops"]
    assert (document["answers"], document["summary"]["answered"]) == ([], 0)
    assert FORGED - dropped <= document["summary"]["rejected"] <= FORGED
    assert {r["reason"] for r in document["rejected"]} == {"unproven-address"}
    assert counter(gate, "pings_total") == len(seen)
    assert running(gate) == 0


def test_blocks_of_members_that_nobody_has_configured(members, gateway):
    """A ping comes first, and only once: the next request finds them known."""
    fleet = members(5)
    gate = gateway({"mappings": [silent_mapping(fleet.group, name="lights", timeout=2)]})
    for _ in range(2):
        parts = parse_mixed(gate.request("/lights/big"))
        assert {p.origin for p in parts} == set(fleet.addresses)
        assert {len(p.body) for p in parts} == {4096}
        assert counter(gate, "pings_total") == 5


def test_who_answers_pings_and_blocks_without_end(members, gateway, group, new_group):
    """A real host that never comes to the end of its answer: it is followed so far, and others are served."""
    fleet = members(3, group=new_group())
    gate = gateway({"mappings": [silent_mapping(group, timeout=8), plain_mapping(fleet)]})
    asked = 0
    with Tap(group) as tap, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.bind(("127.66.6.6", 0))
        host.settimeout(2)
        client = Later(gate.get_json, "/silent/x")
        packet = tap.next()
        host.sendto(first_block(packet.message), packet.source)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                data, source = host.recvfrom(65536)
            except TimeoutError:
                break
            message = coap.Message.parse(data)
            if message.code == coap.EMPTY:
                host.sendto(coap.Message(coap.RST, coap.EMPTY, message.mid).emit(), source)
                continue
            number, _, size = message.block()
            assert size == 16
            asked += 1
            block = coap.uint(number << 4 | 8)
            host.sendto(answer_to(message, b"0123456789abcdef", type=coap.ACK, mid=message.mid,
                                  options=[(coap.BLOCK2, block)]), source)
            if asked == 500:
                assert gate.get_json("/lights/status")["summary"]["answered"] == 3
        reply = client.result()
    assert asked == 1024
    assert [(r["from"], r["reason"]) for r in reply["rejected"]] == [(f"127.66.6.6:{host_port(reply)}", "blocks-incomplete")]


def host_port(reply):
    return reply["rejected"][0]["from"].rpartition(":")[2]
