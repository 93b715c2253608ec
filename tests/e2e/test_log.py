"""The log when standard error is not what one hopes for: nobody reads it, it is closed, its disk is full. Nothing stops, and what is
lost is counted and said."""

import datetime
import fcntl
import http.client
import os
import re
import subprocess
import time

from conftest import BUILD, plain_mapping
from probe import counter, log_lines, wait_for

FLOOD = 2500  # a line each: more than the smallest pipe and the ring of 256 KiB hold


def flood(gate, count):
    """So many requests that each write a line."""
    connection = http.client.HTTPConnection(*gate.http, timeout=30)
    for _ in range(count):
        connection.request("GET", "/nothing")
        reply = connection.getresponse()
        reply.read()
        assert reply.status == 404
    connection.close()


def unread_log(folder):
    """Standard error of the gateway in `folder` becomes a pipe with room for some lines; returns its reading end."""
    folder.mkdir()
    os.mkfifo(folder / "castgate.log")
    reader = os.open(folder / "castgate.log", os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    return reader


def read_log(reader, until):
    """What is in the pipe and comes, as soon as `until` holds of it."""
    text = ""

    def seen():
        nonlocal text
        try:
            text += os.read(reader, 65536).decode()
        except BlockingIOError:
            pass
        return until(text)

    wait_for(seen)
    return text


def test_nobody_reads_it(gateway, members, tmp_path):
    fleet = members(3)
    reader = unread_log(tmp_path / "gateway1")
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    flood(gate, FLOOD)
    lost = counter(gate, "log_lines_lost_total")
    assert 0 < lost < FLOOD
    assert gate.request("/lights/status").summary["answered"] == 3
    lost = counter(gate, "log_lines_lost_total")
    text = read_log(reader, lambda text: "lines were lost here" in text)
    told = [int(n) for n in re.findall(r" lost=(\d+) ", text)]
    assert sum(told) == lost
    assert text.count("event=exchange") == FLOOD + 1 - lost
    assert gate.request("/lights/status").summary["answered"] == 3
    assert "answered=3" in read_log(reader, lambda text: "answered=3" in text)
    assert counter(gate, "log_lines_lost_total") == lost
    assert gate.stop() == 0
    os.close(reader)


def test_the_end_does_not_wait_for_a_reader(gateway, members, tmp_path):
    reader = unread_log(tmp_path / "gateway1")
    gate = gateway({"mappings": [plain_mapping(members(1))]})
    flood(gate, FLOOD)
    start = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - start < 25
    os.close(reader)


def test_its_reader_has_gone(gateway, members, tmp_path):
    reader = unread_log(tmp_path / "gateway1")
    gate = gateway({"mappings": [plain_mapping(members(3))]})
    os.close(reader)
    flood(gate, 20)
    wait_for(lambda: counter(gate, "log_lines_lost_total") >= 20)
    assert gate.request("/lights/status").summary["answered"] == 3
    assert gate.stop() == 0


def test_standard_files_are_closed(gateway, members, tmp_path):
    """No file or socket that the gateway opens gets their numbers, and so the log."""
    gate = gateway({"mappings": [plain_mapping(members(3))]})
    assert gate.stop() == 0
    process = subprocess.Popen(["/bin/sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', BUILD / "castgate", gate.file])
    try:
        gate.process = process
        gate.wait()
        assert {os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)} == {"/dev/null"}
        flood(gate, 20)
        assert gate.request("/lights/status").summary["answered"] == 3
    finally:
        assert gate.stop() == 0


def test_its_disk_is_full(gateway, members, tmp_path):
    (tmp_path / "gateway1").mkdir()
    (tmp_path / "gateway1" / "castgate.log").symlink_to("/dev/full")
    gate = gateway({"mappings": [plain_mapping(members(3))]})
    flood(gate, 20)
    wait_for(lambda: counter(gate, "log_lines_lost_total") >= 20)
    assert gate.request("/lights/status").summary["answered"] == 3
    assert gate.stop() == 0


def test_each_line_has_its_time_and_an_exchange_tells_who_asked_for_what(gateway, members):
    fleet = members(3)
    mapping = plain_mapping(fleet, members=fleet.texts + ["127.9.9.9:5683"], timeout=0.5)
    gate = gateway({"mappings": [mapping]})
    before = time.time()
    assert gate.request("/lights/status?a=%0Alevel=error").summary["answered"] == 3
    assert gate.request("/nowhere/%22x%22").status == 404
    lines = log_lines(gate)
    stamps = [datetime.datetime.strptime(line["ts"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=datetime.timezone.utc) for line in lines]
    assert stamps == sorted(stamps) and abs(stamps[-1].timestamp() - before) < 60
    asked, refused = log_lines(gate, "exchange")
    assert asked["path"] == "/lights/status?a=%0Alevel=error" and re.fullmatch(r"127\.0\.0\.1:[0-9]+", asked["peer"])
    assert (asked["missing"], asked["missing_members"]) == ("1", "127.9.9.9:5683")
    assert refused["path"].startswith("/nowhere/") and refused["status"] == "404"


def test_what_is_refused_at_once_is_told_whole(gateway):
    """With two names, from another site, with a target that cannot be read: who asked and for what stands there."""
    gate = gateway({})
    assert gate.request("/a", headers={"Host": "elsewhere.example"}).status == 400  # the second one
    assert gate.request("/b?x=1", headers={"Origin": "http://elsewhere.example"}, method="POST").status == 403
    assert gate.request("/c?d[]=1").status == 400
    lines = log_lines(gate, "exchange")
    assert [line["path"] for line in lines] == ["/a", "/b?x=1", "/c?d[]=1"]
    assert all(re.fullmatch(r"127\.0\.0\.1:[0-9]+", line["peer"]) for line in lines)


def test_the_journal_notes_the_time_itself(gateway, monkeypatch, tmp_path):
    """And has each line's priority before it. JOURNAL_STREAM counts where it names the very file that standard error is."""
    monkeypatch.setenv("JOURNAL_STREAM", "1:1")
    assert all("ts" in line for line in log_lines(gateway({})))
    folder = tmp_path / "gateway2"
    folder.mkdir()
    (folder / "castgate.log").touch()
    info = os.stat(folder / "castgate.log")
    monkeypatch.setenv("JOURNAL_STREAM", f"{info.st_dev}:{info.st_ino}")
    lines = gateway({}).log().splitlines()
    assert lines and all(re.match(r"<[3-7]>level=[a-z]+ event=", line) for line in lines)
