"""Streaming replies (text/event-stream): events arrive while members are still answering, and a reader that is slow, stuck or gone
costs nobody else anything."""

import json
import re
import resource
import socket
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from conftest import BUILD, plain_mapping

SANITIZED = b"__asan_init" in (BUILD / "castgate").read_bytes()


class Stream:
    """A client of a stream: the raw connection, the chunked coding, and a strict parser of events."""

    def __init__(self, gateway, path, receive_buffer=None, accept="text/event-stream", more="", method="GET", body=""):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer is not None:  # before connect: it bounds the window
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(30)
        self.socket.connect(gateway.http)
        self.socket.sendall(f"{method} {path} HTTP/1.1\r\nHost: {gateway.http[0]}:{gateway.http[1]}\r\nAccept: {accept}\r\n"
                            f"{more}\r\n{body}".encode())
        self.raw, self.body, self.ended, self.events = b"", b"", False, []

    def close(self):
        self.socket.close()

    def more(self, size=65536):
        data = self.socket.recv(size)
        self.raw += data
        return bool(data)

    def head(self):
        while b"\r\n\r\n" not in self.raw:
            assert self.more(), f"closed before the head: {self.raw!r}"
        head, self.raw = self.raw.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
        return self

    def _take_chunks(self):
        while not self.ended:
            size, found, rest = self.raw.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                return
            length = int(size, 16)
            assert rest[length:length + 2] == b"\r\n"
            self.body, self.raw, self.ended = self.body + rest[:length], rest[length + 2:], length == 0

    def next(self, size=65536):
        """The next event as (name, data), ("", text) for a comment, or None at the end. `self.at`: when it came."""
        while b"\n\n" not in self.body:
            self._take_chunks()
            if b"\n\n" in self.body:
                break
            if self.ended or not self.more(size):
                assert self.body == b"", f"an event is cut: {self.body!r}"
                return None
        self.at = time.monotonic()
        block, self.body = self.body.split(b"\n\n", 1)
        return parse_event(block)

    def all(self, size=65536):
        return list(iter(lambda: self.next(size), None))


def parse_event(block):
    """WHATWG HTML 9.2.6, and nothing but what this gateway writes: one comment, the first with `retry`, or one `event` and one
    `data` line, in `summary` with an `id` between them."""
    text = block.decode("utf-8", "strict")
    assert "\r" not in text and "\0" not in text
    if text.startswith(":"):
        comment, _, retry = text.partition("\n")
        assert (comment, retry) == (": sent", "retry: 10000") or retry == "", text
        return "", comment
    name, *number, data = text.split("\n")
    assert bool(number) == (name == "event: summary"), text
    assert not number or re.fullmatch("id: [0-9a-f]{16}-summary", *number), text
    assert name in ("event: answer", "event: summary") and data.startswith("data: "), text
    return name[7:], json.loads(data[6:])


@contextmanager
def open_files(count):
    """Programs that start inside may have so many descriptors, and so may this one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        pytest.skip(f"no more than {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, count), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def metric(gateway, name, **labels):
    text = gateway.request("/metrics", to=gateway.admin).body.decode()
    for line in text.splitlines():
        if line.startswith(f"castgate_{name}") and all(f'{k}="{v}"' in line for k, v in labels.items()):
            return float(line.rpartition(" ")[2])
    return 0


def wait_until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def resident(gateway):
    """Bytes."""
    for line in Path(f"/proc/{gateway.process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def crowd(fleet, **more):
    """A mapping whose requests may go out at once, however many."""
    return {"group": {"interface": "lo", "nstart": 10000, "probing_burst": 1000000000}, "mappings": [plain_mapping(fleet, **more)]}


def test_window_and_streaming(gateway, members):  # R16
    fleet = members(10, "--delay", "1500:3500", "--seed", "7")
    one = gateway({"mappings": [plain_mapping(fleet, timeout=20)]})
    start = time.monotonic()
    stream = Stream(one, "/lights/status").head()
    assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
    assert stream.headers["cache-control"] == "no-store"
    assert len(stream.headers["castgate-exchange"]) == 16
    assert "castgate-summary" not in stream.headers
    assert time.monotonic() - start < 1.5  # the head does not wait for anybody
    assert stream.next()[0] == ""
    times, answers = [], []
    for name, data in iter(stream.next, None):
        times.append(stream.at - start)
        answers.append((name, data))
    assert [name for name, _ in answers] == ["answer"] * 10 + ["summary"]
    assert {data["from"] for _, data in answers[:-1]} == set(fleet.texts)
    for seconds, (_, data) in zip(times, answers[:-1]):
        assert abs(seconds - data["ms"] / 1000) < 1.5  # each event when its answer came
    assert times[-1] - times[0] > 0.5
    summary = answers[-1][1]
    assert summary["exchange"] == stream.headers["castgate-exchange"] and summary["mapping"] == "lights"
    assert summary["summary"]["answered"] == 10 and summary["summary"]["ended_by"] == "all"
    assert summary["missing"] == summary["rejected"] == []
    stream.close()
    whole = one.request("/lights/status")  # the window: nothing until the last one
    assert whole.body.count(b"\r\nReply-From: :") == 10
    assert whole.seconds >= times[-1] * 0.5 and whole.summary["answered"] == 10


def test_connection_goes_on_after_a_stream(gateway, members):
    fleet = members(3)
    one = gateway({"mappings": [plain_mapping(fleet)]})
    stream = Stream(one, "/lights/status").head()
    assert len(stream.all()) == 5
    stream.socket.sendall(f"GET /lights/status HTTP/1.1\r\nHost: {one.http[0]}:{one.http[1]}\r\n\r\n".encode())
    assert stream.head().status == 200 and stream.headers["content-type"].startswith("multipart/mixed")
    stream.close()


def test_head_and_zero_and_old_clients(gateway, members):
    fleet = members(3, "--delay", "300:300")
    one = gateway({"mappings": [plain_mapping(fleet)]})
    reply = one.request("/lights/status", method="HEAD", headers={"Accept": "text/event-stream"})
    assert (reply.status, reply.headers["Content-Type"], reply.body) == (200, "text/event-stream", b"")
    reply = one.request("/lights/status", headers={"Accept": "text/event-stream", "Multicast-Timeout": "0"})
    assert reply.status == 204
    with socket.create_connection(one.http, timeout=10) as old:
        old.sendall(f"GET /lights/status HTTP/1.0\r\nHost: {one.http[0]}:{one.http[1]}\r\nAccept: text/event-stream\r\n\r\n".encode())
        text = b"".join(iter(lambda: old.recv(65536), b""))  # no chunks; the end of the connection is the end
    events = [parse_event(block) for block in text.split(b"\r\n\r\n", 1)[1].split(b"\n\n")[:-1]]
    assert [name for name, _ in events] == ["", "answer", "answer", "answer", "summary"]


def test_problems_are_no_streams(gateway, members):
    fleet = members(1)
    one = gateway({"mappings": [plain_mapping(fleet)]})
    for path, method, status in (("/nowhere", "GET", 404), ("/lights/status", "DELETE", 403)):
        reply = one.request(path, method=method, headers={"Accept": "text/event-stream"})
        assert (reply.status, reply.headers["Content-Type"]) == (status, "application/problem+json")


def test_missing_members_are_told_at_the_end(gateway, members, group):
    fleet = members(3)
    mapping = plain_mapping(fleet, timeout=1)
    mapping["members"].append(f"127.1.0.200:{group.port}")
    one = gateway({"mappings": [mapping]})
    events = Stream(one, "/lights/status").head().all()
    assert events[-1][1]["summary"]["ended_by"] == "deadline"
    assert [m["from"] for m in events[-1][1]["missing"]] == [f"127.1.0.200:{group.port}"]


def test_large_answers_come_whole(gateway, members):  # R40
    fleet = members(5)
    one = gateway({"mappings": [plain_mapping(fleet, timeout=10)]})
    events = Stream(one, "/lights/big").head().all()
    bodies = [data["body"] for name, data in events if name == "answer"]
    assert len(bodies) == 5 and all(len(body) == 4096 for body in bodies)


def test_burst_of_a_thousand_with_the_smallest_queue(gateway, members):
    """The queue is far smaller than what comes at once, but the reader is not slow: nothing is cut, nothing is lost."""
    with open_files(4096):
        fleet = members(1000, "--resource", "/x=" + "x" * 300)
        one = gateway({**crowd(fleet, timeout=20), "limits": {"stream_queue": 4096}})
        events = Stream(one, "/lights/x").head().all()
    assert len({data["from"] for name, data in events if name == "answer"}) == 1000
    assert events[-1][0] == "summary" and events[-1][1]["summary"]["answered"] == 1000
    assert metric(one, "streams_cut_total", mapping="lights") == 0


def test_slow_reader_gets_everything(gateway, members):
    fleet = members(60)
    one = gateway({**crowd(fleet, timeout=5), "limits": {"stream_queue": 4096}})
    stream = Stream(one, "/lights/big", receive_buffer=4096).head()
    start, names = time.monotonic(), []
    for event in iter(lambda: stream.next(4096), None):
        names.append(event[0])
        time.sleep(0.05)
    assert names.count("answer") == 60 and names[-1] == "summary"
    assert time.monotonic() - start > 2.5
    assert metric(one, "streams_cut_total", mapping="lights") == 0


def test_stuck_reader_is_cut(gateway, members):
    fleet = members(100)
    one = gateway({**crowd(fleet, timeout=30, finish="deadline", max_timeout=60), "limits": {"stream_queue": 8192}})
    stuck = Stream(one, "/lights/big", receive_buffer=4096)
    wait_until(lambda: metric(one, "asked_total", mapping="lights") >= 300)  # three more blocks of each member
    for _ in range(5):  # the others do not notice
        headers = {"Multicast-Timeout": "1", "Accept": "application/json"}
        reply = one.request("/lights/status", headers=headers)
        assert len(reply.json()["answers"]) == 100 and reply.seconds < 15
    events = Stream(one, "/lights/status", more="Multicast-Timeout: 1\r\n").head().all()
    assert [name for name, _ in events].count("answer") == 100 and events[-1][0] == "summary"
    wait_until(lambda: metric(one, "streams_cut_total", mapping="lights") == 1)
    wait_until(lambda: "stream=cut" in one.log())
    names = [name for name, _ in stuck.head().all()]  # what was on its way still comes, in whole events
    assert 0 < names.count("answer") < 100 and "summary" not in names
    assert metric(one, "streams_cut_total", mapping="lights") == 1


def test_client_that_leaves_ends_its_exchange(gateway, members):
    fleet = members(3, "--delay", "200:400")
    one = gateway({"mappings": [plain_mapping(fleet, timeout=30, finish="deadline")]})
    stream = Stream(one, "/lights/status").head()
    while (event := stream.next())[0] != "answer":
        assert event is not None
    stream.close()
    wait_until(lambda: "ended_by=client" in one.log())
    assert metric(one, "streams_cut_total", mapping="lights") == 0


def test_stop_ends_streams_with_their_summary(gateway, members):
    fleet = members(3)
    one = gateway({"mappings": [plain_mapping(fleet, timeout=50, finish="deadline")]})
    stream = Stream(one, "/lights/status").head()
    while stream.next()[0] != "answer":
        pass
    start = time.monotonic()
    assert one.stop() == 0
    assert time.monotonic() - start < 30
    events = stream.all()
    assert events[-1][0] == "summary" and events[-1][1]["summary"]["answered"] == 3


def test_thousand_idle_streams(gateway, members):
    """Each costs a bounded amount of memory, all of it comes back, and others are served meanwhile."""
    count, most = 1000, 400_000 if SANITIZED else 100_000
    with open_files(4096):
        fleet = members(2, "--delay", "25000:25000")
        quick = plain_mapping(fleet, name="quick", timeout=1, finish="deadline", silence="204")
        settings = crowd(fleet, timeout=20, finish="deadline", max_timeout=60)
        settings["mappings"].append(quick)
        one = gateway({**settings, "limits": {"exchanges": 2000, "exchanges_per_client": 2000}})
        one.request("/quick/status")
        before = resident(one)
        streams = [Stream(one, f"/lights/n{i}") for i in range(count)]
        for stream in streams:
            assert stream.head().status == 200
            assert stream.next()[0] == ""
        growth = (resident(one) - before) / count
        print(f"{growth:.0f} bytes a stream")
        assert growth < most
        reply = one.request("/quick/status", headers={"Accept": "application/json"})
        assert reply.status == 200 and reply.seconds < 15
        for stream in streams[:count // 2]:
            stream.close()
        wait_until(lambda: one.log().count("ended_by=client") == count // 2)
        for stream in streams[count // 2:]:
            events = stream.all()
            assert [name for name, _ in events if name] == ["summary"]
            assert len([name for name, _ in events if not name]) == 1  # the sign of life after 15 s of silence
            stream.close()
        assert metric(one, "streams_cut_total", mapping="lights") == 0
        assert one.request("/quick/status", headers={"Accept": "application/json"}).status == 200
