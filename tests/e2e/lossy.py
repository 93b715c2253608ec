"""A protected group behind a network that loses a part of the datagrams each way, and what passed there. Loss happens on the far side,
where datagrams go in and out of it, so what is seen at the near end is just what the gateway has sent, and just what it gets."""

import json
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import coap
from conftest import Gateway, free_tcp_port
from probe import wait_for
from protected import Keys, make_state

NEAR, FAR, NET = "gw0", "lamps0", "10.7.1"
PORT = 5683
PACKET_OUTGOING, ETH_P_ALL, ETH_P_IP, UDP = 4, 3, 0x0800, 17
SO_RCVBUFFORCE, SO_TIMESTAMPNS, SOL_PACKET, PACKET_STATISTICS = 33, 35, 263, 6  # which Python has no names for
BUDGET = {"interface": NEAR, "requests": 100, "seconds": 1}


@dataclass(slots=True)
class Datagram:
    at: float
    is_sent: bool  # by the gateway
    source: str
    destination: str
    message: coap.Message

    @property
    def is_to_group(self):
        return self.destination.startswith("239.")

    @property
    def is_request(self):
        return 0 < self.message.code < 32

    @property
    def is_answer(self):
        return self.message.code >= 64


class Tap:
    """All datagrams of CoAP at an interface of this thread's namespace."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 256 << 20)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.socket.bind((interface, ETH_P_ALL))
        self.socket.settimeout(0.2)
        self.seen, self.is_open, self.dropped = [], True, 0
        self.ahead = time.time() - time.monotonic()
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self):
        while self.is_open:
            try:
                packet, [(_, _, stamp)], _, (_, protocol, kind, *_) = self.socket.recvmsg(65536, 64)
            except TimeoutError:
                continue
            header = (packet[0] & 15) * 4
            if protocol == ETH_P_IP and packet[9] == UDP and len(packet) >= header + 12:
                self.seen.append((self._monotonic(stamp), kind == PACKET_OUTGOING, packet))

    def _monotonic(self, stamp):
        """The kernel's time of a packet by the clock that does not jump."""
        seconds, ns = struct.unpack("=qq", stamp)
        return seconds + ns / 1e9 - self.ahead

    def _parse(self, at, is_sent, packet):
        header = (packet[0] & 15) * 4
        source, destination = (socket.inet_ntoa(packet[i:i + 4]) for i in (12, 16))
        try:
            return Datagram(at, is_sent, source, destination, coap.Message.parse(packet[header + 8:]))
        except coap.FormatError:
            return None

    def datagrams(self):
        return [d for d in (self._parse(*one) for one in list(self.seen)) if d is not None]

    def close(self):
        """After which `dropped` tells how many the kernel dropped, because they came faster than they were read."""
        self.is_open = False
        self.thread.join()
        self.dropped = struct.unpack("=II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))[1]
        self.socket.close()


@dataclass
class Exchange:
    mapping: int
    begun: float
    seconds: float
    answered: int
    missing: list
    summary: dict
    reply: dict = field(repr=False)

    @property
    def is_complete(self):
        return not self.missing


class LossyGroup:
    """`count` members behind the network, in `groups` groups, each of which one mapping asks. To be made in a namespace of its own."""

    def __init__(self, far, folder, count, groups=1, arguments=()):
        self.far, self.folder, self.count = far, folder, count
        far.cable(NEAR, FAR, NET, hosts=count)
        self.groups = [f"239.192.7.{1 + i}" for i in range(groups)]
        self.keys = Keys(folder / "keys", count, PORT, first=f"{NET}.2")
        named = [word for group in self.groups for word in ("--group", f"coap://{group}:{PORT}")]
        self.arguments = ["--keys", self.keys.group, *named, "--count", count, "--bind", f"{NET}.2", "--interface", FAR, *arguments]
        self.fleet = far.start(*self.arguments)
        self.addresses = [f"{NET}.{2 + i}" for i in range(count)]
        self.state = make_state(folder / "state", self.keys)

    def lose(self, probability):
        """Of what goes in and out of the far side."""
        for chain, way in (("INPUT", "-i"), ("OUTPUT", "-o")):
            self.far.run(f"iptables -A {chain} {way} {FAR} -p udp -m statistic --mode random --probability {probability} -j DROP")

    def kill(self, addresses):
        """Their hosts are gone: not even ICMP comes from there."""
        for address in addresses:
            self.far.run(f"iptables -I INPUT -d {address} -j DROP")
            self.far.run(f"iptables -I OUTPUT -s {address} -j DROP")

    def start(self, name, repair, timeout, **group):
        """A gateway before it, when the one before has ended."""
        mappings = [{"name": f"m{i}", "path": f"/m{i}", "group": f"coap://{address}:{PORT}", "security": self.keys.name,
                     "leisure": 1, "timeout": timeout, "membership": "complete", "finish": "all", "clients": ["anonymous"],
                     "repair": {"unicast": repair}} for i, address in enumerate(self.groups)]
        group = {"interface": NEAR, "ack_timeout": 1, "send_budgets": [BUDGET], **group}
        gate = Gateway({"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"]}, "state": str(self.state),
                        "admin": {"listen": [f"127.0.0.1:{free_tcp_port()}"]}, "security_groups": {self.keys.name: str(self.keys.gateway)},
                        "group": group, "mappings": mappings}, self.folder / f"gateway-{name}")
        gate.wait()
        wait_for(lambda: gate.request("/readyz", to=gate.admin).status == 200)
        return gate


def ask(gate, mapping, timeout):
    begun = time.monotonic()
    reply = gate.request(f"/m{mapping}/status", headers={"Accept": "application/json"}, timeout=timeout + 30)
    body = reply.json()
    missing = [one["from"].rpartition(":")[0] for one in body["missing"]]
    return Exchange(mapping, begun, reply.seconds, body["summary"]["answered"], missing, body["summary"], body)


def run_exchanges(gate, count, mappings, timeout):
    """`count` of them, of each mapping one after another, of all mappings at the same time."""
    def of_mapping(mapping):
        return [ask(gate, mapping, timeout) for _ in range(mapping, count, mappings)]

    with ThreadPoolExecutor(mappings) as pool:
        return [one for many in pool.map(of_mapping, range(mappings)) for one in many]


def percentile(values, part):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


@dataclass
class Traffic:
    """What went out and came in, by kind."""
    casts: int
    asks: int       # requests to single members
    repeated: int   # of them, the same bytes again
    acks: int       # acknowledgements and Resets
    answers: int    # that came
    received: int   # all datagrams
    per_second: int  # the most that went out in a second

    @property
    def sent(self):
        return self.casts + self.asks + self.acks


def most_within(times, seconds):
    """The most of them in any window of that length."""
    most = first = 0
    for last, at in enumerate(times):
        while times[first] <= at - seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


JITTER = 0.1  # of a second: what a busy machine puts between the gateway's decision to send and the datagram


def keeps_budget(datagrams):
    """What left in any window of the budget's length, less the jitter."""
    times = [d.at for d in datagrams if d.is_sent and d.is_request]
    return most_within(times, BUDGET["seconds"] - JITTER) <= BUDGET["requests"]


def traffic(datagrams):
    sent = [d for d in datagrams if d.is_sent]
    requests = [d for d in sent if d.is_request]
    asks = [d for d in requests if not d.is_to_group]
    came = [d for d in datagrams if not d.is_sent]
    return Traffic(casts=len(requests) - len(asks), asks=len(asks),
                   repeated=len(asks) - len({(d.destination, d.message.mid, d.message.token) for d in asks}),
                   acks=sum(d.message.type in (coap.ACK, coap.RST) for d in sent), answers=sum(d.is_answer for d in came),
                   received=len(came), per_second=most_within([d.at for d in requests], 1))


def who_answered(datagrams, groups, count_of_mapping):
    """Of each mapping, in the order of its exchanges: {address: when its answer came, first}. For runs in which one group request is
    all that goes out for an exchange."""
    casts = [d for d in datagrams if d.is_sent and d.is_request]
    answers = {}
    for datagram in datagrams:
        if not datagram.is_sent and datagram.is_answer:
            answers.setdefault(datagram.message.token, {}).setdefault(datagram.source, datagram.at)
    found = []
    for address, count in zip(groups, count_of_mapping):
        mine = [d for d in casts if d.destination == address]
        assert len(mine) == count, (len(mine), count)
        found.append([answers.get(d.message.token, {}) for d in mine])
    return found


EDGE = 1  # seconds before the end of an exchange in which an answer may count or not


def wrongly_named(exchanges, datagrams, groups, timeout):
    """Those without repair that do not name as missing just those whose answers did not come: [(exchange, addresses)]."""
    in_order = sorted(exchanges, key=lambda one: (one.mapping, one.begun))
    counts = [sum(one.mapping == m for one in exchanges) for m in range(len(groups.groups))]
    truth = [came for many in who_answered(datagrams, groups.groups, counts) for came in many]
    wrong = []
    for one, came in zip(in_order, truth):
        silent = set(groups.addresses) - set(came)
        in_time = {address for address, at in came.items() if at < one.begun + timeout - EDGE}
        if not silent <= set(one.missing) or in_time & set(one.missing):
            wrong.append((one, silent ^ set(one.missing)))
    return wrong


def tell(title, exchanges, seen):
    """A row of the loss table."""
    times = [one.seconds for one in exchanges]
    complete = sum(one.is_complete for one in exchanges)
    answers = sum(one.answered for one in exchanges)
    n = len(exchanges)
    return (f"| {title} | {n} | {complete} | {answers} | {seen.casts / n:.2f} | {seen.asks / n:.1f} ({seen.repeated / n:.1f}) | "
            f"{seen.acks / n:.1f} | {seen.received / n:.1f} | {seen.per_second} | {percentile(times, 0.5):.2f} s | "
            f"{percentile(times, 0.99):.2f} s |")


HEADS = ("run", "exchanges", "complete", "answers", "group requests each", "unicast requests each (repeated)", "acknowledgements each",
         "datagrams received each", "most requests in a second", "p50", "p99")
TABLE_HEAD = f"| {' | '.join(HEADS)} |\n|{'---|' * len(HEADS)}"


def dump(folder, exchanges, datagrams):
    """What is to be looked at afterwards: the replies that were not complete or slow, and all datagrams, a line each."""
    slow = percentile([one.seconds for one in exchanges], 0.98)
    (folder / "odd.json").write_text(json.dumps(
        [{"mapping": one.mapping, "begun": one.begun, "seconds": one.seconds, "reply": one.reply}
         for one in exchanges if not one.is_complete or one.seconds >= slow], indent=1))
    with open(folder / "datagrams.txt", "w") as file:
        for d in datagrams:
            m = d.message
            print(f"{d.at:.4f} {'>' if d.is_sent else '<'} {d.source} {d.destination} {'CON NON ACK RST'.split()[m.type]} {m.code_text} "
                  f"mid={m.mid} token={m.token.hex()}", file=file)
