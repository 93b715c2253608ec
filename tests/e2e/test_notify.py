"""What a service manager is told (sd_notify), by a socket of the test's, and the priority that the journal is given with each line."""

import os
import signal
import socket
import subprocess
import time

import pytest

from conftest import BUILD, PATIENCE, Gateway, plain_mapping


class Manager:
    """As systemd starts a service: notifications by an abstract socket, the log by a stream that JOURNAL_STREAM names."""

    def __init__(self, monkeypatch, **environment):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("")  # a name of the kernel's choice
        self.socket.settimeout(PATIENCE)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + self.socket.getsockname()[1:].decode())
        for name, value in environment.items():
            monkeypatch.setenv(name, value)

    def hears(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().split("\n"))


@pytest.fixture
def manager(monkeypatch):
    started = []

    def start(**environment):
        started.append(Manager(monkeypatch, **environment))
        return started[-1]

    yield start
    for one in started:
        one.socket.close()


def test_start_reload_and_end(manager, gateway, members):
    """Each reload ends with READY, also one that mistakes keep from coming into use; the time is the monotonic clock's."""
    systemd = manager()
    mapping = plain_mapping(members(1))
    gate = gateway({"mappings": [mapping]})
    assert systemd.hears() == {"READY": "1", "STATUS": "serving 1 mappings"}
    before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    gate.reload({**gate.settings, "mappings": [mapping, {**mapping, "name": "more", "path": "/more"}]})
    reloading = systemd.hears()
    assert reloading["RELOADING"] == "1"
    assert before <= int(reloading["MONOTONIC_USEC"]) <= time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
    assert systemd.hears() == {"READY": "1", "STATUS": "serving 2 mappings"}
    gate.reload({"odd": 1})
    assert systemd.hears()["RELOADING"] == "1"
    refused = systemd.hears()
    assert refused["READY"] == "1" and refused["STATUS"].startswith("the settings in use stay as they are: "), refused
    gate.process.send_signal(signal.SIGTERM)
    assert systemd.hears() == {"STOPPING": "1", "STATUS": "ending; exchanges that run: 0"}
    assert gate.process.wait(timeout=PATIENCE) == 0


def test_a_loop_that_hangs_is_seen(manager, gateway):
    """It shows itself while it turns, and no more when it does not."""
    systemd = manager(WATCHDOG_USEC="200000")
    gate = gateway({})
    assert systemd.hears()["READY"] == "1"
    for _ in range(3):
        assert systemd.hears() == {"WATCHDOG": "1"}
    gate.process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, gate.process.pid, os.WSTOPPED)
    systemd.socket.settimeout(1)
    with pytest.raises(TimeoutError):
        for _ in range(4):  # what it said before may still be there
            systemd.hears()
    gate.process.send_signal(signal.SIGCONT)
    systemd.socket.settimeout(PATIENCE)
    assert systemd.hears() == {"WATCHDOG": "1"}


def test_the_journal_gets_a_priority(tmp_path):
    """In place of the time, which it notes itself."""
    probe = Gateway({"mappings": [{"name": "odd"}]}, tmp_path / "one")  # only for its settings file
    probe.process.wait(timeout=PATIENCE)
    probe.write_settings({**probe.settings, "mappings": [], "group": {"interface": "no-such-interface"}})
    reader, writer = os.pipe()
    info = os.fstat(writer)
    environment = {**os.environ, "JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"}
    process = subprocess.Popen([BUILD / "castgate", "-c", probe.file], stderr=writer, stdout=subprocess.DEVNULL, env=environment)
    os.close(writer)
    with open(reader) as log:
        line = next(line for line in log if "event=ready" in line)
        assert line.startswith("<6>level=info event=ready ")
        process.terminate()
        lines = log.read().splitlines()
    assert process.wait(timeout=PATIENCE) == 0
    assert all(line.startswith("<6>level=info ") or line.startswith("<4>level=warning ") for line in lines), lines
