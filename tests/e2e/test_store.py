"""The store of sequence numbers as whoever runs the gateway sees it: what is claimed and what is not, what a broken disk does, and
where numbers go on."""

import contextlib
import json
import os
import shutil
import sqlite3
import struct
import subprocess
import time
from pathlib import Path

import pytest

from conftest import BUILD
from protected import Keys, Oscore, ProtectedMembers, kill, make_state, settings, wait_until

BURST = 1_000_000


@pytest.fixture
def lights(group, tmp_path):
    """Keys and two members of one group."""
    keys = Keys(tmp_path / "keys", 2, group.port)
    fleet = ProtectedMembers(keys, group, 2, "127.1.0.1", [], tmp_path / "members.log")
    yield keys
    assert fleet.stop() == 0, fleet.log()


def plain(group):
    return {"name": "plain", "path": "/plain", "group": group.uri, "security": "none", "timeout": 1, "clients": ["anonymous"]}


def both(state, group, keys, **more):
    """A secured mapping, /lights, and a plain one."""
    file = settings(state, (group, keys), **more)
    file["mappings"].append(plain(group))
    return file


def ready(gate):
    reply = gate.request("/readyz", to=gate.admin)
    return reply.status, reply.body.decode()


def answered(gate):
    reply = gate.request("/lights/status", headers={"Accept": "application/json"})
    return reply.status == 200 and reply.json()["summary"]["answered"] == 2


def serves_plain(gate):
    """Nothing answers there, but the request goes out: the gateway lives."""
    return gate.request("/plain/status", headers={"Multicast-Timeout": "0"}).status == 204


def broken_lines(gate):
    return gate.log().count("secured sending fails until this is mended")


def castgate(*arguments):
    return subprocess.run([BUILD / "castgate", *map(str, arguments)], capture_output=True, text=True, timeout=60)


# --- claims

def init(tmp_path, file, *arguments):
    (tmp_path / "init.json").write_text(json.dumps(file))
    return castgate("-c", tmp_path / "init.json", "--init-state", *arguments)


def test_init_state_claims_nothing(lights, group, gateway, tmp_path):
    """What a lost folder's keys have sent nobody knows: a new folder lets them send only when somebody says that they never did."""
    file = settings(tmp_path / "state", (group, lights))
    done = init(tmp_path, file)
    assert done.returncode == 0 and "no key is claimed" in done.stdout and "never sent" in done.stdout
    assert done.stdout.startswith(f"{tmp_path / 'state'}: made") and f"  lights ({lights.gateway})\n" in done.stdout
    assert f"castgate-keys claim FILE --state {tmp_path / 'state'}" in done.stdout
    gate = gateway(file)
    reply = gate.request("/lights/status")
    detail = reply.json()["detail"]
    assert reply.status == 503 and "not claimed" in detail and "never sent" in detail and "rekey" in detail
    status, text = ready(gate)
    assert status == 503 and "lights" in text and "not claimed" in text


def test_init_state_lists_no_file_that_is_not_there(lights, group, tmp_path):
    """"next" may be in the settings for good: where no rekey is prepared there is nothing to claim."""
    file = settings(tmp_path / "state", (group, lights))
    file["security_groups"][lights.name] = {"file": str(lights.gateway), "next": str(lights.gateway.with_suffix(".next.json"))}
    done = init(tmp_path, file, "--new-keys")
    assert done.returncode == 0 and f"  lights ({lights.gateway})\n" in done.stdout, done.stderr
    assert "next epoch" not in done.stdout


def test_init_state_with_new_keys_claims_them(lights, group, gateway, tmp_path):
    file = settings(tmp_path / "state", (group, lights))
    prepared = lights.rekeyed(tmp_path / "next")
    file["security_groups"][lights.name] = {"file": str(lights.gateway), "next": str(prepared.gateway)}
    done = init(tmp_path, file, "--new-keys")
    assert done.returncode == 0 and "claimed, as you said that they have never sent" in done.stdout
    assert f"  lights, the next epoch's ({prepared.gateway})\n" in done.stdout
    assert done.stdout.endswith(f"next: castgate -c {tmp_path / 'init.json'}\n")
    gate = gateway(file)
    assert answered(gate)
    file["security_groups"][lights.name] = str(prepared.gateway)
    gate.reload({**gate.settings, **file})
    wait_until(lambda: "keys-activated" in gate.log().split("the settings are in use")[0].partition("ready")[2])
    assert "not claimed" not in gate.request("/lights/status").body.decode()  # the prepared key was claimed, too


def test_new_keys_goes_with_init_state_only(tmp_path):
    done = castgate("-c", tmp_path / "x.json", "--new-keys")
    assert done.returncode == 2 and "--new-keys goes with --init-state" in done.stderr
    assert castgate("-c", tmp_path / "x.json", "--backup", tmp_path / "y", "--new-keys").returncode == 2


def test_salts_that_make_one_key_share_its_numbers(group, new_group, capture, gateway, tmp_path):
    """HMAC takes the Master Salts "" and "0000" for the same: whatever the files say, it is one Sender Key."""
    keys = Keys(tmp_path / "keys", 1, group.port)
    text = json.loads(keys.gateway.read_text())
    files = []
    for number, salt in enumerate(("", "0000", "00" * 33)):
        text["common"]["master_salt"] = salt
        files.append(tmp_path / f"gateway-{number}.json")
        files[-1].write_text(json.dumps(text))
        files[-1].chmod(0o600)
    state = make_state(tmp_path / "state")
    Keys.run("claim", files[0], "--state", state)
    names = [f"g{number}" for number in range(3)]
    mappings = [{"name": name, "path": f"/{name}", "group": group.uri, "security": name, "timeout": 1, "clients": ["anonymous"]}
                for name in names]
    gate = gateway({"state": str(state), "group": {"interface": "lo", "nstart": 100},
                    "security_groups": dict(zip(names, map(str, files))), "mappings": mappings})
    tap = capture()
    for name in names * 5:
        assert gate.request(f"/{name}/x", headers={"Multicast-Timeout": "0"}).status == 204
    pivs = [Oscore(message).piv for message in tap.messages()]
    assert len(pivs) == 15 and len(set(pivs)) == 15, pivs


# --- where numbers go on

def number_of(gate, tap):
    before = len(tap.messages(0.1))
    assert gate.request("/lights/status", headers={"Multicast-Timeout": "0"}).status == 204
    return int.from_bytes(Oscore(tap.messages()[before]).piv, "big")


def test_a_start_goes_on_beyond_a_burst(lights, group, capture, gateway, tmp_path):
    file = settings(make_state(tmp_path / "state", lights), (group, lights))
    tap, numbers = capture(), []
    for _ in range(3):
        gate = gateway(file)
        numbers.append(number_of(gate, tap))
        assert number_of(gate, tap) == numbers[-1] + 1
        kill(gate)
        gate.process.returncode = 0
    for before, after in zip(numbers, numbers[1:]):
        assert before + BURST <= after < before + BURST + 100 * 600  # and small: there are peers with 32 bits


def test_a_folder_that_was_set_back_in_place_repeats_nothing(lights, group, capture, gateway, tmp_path):
    """Bytes and names as they were, which is what a file system's snapshot does."""
    state = make_state(tmp_path / "state", lights)
    file = settings(state, (group, lights))
    kept = (state / "castgate.db").read_bytes()
    (witness,) = [path.name for path in state.glob("castgate.generation-*")]
    tap = capture()
    gate = gateway(file)
    used = {number_of(gate, tap) for _ in range(20)}
    assert gate.stop() == 0
    (newer,) = state.glob("castgate.generation-*")
    newer.rename(state / witness)
    with open(state / "castgate.db", "r+b") as db:
        db.write(kept)
        db.truncate()
    gate = gateway(file)
    assert used.isdisjoint({number_of(gate, tap) for _ in range(20)})


def test_metrics_say_how_many_numbers_are_used(lights, group, gateway, tmp_path):
    gate = gateway(settings(make_state(tmp_path / "state", lights), (group, lights)))
    assert answered(gate)
    (line,) = [line for line in gate.request("/metrics", to=gate.admin).body.decode().splitlines()
               if line.startswith('castgate_sequence_numbers_used_ratio{security_group="lights"}')]
    assert BURST / 2**40 <= float(line.split()[1]) < 2 * BURST / 2**40


def fnv(data):
    value = 14695981039346656037
    for byte in data:
        value = (value ^ byte) * 1099511628211 % 2**64
    return value


def change_store(state, sql):
    """And makes the sum over all fields right, as only a test does."""
    with contextlib.closing(sqlite3.connect(state / "castgate.db")) as db:
        db.execute(sql)
        kinds = {"claimed": 0, "spent": 1, "moved": 2}
        rows = db.execute("SELECT id, state, next, created, written_ms, rate FROM sender").fetchall()
        home = db.execute("SELECT inode, born_ns, witness_inode, witness_born_ns, generation FROM home").fetchone()
        total = fnv(struct.pack("<5q", *home)) + sum(fnv(row[0] + struct.pack("<5q", kinds[row[1]], *row[2:])) for row in rows)
        total %= 2**64
        db.execute("UPDATE home SET sum = ?", (total - 2**64 if total >= 2**63 else total,))
        db.commit()


def test_numbers_that_run_out_are_a_warning(lights, group, gateway, tmp_path):
    state = make_state(tmp_path / "state", lights)
    file = settings(state, (group, lights))
    change_store(state, f"UPDATE sender SET next = {2**40 // 5 * 4 - 3 * BURST}")
    gate = gateway(file)
    assert answered(gate) and "sequence-numbers" not in gate.log()
    assert gate.stop() == 0
    change_store(state, f"UPDATE sender SET next = {2**40 // 5 * 4}")
    gate = gateway(file)
    assert answered(gate) and answered(gate)
    (line,) = [line for line in gate.log().splitlines() if "sequence-numbers" in line]
    assert "level=warning" in line and "security_group=lights" in line and "rekey" in line


def test_a_sender_without_numbers_does_not_send(lights, group, gateway, tmp_path):
    state = make_state(tmp_path / "state", lights)
    change_store(state, f"UPDATE sender SET next = {2**40 - BURST}")
    gate = gateway(settings(state, (group, lights)))
    reply = gate.request("/lights/status")
    assert reply.status == 503 and "exhausted" in reply.json()["detail"]


# --- broken stores

def test_a_broken_store_shows_and_recovers(lights, group, gateway, tmp_path):
    """Within seconds, though nobody sends; once in the log; and plain mappings do not mind."""
    state = make_state(tmp_path / "state", lights)
    gate = gateway(both(state, group, lights))
    assert answered(gate) and ready(gate) == (200, "ok\n")
    (state / "castgate.db").rename(tmp_path / "away")
    wait_until(lambda: ready(gate)[0] == 503)
    assert "castgate.db is missing" in ready(gate)[1]
    assert ready(gate)[1].endswith("(castgate-keys new-sender-id)\n"), "all ways out are said"
    assert serves_plain(gate)
    time.sleep(5)
    assert broken_lines(gate) == 1
    (tmp_path / "away").rename(state / "castgate.db")
    wait_until(lambda: ready(gate) == (200, "ok\n"))
    assert answered(gate)
    assert gate.log().count("the store can be used again") == 1 and broken_lines(gate) == 1


@pytest.mark.parametrize("length", [0, 100, 4096, 5000])
def test_a_truncated_store_ends_nothing(lights, group, gateway, tmp_path, length):
    """All files of it, under the running gateway: an error, not a signal."""
    state = make_state(tmp_path / "state", lights)
    gate = gateway(both(state, group, lights))
    assert answered(gate)
    kept = (state / "castgate.db").read_bytes()
    for file in filter(Path.is_file, state.iterdir()):
        os.truncate(file, min(length, file.stat().st_size))
    wait_until(lambda: ready(gate)[0] == 503)
    assert serves_plain(gate) and gate.running() and broken_lines(gate) == 1
    (state / "castgate.db").write_bytes(kept)
    wait_until(lambda: ready(gate)[0] == 200)
    assert answered(gate)
    assert not [line for line in open(f"/proc/{gate.process.pid}/maps") if "castgate.db" in line]


@pytest.fixture
def small_blocks(tmp_path):
    """A file system of 4 MB with blocks of 1 KiB."""
    folder, image = tmp_path / "disk", tmp_path / "image"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs root and mkfs.ext4")
    image.write_bytes(bytes(4 << 20))
    subprocess.run(["mkfs.ext4", "-q", "-b", "1024", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, folder], capture_output=True).returncode != 0:
        pytest.skip("needs loop devices")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(folder):
    """To the last block."""
    for size in (65536, 1024, 1):
        with open(folder / "filler", "ab", buffering=0) as filler, contextlib.suppress(OSError):
            while True:
                filler.write(bytes(size))


@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_a_full_disk_stops_no_command(lights, group, gateway, small_blocks, when):
    state = make_state(small_blocks / "state", lights)
    if when == "before the start":
        fill(small_blocks)
    gate = gateway(both(state, group, lights))
    if when == "while it runs":
        fill(small_blocks)
    for _ in range(20):
        assert answered(gate)
    assert ready(gate) == (200, "ok\n") and broken_lines(gate) == 0


def fill_all(folder, state):
    """What the store has kept for itself, too."""
    os.truncate(state / "castgate.db-journal", 0)
    fill(folder)


@pytest.mark.parametrize("when", ["before the start", "while it runs"])
def test_a_full_disk_with_small_blocks_ends_nothing(lights, group, gateway, small_blocks, when):
    state = make_state(small_blocks / "state", lights)
    if when == "before the start":
        fill_all(small_blocks, state)
    gate = gateway(both(state, group, lights))
    if when == "while it runs":
        wait_until((state / "admin.token").exists)  # what it writes at its start could be taken back, which would make room
        fill_all(small_blocks, state)
    wait_until(lambda: gate.request("/lights/status").status == 503)
    reply = gate.request("/lights/status")
    assert reply.status == 503 and "the disk is full" in reply.json()["detail"]
    assert serves_plain(gate)
    assert ready(gate)[0] == 503 and "the disk is full" in ready(gate)[1]
    time.sleep(3)
    assert broken_lines(gate) == 1
    (small_blocks / "filler").unlink()
    wait_until(lambda: answered(gate))
    wait_until(lambda: ready(gate)[0] == 200)
    assert broken_lines(gate) == 1


# --- slow disks

SLOW = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>
static void wait_for_disk(void) { if (access(getenv("CASTGATE_TEST_SLOW"), F_OK) == 0) sleep(5); }
int fsync(int fd) { wait_for_disk(); return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd); }
int fdatasync(int fd) { wait_for_disk(); return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd); }
"""


@pytest.fixture
def slow_disk(tmp_path, monkeypatch):
    """A file: while it exists, each fsync of the programs that are started takes five seconds."""
    if b"__asan_init" in (BUILD / "castgate").read_bytes():
        pytest.skip("the sanitizer wants to be loaded first")
    (tmp_path / "slow.c").write_text(SLOW)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "slow.so", tmp_path / "slow.c", "-ldl"], check=True)
    monkeypatch.setenv("CASTGATE_TEST_SLOW", str(tmp_path / "slow"))
    monkeypatch.setenv("LD_PRELOAD", str(tmp_path / "slow.so"))
    return tmp_path / "slow"


def test_a_gateway_on_a_slow_disk_listens_at_once(slow_disk, lights, group, gateway, tmp_path):
    file = both(make_state(tmp_path / "state", lights), group, lights)
    slow_disk.touch()
    begin = time.monotonic()
    gate = gateway(file)
    assert serves_plain(gate)
    assert time.monotonic() - begin < 5  # not one fsync
    wait_until(lambda: ready(gate)[0] == 503)
    assert "the store has not answered for" in ready(gate)[1]
    slow_disk.unlink()
    wait_until(lambda: ready(gate)[0] == 200)
    assert answered(gate)


@pytest.mark.parametrize("busy", [False, True])
def test_the_end_does_not_wait_for_a_slow_disk(slow_disk, lights, group, gateway, tmp_path, busy):
    gate = gateway(both(make_state(tmp_path / "state", lights), group, lights))
    assert answered(gate)
    slow_disk.touch()
    if busy:
        (tmp_path / "state" / "castgate.db").rename(tmp_path / "state" / "x")  # it will be opened anew
        wait_until(lambda: ready(gate)[0] == 503)
        (tmp_path / "state" / "x").rename(tmp_path / "state" / "castgate.db")
        wait_until(lambda: "has not answered" in ready(gate)[1])
    begin = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - begin < 9.5  # five seconds, and not for two of them
    slow_disk.unlink()
