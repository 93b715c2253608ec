"""The gateway's life: clients that leave, reload, the end, and resources that run out."""

import contextlib
import hashlib
import os
import resource
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest

import coap
from conftest import BUILD, in_namespace, plain_mapping
from probe import (Later, Tap, answer_to, check_problem, counter, log_lines, metrics, running, sf_dictionary,
                   silent_mapping, wait_for)

NOW = {"Multicast-Timeout": "0"}


def start_request(gate, path, extra=b""):
    """A request that is under way, on a socket of its own."""
    s = socket.create_connection(gate.http, timeout=30)
    s.sendall(b"GET " + path.encode() + b" HTTP/1.1\r\nHost: localhost\r\n" + extra + b"\r\n")
    return s


def sockets(gate):
    """How many it has open; files come and go by themselves."""
    count = 0
    for descriptor in Path(f"/proc/{gate.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it has been closed meanwhile
            count += os.readlink(descriptor).startswith("socket:")
    return count


# --- clients that leave


@pytest.mark.parametrize("accept", [b"", b"Accept: text/event-stream\r\n"])
@pytest.mark.parametrize("reset", [False, True])
def test_the_client_leaves(gateway, group, reset, accept):
    """It is no error: the exchange ends at once, nothing of it is left, and late answers go nowhere."""
    gate = gateway({"mappings": [silent_mapping(group, timeout=50)]})
    with Tap(group) as tap, coap.Endpoint() as member:
        client = start_request(gate, "/silent/x", accept)
        packet = tap.next()
        wait_for(lambda: running(gate) == 1)
        member.send_bytes(packet.source, answer_to(packet.message, b"1"))
        wait_for(lambda: counter(gate, "datagrams_total") == 1)
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        wait_for(lambda: running(gate) == 0)
        member.send_bytes(packet.source, answer_to(packet.message, b"2"))
        wait_for(lambda: counter(gate, "late_total", "silent") == 1)
        assert gate.request("/silent/x", headers=NOW).status == 204
    assert [line["ended_by"] for line in log_lines(gate, "exchange")][0] == "client"
    assert log_lines(gate, "exchange")[0]["answered"] == "1"


def test_a_client_that_shuts_its_sending_side_gets_its_reply(gateway, group):
    """As `printf … | nc -N` does: the end of what it sends is not the end of its interest."""
    gate = gateway({"mappings": [silent_mapping(group, timeout=0.5)]})
    with Tap(group) as tap, coap.Endpoint() as member:
        client = start_request(gate, "/silent/x", b"")
        client.shutdown(socket.SHUT_WR)
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"1"))
        reply = b"".join(iter(lambda: client.recv(65536), b""))
        client.close()
    assert reply.startswith(b"HTTP/1.1 200 ") and b"answered=1" in reply
    assert [line["ended_by"] for line in log_lines(gate, "exchange")] == ["deadline"]


def test_many_clients_leave(gateway, group):
    """A hundred at once, while their exchanges run or wait for the group: no exchange, no socket is left."""
    gate = gateway({"limits": {"exchanges_per_client": 1000}, "group": {"interface": "lo", "nstart": 50},
                    "mappings": [silent_mapping(group, timeout=50)]})
    wait_for((gate.file.parent / "state/control.sock").exists)  # the last that it opens by itself
    before = sockets(gate)
    for _ in range(2):
        clients = [start_request(gate, f"/silent/{i}") for i in range(100)]
        wait_for(lambda: running(gate) == 100)
        for client in clients:
            client.close()
        wait_for(lambda: running(gate) == 0)
        wait_for(lambda: sockets(gate) <= before)
    assert len(log_lines(gate, "exchange")) == 200


def test_the_time_is_up(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group, timeout=1)]})
    reply = gate.request("/silent/x")
    assert reply.status == 504 and reply.seconds >= 1
    assert sf_dictionary(reply.headers["Castgate-Summary"])["ended_by"] == "deadline"
    assert running(gate) == 0


def test_a_client_that_reads_slowly_holds_nobody(members, gateway):
    """Its reply waits in the gateway; others are answered meanwhile."""
    fleet = members(400, "--resource", "/large=" + "x" * 1000)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    slow.connect(gate.http)
    slow.sendall(b"GET /lights/large HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    wait_for(lambda: counter(gate, "answered_total", "lights") == 400)
    for _ in range(3):
        assert gate.request("/lights/light").summary["answered"] == 400
    got = b""
    slow.settimeout(20)
    while piece := slow.recv(65536):
        got += piece
    assert got.count(b"x" * 1000) == 400
    slow.close()


# --- the end


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_end_waits_for_what_runs(members, gateway, how):
    """The reply still comes, whole; no new request is taken; status 0."""
    fleet = members(3, "--delay", "1500:1500")
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=60)]})
    pending = Later(gate.get_json, "/lights/status")
    wait_for(lambda: counter(gate, "sent_total", "lights") == 1)
    gate.process.send_signal(how)
    wait_for(lambda: gate.request("/readyz", to=gate.admin).status == 503)
    with pytest.raises(ConnectionRefusedError):
        gate.request("/lights/status")
    reply = pending.result()
    assert (reply["summary"]["answered"], reply["summary"]["ended_by"]) == (3, "all")
    assert gate.process.wait(timeout=20) == 0


def test_the_end_takes_five_seconds_at_most(members, gateway, group, new_group):
    """An exchange that would run for a minute ends with what it has."""
    fleet = members(3, group=new_group())
    gate = gateway({"mappings": [plain_mapping(fleet, members=fleet.texts + ["127.9.9.9:9"], timeout=60),
                                 silent_mapping(group, timeout=60)]})
    pending = Later(gate.get_json, "/lights/status")
    waiting = Later(gate.request, "/silent/x")
    stream = Later(gate.request, "/lights/light", headers={"Accept": "text/event-stream"})
    idle = socket.create_connection(gate.http)
    half = socket.create_connection(gate.http)
    half.sendall(b"GET /lights/status HTTP/1.1\r\nHost: loc")
    wait_for(lambda: running(gate) == 3 and counter(gate, "sent_total", "lights") == 2)
    start = time.monotonic()
    gate.process.send_signal(signal.SIGTERM)
    reply = pending.result()
    assert (reply["summary"]["answered"], reply["summary"]["missing"]) == (3, 1)
    assert reply["summary"]["ended_by"] == "limit"  # and not the time that the client knows
    assert waiting.result().status == 504
    assert b"event: summary" in stream.result().body
    assert gate.process.wait(timeout=30) == 0
    assert time.monotonic() - start < 30  # not the minute that they would have
    idle.close()
    half.close()


def test_the_end_of_an_idle_gateway_is_quick(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group)]})
    kept = [socket.create_connection(gate.http) for _ in range(3)] + [socket.create_connection(gate.admin)]
    kept[0].sendall(b"GET /silent/x HTTP/1.1\r\nHost: localhost\r\nMulticast-Timeout: 0\r\n\r\n")
    assert b" 204 " in kept[0].recv(4096)
    start = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - start < 5  # what those have that are not idle
    for s in kept:
        s.close()
    assert "stopping" in gate.log()


def test_a_second_signal_changes_nothing(members, gateway):
    fleet = members(2, "--delay", "1000:1000")
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=30)]})
    pending = Later(gate.get_json, "/lights/status")
    wait_for(lambda: counter(gate, "sent_total", "lights") == 1)
    for how in (signal.SIGTERM, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        gate.process.send_signal(how)
    assert pending.result()["summary"]["answered"] == 2
    assert gate.process.wait(timeout=20) == 0


# --- reload


def reloads(gate):
    return len(log_lines(gate, "reload"))


def test_reload_while_an_exchange_runs(members, gateway, new_group):
    """R4 in part: the running exchange ends under the settings it began with, new ones get the new settings."""
    old, new = members(3, "--delay", "1000:1000", group=new_group()), members(2, group=new_group())
    gate = gateway({"mappings": [plain_mapping(old, "old", timeout=30)]})
    pending = Later(gate.get_json, "/old/status")
    wait_for(lambda: counter(gate, "sent_total", "old") == 1)
    gate.reload({**gate.settings, "mappings": [plain_mapping(new, "old", path="/new")]})
    wait_for(lambda: gate.request("/new/status").status == 200)
    check_problem(gate.request("/old/status"), 404, "not-found")
    reply = pending.result()
    assert (reply["mapping"], reply["summary"]["answered"], reply["summary"]["ended_by"]) == ("old", 3, "all")
    assert sorted(a["from"] for a in reply["answers"]) == sorted(old.texts)
    # The same path may lead elsewhere now, and counters go on.
    gate.reload({**gate.settings, "mappings": [plain_mapping(new, "old")]})
    wait_for(lambda: gate.request("/old/status").summary.get("answered") == 2)
    assert counter(gate, "answered_total", "old") == 7
    assert running(gate) == 0


def test_reloads_that_come_together_end_with_the_latest_file(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group)]})
    for number in range(5):
        gate.reload({**gate.settings, "mappings": [silent_mapping(group, f"silent-{number}")]})
    wait_for(lambda: gate.request("/silent-4/x", headers=NOW).status == 204)
    assert gate.request("/silent-3/x", headers=NOW).status == 404
    assert gate.request("/silent/x", headers=NOW).status == 404


def many_mappings(group, count):
    return [silent_mapping(group, f"silent-{number}") for number in range(count)]


def test_the_end_comes_during_a_reload(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group)]})
    gate.reload({**gate.settings, "mappings": many_mappings(group, 20000)})
    assert gate.stop() == 0
    assert "stopping" in gate.log()


def test_a_long_reload_holds_nobody_up(gateway, group):
    """Requests are served while it lasts, under the settings of before; then under the others."""
    gate = gateway({"mappings": [silent_mapping(group)]})
    before = gate.request("/silent/x", headers=NOW)
    gate.reload({**gate.settings, "mappings": many_mappings(group, 20000)})
    meanwhile = gate.request("/silent/x", headers=NOW)
    assert (before.status, meanwhile.status) == (204, 204)
    wait_for(lambda: "the settings are in use" in gate.log())
    assert gate.request("/silent-19999/x", headers=NOW).status == 204
    assert gate.request("/silent/x", headers=NOW).status == 404
    assert metrics(gate)["castgate_loop_longest_turn_seconds"] < 0.25


# --- what a reload withdraws

TOKEN = {"Authorization": "Bearer t"}


def demo(token=b"t"):
    return {"demo": {"token_sha256": hashlib.sha256(token).hexdigest()}}


@pytest.fixture
def withdraw(gateway, group, new_group):
    """What a request gets that waits for a silent group while the settings change, and at once. Another one goes on."""
    def perform(changes):
        kept = silent_mapping(new_group(), "kept")
        gate = gateway({"clients": demo(), "mappings": [silent_mapping(group, clients=["demo"]), kept]})
        pending = Later(gate.request, "/silent/x", headers=TOKEN)
        other = Later(gate.request, "/kept/x", headers={"Multicast-Timeout": "3"})
        wait_for(lambda: counter(gate, "sent_total", "silent") == counter(gate, "sent_total", "kept") == 1)
        begun = time.monotonic()
        settings = {**gate.settings, **changes(kept)}
        gate.reload(settings)
        reply = pending.result()
        assert time.monotonic() - begun < 20
        assert other.result().status == 204
        assert running(gate) == 0
        return reply
    return perform


def test_a_removed_mapping_ends_what_runs_under_it(withdraw):
    reply = withdraw(lambda kept: {"mappings": [kept]})
    assert "mapping silent was removed" in check_problem(reply, 404, "not-found")["detail"]


def test_a_removed_client_loses_what_runs(withdraw, group):
    reply = withdraw(lambda kept: {"clients": {}, "mappings": [silent_mapping(group), kept]})
    assert "client demo was removed" in check_problem(reply, 401, "unauthorized")["detail"]


def test_another_token_ends_what_runs_by_the_old_one(withdraw):
    reply = withdraw(lambda kept: {"clients": demo(b"new")})
    assert "token of client demo was withdrawn" in check_problem(reply, 401, "unauthorized")["detail"]


def test_a_removed_grant_ends_what_runs_by_it(withdraw, group):
    reply = withdraw(lambda kept: {"mappings": [silent_mapping(group), kept]})
    assert "not in the clients of mapping silent" in check_problem(reply, 403, "forbidden")["detail"]


BAD_FILES = [
    ("{", "castgate.json"),
    ("", "castgate.json"),
    ('{"mappings": [{"name": "x", "group": "coaps://224.0.1.187", "security": "none"}]}', "/mappings/0/group"),
    ('{"nonsense": 1}', "/nonsense"),
    (None, "castgate.json"),
]


@pytest.mark.parametrize("content, expected", BAD_FILES)
def test_a_bad_file_changes_nothing(members, gateway, content, expected):
    """R2: it is refused as a whole, the log says why, and the settings in use go on working."""
    fleet = members(2)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    if content is None:
        gate.file.unlink()
    else:
        gate.file.write_text(content)
    gate.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "stay as they are" in gate.log())
    said = [line for line in log_lines(gate, "reload") if line["level"] == "error"]
    assert len(said) >= 2 and any(expected in line.get("at", "") + line.get("file", "") for line in said)
    assert gate.request("/lights/status").summary["answered"] == 2
    gate.reload({**gate.settings, "mappings": []})
    wait_for(lambda: gate.request("/lights/status").status == 404)


def test_reload_many_times(members, gateway):
    """Under load: no request fails, and nothing grows."""
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    stop = False

    def ask():
        count = 0
        while not stop:
            assert gate.request("/lights/status").summary["answered"] == 3
            count += 1
        return count

    asking = Later(ask)
    for number in range(30):
        gate.reload({**gate.settings, "limits": {"exchanges": 100 + number}})
        wait_for(lambda: gate.log().count("the settings are in use") > number)
    stop = True
    assert asking.result() > 10
    assert running(gate) == 0


def test_reload_applies_limits_and_clients(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group, clients=["anonymous"])]})
    assert gate.request("/silent/x", headers=NOW).status == 204
    gate.reload({**gate.settings, "clients": {"demo": {"token_sha256": hashlib.sha256(b"t").hexdigest()}},
                 "mappings": [silent_mapping(group, clients=["demo"])]})
    wait_for(lambda: gate.request("/silent/x", headers=NOW).status == 401)
    assert gate.request("/silent/x", headers={**NOW, "Authorization": "Bearer t"}).status == 204
    gate.reload({**gate.settings, "mappings": [silent_mapping(group, clients=["anonymous"])]})
    wait_for(lambda: gate.request("/silent/x", headers=NOW).status == 204)
    check_problem(gate.request("/silent/x", headers={**NOW, "Authorization": "Bearer t"}), 401, "unauthorized")


def test_reload_says_what_needs_a_restart(gateway, group):
    gate = gateway({"mappings": [silent_mapping(group)]})
    gate.reload({**gate.settings, "http": {"listen": ["127.0.0.1:1"]}, "group": {"interface": "lo", "receive_buffer": 8192}})
    wait_for(lambda: "the settings are in use" in gate.log())
    warnings = {line["at"]: line["msg"] for line in log_lines(gate, "reload") if line["level"] == "warning"}
    assert warnings == dict.fromkeys(("/http/listen", "/group/receive_buffer"), "changes take effect after a restart")
    assert gate.request("/silent/x", headers=NOW).status == 204


# --- what runs out


def test_an_exchange_keeps_no_more_than_its_memory(members, gateway):
    fleet = members(300, "--resource", "/large=" + "x" * 1000)
    gate = gateway({"limits": {"exchange_memory": 65536}, "mappings": [plain_mapping(fleet, timeout=1)]})
    reply = gate.get_json("/lights/large")
    summary = reply["summary"]
    assert 20 < summary["answered"] < 66 and len(reply["answers"]) == summary["answered"]
    assert summary["ended_by"] == "limit"
    assert summary["answered"] + summary["rejected"] + summary["kernel_drops"] == 300
    assert {r["reason"] for r in reply["rejected"]} == {"memory-limit"}
    assert gate.get_json("/lights/light")["summary"]["answered"] >= summary["answered"]  # nothing is left of it


def test_an_exchange_keeps_no_more_than_max_answers(members, gateway):
    fleet = members(50)
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=1, max_answers=20)]})
    reply = gate.get_json("/lights/status")
    assert (reply["summary"]["answered"], reply["summary"]["rejected"], reply["summary"]["ended_by"]) == (20, 30, "limit")
    assert {r["reason"] for r in reply["rejected"]} == {"max_answers"}
    assert counter(gate, "over_cap_total", "lights") == 30


def test_all_memory_together_is_limited(members, gateway):
    """503 with Retry-After, and the memory is there again afterwards."""
    fleet = members(300, "--resource", "/large=" + "x" * 1000)
    gate = gateway({"limits": {"total_memory": 131072}, "mappings": [plain_mapping(fleet, timeout=2)]})
    for _ in range(3):
        reply = gate.request("/lights/large")
        check_problem(reply, 503, "memory-limit")
        assert int(reply.headers["Retry-After"]) >= 1
    assert running(gate) == 0
    gate.reload({**gate.settings, "limits": {"total_memory": 1 << 24}})
    wait_for(lambda: gate.request("/lights/large").summary.get("answered") == 300)


def test_out_of_descriptors(members, gateway):
    """More connections than descriptors: who is connected is served, the others wait, and all is well afterwards."""
    fleet = members(3)
    gate = gateway({"mappings": [plain_mapping(fleet)]})
    used = max(int(fd.name) for fd in Path(f"/proc/{gate.process.pid}/fd").iterdir()) + 1
    first = socket.create_connection(gate.http, timeout=10)
    first.sendall(b"GET /lights/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert b" 200 " in first.recv(65536)
    resource.prlimit(gate.process.pid, resource.RLIMIT_NOFILE, (used + 10, used + 10))
    crowd = [socket.create_connection(gate.http, timeout=10) for _ in range(60)]
    wait_for(lambda: "http_accept" in gate.log())
    time.sleep(0.5)
    for _ in range(3):
        first.sendall(b"GET /lights/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in first.recv(65536)
    assert len(log_lines(gate, "http_accept")) <= 2  # it is said, not shouted
    cpu = cpu_seconds(gate)
    time.sleep(0.5)
    assert cpu_seconds(gate) - cpu < 0.3  # and it does not spin
    for s in crowd:
        s.close()
    first.close()
    wait_for(lambda: gate.request("/lights/status").summary.get("answered") == 3)
    assert running(gate) == 0


def cpu_seconds(gate):
    fields = Path(f"/proc/{gate.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_started_with_few_descriptors(members, gateway):
    """The front leaves room for everything else, whatever the limit is."""
    fleet = members(3)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (80, hard))
    try:
        gate = gateway({"mappings": [plain_mapping(fleet)]})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    crowd = [socket.create_connection(gate.http, timeout=10) for _ in range(200)]
    assert gate.request("/healthz", to=gate.admin).status == 200
    for s in crowd:
        s.close()
    wait_for(lambda: gate.request("/lights/status").summary.get("answered") == 3)


# --- interfaces


@in_namespace
def test_a_link_goes_down_and_up_again(gateway, new_group):
    """502 that says so, and no restart is needed; the same with the interface gone and made again."""
    def ip(text):
        subprocess.run(["ip", *text.split()], check=True)

    def make():
        ip("link add name out0 type veth peer name out1")
        ip("addr add 10.7.1.1/24 dev out0")
        ip("link set out1 up")
        ip("link set out0 up")
        subprocess.run(["sysctl", "-qw", "net.ipv4.conf.out1.accept_local=1", "net.ipv4.conf.out1.rp_filter=0"], check=True)

    make()
    group = new_group("239.7.7.7")
    gate = gateway({"group": {"interface": "out0"}, "mappings": [silent_mapping(group)]})

    def works():
        with Tap(group, "out1") as tap:
            return gate.request("/silent/x", headers=NOW).status == 204 and len(tap.packets()) == 1

    def refused():
        return gate.request("/silent/x", headers=NOW).status == 502

    wait_for(works)  # the kernel tells of carriers up to a second later, both ways
    for break_it, mend_it, detail in ((lambda: ip("link set out0 down"), lambda: ip("link set out0 up"), "down"),
                                      (lambda: ip("link set out1 down"), lambda: ip("link set out1 up"), "carrier"),
                                      (lambda: ip("addr del 10.7.1.1/24 dev out0"),
                                       lambda: ip("addr add 10.7.1.1/24 dev out0"), "IPv4 address"),
                                      (lambda: ip("link del out0"), make, "does not exist")):
        break_it()
        wait_for(refused)
        problem = check_problem(gate.request("/silent/x", headers=NOW), 502, "cannot-emit")
        assert "out0" in problem["detail"] and detail in problem["detail"], problem
        mend_it()
        wait_for(works)
    assert running(gate) == 0


@in_namespace
def test_the_only_interface_is_found(gateway, new_group):
    """group.interface null: the only one that is up and no loopback; none or several are an error that says so."""
    group = new_group("239.7.7.7")
    gate = gateway({"group": {"interface": None}, "mappings": [silent_mapping(group)]})
    problem = check_problem(gate.request("/silent/x", headers=NOW), 502, "cannot-emit")
    assert "interface" in problem["detail"]
    subprocess.run("ip link add name one0 type veth peer name two0".split(), check=True)
    for name, net in (("one0", 1), ("two0", 2)):
        subprocess.run(f"ip addr add 10.7.{net}.1/24 dev {name}".split(), check=True)
        subprocess.run(f"ip link set {name} up".split(), check=True)
    problem = check_problem(wait_for(lambda: gate.request("/silent/x", headers=NOW)), 502, "cannot-emit")
    wait_for(lambda: "one0" in gate.request("/silent/x", headers=NOW).json()["detail"])
    assert "two0" in gate.request("/silent/x", headers=NOW).json()["detail"]


@in_namespace
def test_a_single_member_that_cannot_be_reached(gateway, new_group):
    """R6 meets 502: the unicast request to the only member cannot be emitted, which is not the member's silence."""
    gate = gateway({"mappings": [silent_mapping(new_group(), membership="complete", members=["10.99.99.99:5683"], timeout=5)]})
    check_problem(gate.request("/silent/x"), 502, "cannot-emit")


def test_two_gateways_on_one_listener(gateway, group):
    """The second one says what is wrong and ends with an error."""

    gate = gateway({"mappings": [silent_mapping(group)]})
    second = subprocess.run([BUILD / "castgate", "-c", gate.file], capture_output=True, text=True, timeout=20)
    assert second.returncode not in (0, -6, -11)
    assert "cannot listen on" in second.stderr and "Address already in use" in second.stderr
    assert gate.request("/silent/x", headers=NOW).status == 204


@pytest.mark.skipif(b"__asan_init" in (BUILD / "castgate").read_bytes(), reason="the sanitizer keeps what is freed")
def test_nothing_is_left_of_many_exchanges(members, gateway):
    """Memory after a warm-up stays where it is, but for what the recorder may keep, which is off here."""
    fleet = members(5)
    gate = gateway({"recorder": {"memory": 0}, "mappings": [plain_mapping(fleet)]})

    def resident():
        return int(Path(f"/proc/{gate.process.pid}/statm").read_text().split()[1]) * 4

    def ask(count):
        for _ in range(count):
            assert gate.request("/lights/status", headers={"Accept": "application/json"}).summary["answered"] == 5

    ask(300)
    before = resident()
    ask(700)
    assert resident() - before < 1000  # KiB; tokens are remembered for 500 s, 100 bytes each
    assert metrics(gate)["castgate_exchanges_running"] == 0


def test_without_dev_null_it_says_so():
    """In a mount namespace whose /dev is empty."""
    ended = subprocess.run(["unshare", "-m", "sh", "-c", f"mount -t tmpfs none /dev && exec {BUILD}/castgate -V"],
                           capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "castgate: /dev/null cannot be opened for reading and writing: No such file or directory\n"
