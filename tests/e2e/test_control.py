"""The control socket: what is asked of the running gateway beside it, and that nobody who asks, or only connects, holds it."""

import json
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import time

import pytest

from conftest import BUILD, plain_mapping
from probe import counter, silent_mapping, wait_for
from protected import Keys, served


def path_of(gate):
    return gate.file.parent / gate.settings["state"] / "control.sock"


def connect(gate):
    wait_for(lambda: path_of(gate).exists())
    one = socket.socket(socket.AF_UNIX)
    one.settimeout(20)
    one.connect(str(path_of(gate)))
    return one


def read_reply(one):
    """The line, as JSON; None when the connection ends without one. It ends behind the line."""
    text = b""
    while more := one.recv(65536):
        text += more
    assert text == b"" or text.count(b"\n") == 1 and text.endswith(b"\n")
    return json.loads(text) if text else None


def say(gate, line):
    with connect(gate) as one:
        one.sendall(line)
        return read_reply(one)


def ask(gate, **command):
    return say(gate, json.dumps(command).encode() + b"\n")


def castgate(*arguments):
    return subprocess.run([BUILD / "castgate", *map(str, arguments)], capture_output=True, text=True, timeout=60)


@pytest.fixture
def gate(gateway, members):
    return gateway({"mappings": [plain_mapping(members(2))]})


@pytest.fixture
def secured(gateway, group, tmp_path):
    """A gateway with a protected group, and its keys."""
    with served(gateway, group, tmp_path) as (gate, keys):
        yield gate, keys


def test_status(gate):
    reply = ask(gate, command="status")
    assert reply["ok"] is True and reply["ready"] is True and reply["process"] == gate.process.pid
    assert reply["mappings"] == 1 and reply["exchanges"] == 0 and reply["log_lines_lost"] == 0
    done = castgate("-c", gate.file, "--status")
    assert done.returncode == 0 and json.loads(done.stdout)["process"] == gate.process.pid


def test_status_says_which_listeners_serve(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group)]})
    served = [{"front": name, "at": f"127.0.0.1:{port}", "serves": True, "encrypted": False, "insecure": False} for name, (_, port) in
              (("http", gate.http), ("admin", gate.admin))]
    assert ask(gate, command="status")["listeners"] == served


def test_it_is_its_users_alone_and_goes_with_the_gateway(gate):
    wait_for(lambda: path_of(gate).exists())
    mode = path_of(gate).stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    assert gate.stop() == 0
    assert not path_of(gate).exists()
    done = castgate("-c", gate.file, "--status")
    assert done.returncode == 1 and "no gateway runs" in done.stderr


@pytest.mark.parametrize("line", [b"\n", b"status\n", b"{}\n", b"[]\n", b'{"command":"stop"}\n', b'{"command":7}\n', b'{"command"\n',
                                  b"\xff\x00\n", b'{"command":"claim"}\n', b'{"command":"claim","sender":"00","former":"00"}\n',
                                  b'{"command":"status","command":"status"}\n', b"[" * 4000 + b"\n", b"x" * 4096, b"x" * 100000])
def test_what_is_no_command(gate, line):
    reply = None
    try:
        reply = say(gate, line)
    except ConnectionError:  # so much more came than was read
        assert len(line) > 4096
    assert reply is None or reply["ok"] is False and reply["error"]
    assert ask(gate, command="status")["ok"] is True


def test_a_line_in_pieces(gate):
    with connect(gate) as one:
        for byte in b'{"command":"status"}':
            one.sendall(bytes([byte]))
        time.sleep(0.05)
        one.sendall(b"\nand more")
        assert read_reply(one)["ok"] is True


def test_who_shuts_its_side_gets_an_answer_to_a_whole_line(gate):
    with connect(gate) as one:
        one.sendall(b'{"command":"status"}\n')
        one.shutdown(socket.SHUT_WR)
        assert read_reply(one)["ok"] is True
    with connect(gate) as one:
        one.sendall(b'{"command":"status"}')
        one.shutdown(socket.SHUT_WR)
        assert read_reply(one) is None


def test_a_hundred_who_say_nothing(gate):
    """Sixteen may stay for ten seconds; nothing else waits for them, and then others have their turn."""
    crowd = [connect(gate) for _ in range(16)]
    for _ in range(84):
        try:
            crowd.append(connect(gate))
        except OSError:
            break
    assert gate.request("/lights/status").summary["answered"] == 2

    def has_turn():
        try:
            return (ask(gate, command="status") or {}).get("ok") is True
        except OSError:
            return False

    assert not has_turn()
    wait_for(has_turn, timeout=20)
    for one in crowd:
        one.close()
    assert gate.stop() == 0


def test_a_socket_that_a_kill_left_behind_is_replaced(gate, gateway):
    wait_for(lambda: path_of(gate).exists())
    gate.process.send_signal(signal.SIGKILL)
    gate.process.wait()
    assert path_of(gate).exists()
    process = subprocess.Popen([BUILD / "castgate", "-c", gate.file], stderr=subprocess.DEVNULL)
    gate.process = process
    gate.wait()
    wait_for(lambda: castgate("-c", gate.file, "--status").returncode == 0)
    assert ask(gate, command="status")["process"] == process.pid


def test_of_two_gateways_the_first_has_it(gate, gateway):
    wait_for(lambda: path_of(gate).exists())
    other = gateway({"mappings": gate.settings["mappings"], "state": str(path_of(gate).parent)})
    assert ask(gate, command="status")["process"] == gate.process.pid
    assert gate.stop() == 0
    wait_for(lambda: castgate("-c", other.file, "--status").returncode == 0, timeout=20)  # the second takes over
    assert ask(gate, command="status")["process"] == other.process.pid


def test_a_state_folder_with_a_long_name(gateway, members, tmp_path):
    state = tmp_path / ("long" * 30)
    state.mkdir()
    gate = gateway({"mappings": [plain_mapping(members(2))], "state": str(state)})
    wait_for(lambda: castgate("-c", gate.file, "--status").returncode == 0)
    assert (state / "control.sock").exists()


def test_claim_and_backup_go_through_it(secured, tmp_path):
    gate, keys = secured
    state = tmp_path / "state"
    following = Keys(tmp_path / "more", 2, 1)
    done = Keys.run("claim", following.gateway, "--state", state)
    copy = tmp_path / "copy.db"
    assert castgate("-c", gate.file, "--backup", copy).returncode == 0
    again = castgate("-c", gate.file, "--backup", copy)
    assert again.returncode == 1 and "exists" in again.stderr
    rows = sqlite3.connect(copy).execute("SELECT count(*), sum(state = 'spent') FROM sender").fetchone()
    assert rows == (2, 2)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(state.glob("castgate.copy-*"))
    assert gate.request("/lights/status", headers={"Accept": "application/json"}).json()["summary"]["answered"] == 2


def test_without_it_nothing_is_done_beside_the_gateway(secured, tmp_path):
    gate, keys = secured
    assert gate.request("/lights/status").summary["answered"] == 2 # so its store is open, and locked only since then
    wait_for(lambda: path_of(gate).exists())
    path_of(gate).unlink()
    done = castgate("-c", gate.file, "--backup", tmp_path / "copy.db")
    assert done.returncode == 1 and "locked by another gateway" in done.stderr and "control.sock" in done.stderr
    assert not (tmp_path / "copy.db").exists()


def test_who_asks_and_leaves(secured, tmp_path):
    """What the store has made for somebody who is gone is taken away."""
    gate, keys = secured
    for _ in range(10):
        with connect(gate) as one:
            one.sendall(b'{"command":"backup"}\n')
    wait_for(lambda: ask(gate, command="status")["ok"])
    assert gate.request("/lights/status", headers={"Accept": "application/json"}).json()["summary"]["answered"] == 2


def test_other_users_are_turned_away(gate):
    """Should somebody open the socket's mode, who asks is still looked at."""
    if os.geteuid() != 0:
        pytest.skip("needs root to be somebody else")
    wait_for(lambda: path_of(gate).exists())
    code = ("import os, socket, sys; s = socket.socket(socket.AF_UNIX); os.setresuid(0, 65534, 0); s.connect(sys.argv[1]); "
            "s.sendall(b'{\"command\":\"status\"}\\n'); print(s.recv(4096).decode())")
    path_of(gate).chmod(0o666)
    for folder in [path_of(gate).parent, *path_of(gate).parents]:
        if folder.stat().st_mode & 0o001 == 0:
            folder.chmod(folder.stat().st_mode | 0o011)
    done = subprocess.run(["/usr/bin/python3", "-c", code, path_of(gate)], capture_output=True, text=True, timeout=30)
    assert json.loads(done.stdout) == {"ok": False, "error": "only the gateway's own user and root may ask"}
