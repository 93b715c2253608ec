"""No memory: each single allocation of a session fails once, and so do all of several in a row. The gateway then says so, in
its reply or in a line of its log, loses nothing (the sanitizers look), and does the next thing as if nothing had been."""

import http.client
import os
import re
import signal
import ssl
import subprocess
import time
from pathlib import Path

import pytest

import e2e_conftest as e2e
import pki
from conftest import TOP, Gateway, free_tcp_port, free_udp_port, Group, IPV4_GROUP, plain_mapping
from preloaded import Shortage, environment
from protected import AUTHORIZED, Keys, ProtectedMembers, make_state, settings
from probe import wait_for

ORIGIN = "https://dashboard.example"
GRACEFUL = {200, 503, None}  # None: no room even for a reply, so the connection ends without one
IN_A_ROW = 25
# A start makes 9000 allocations, most of them OpenSSL's own when it sets itself up. $CASTGATE_START_STEP=1 fails every one (an hour).
START_STEP = int(os.environ.get("CASTGATE_START_STEP", "13"))


class Session:
    """A gateway with a plain group, a protected one and TLS. What it is asked for here takes milliseconds."""

    def __init__(self, tmp_path, members, new_group):
        self.folder = tmp_path
        self.shortage = Shortage(tmp_path)
        self.plain = members(3, bind="127.1.0.1")
        self.group = new_group()
        self.keys = Keys(tmp_path / "keys", 3, self.group.port, name="locks", first="127.2.0.1")
        self.next_keys = self.keys.rekeyed(tmp_path / "next")
        self.fleet = ProtectedMembers(self.keys, self.group, 3, "127.2.0.1", [], tmp_path / "locks.log")
        self.lone = Group(IPV4_GROUP, free_udp_port())
        self.lone_keys = Keys(tmp_path / "lone", 1, self.lone.port, name="lone", first="127.3.0.1")
        self.lone_fleet = ProtectedMembers(self.lone_keys, self.lone, 1, "127.3.0.1", ["--window-lost"], tmp_path / "lone.log")
        self.authority = pki.Authority(tmp_path / "ca")
        self.server = self.authority.issue("server", "serverAuth")
        self.client = self.authority.issue("client")
        self.tls = pki.context(self.authority, self.client)
        state = make_state(tmp_path / "state", self.keys, self.next_keys, self.lone_keys)
        short = {"timeout": 1.0}
        base = settings(state, (self.group, self.keys, short), (self.lone, self.lone_keys, short))
        relay = {"name": "relay", "path": "/relay", "group": self.plain.group.uri, "security": "relay", "timeout": 1,
                 "clients": ["anonymous"]}
        lamps = [{"name": f"lamp-{i + 1}", "address": text} for i, text in enumerate(self.plain.texts)]
        base["mappings"][0]["stand_in"] = "members"
        base["mappings"] += [plain_mapping(self.plain, clients=["anonymous", "card", "tester"], stand_in="members", members=lamps, **short), relay,
                             plain_mapping(self.plain, "hidden", anonymise=True, **short),
                             plain_mapping(self.plain, "open", timeout=0.1, membership="open", finish="deadline", members=[])]
        base["clients"]["card"] = {"certificate_sha256": pki.fingerprint(self.client[0])}
        base["http"] = {"listen": [f"127.0.0.1:{free_tcp_port()}"], "origins": [ORIGIN], "trusted_proxies": ["127.0.0.1"]}
        self.settings = base
        self.gate = None

    def start(self):
        tls = {"listen": [f"127.0.0.1:{free_tcp_port()}"],
               "tls": {"certificate": str(self.server[0]), "key": str(self.server[1]), "client_ca": str(self.authority.certificate)}}
        with self.shortage.environment():
            self.gate = Gateway({**self.settings, "admin": {"listen": [f"127.0.0.1:{free_tcp_port()}"]}, "http": tls}
                                if self.over_tls else self.settings, self.folder / "gate")
        self.gate.wait()

    over_tls = False

    def stop(self):
        self.shortage.cancel()
        programs = [one for one in (self.fleet, self.lone_fleet, self.gate) if one is not None]
        ends = [(one.stop(), one) for one in programs]
        for status, one in ends:
            assert status == 0, f"{status}: {one.log()[-3000:]}"

    def variant(self, number):
        """Other settings each time: with the next keys prepared, or not."""
        groups = dict(self.settings["security_groups"])
        if number % 2:
            groups["locks"] = {"file": str(self.keys.gateway), "next": str(self.next_keys.gateway)}
        return {**self.gate.settings, "security_groups": groups, "limits": {"exchanges": 500 + number % 7}}

    def reload(self, number=0):
        """The line that says how it ended."""
        seen = len(self.gate.log())
        self.gate.reload(self.variant(number))
        said = lambda: [line for line in self.gate.log()[seen:].splitlines()
                        if "the settings are in use" in line or "stay as they are" in line]
        return wait_for(said, pause=0.005)[-1]


def asked(call):
    """The status, or None where there was no reply."""
    try:
        return call().status
    except (ConnectionError, http.client.HTTPException, ssl.SSLError):
        return None


def get(path, accept="*/*", to="http", **headers):
    return lambda s: asked(lambda: s.gate.request(path, headers={"Accept": accept, **headers}, to=getattr(s.gate, to)))


def over_tls(path, **headers):
    return lambda s: asked(lambda: pki.request(s.gate.http, s.tls, path, headers=headers))


ACTIONS = {
    "mixed": get("/lights/status"),
    "json": get("/lights/status", "application/json"),
    "events": get("/lights/status", "text/event-stream"),
    "token": get("/lights/status", "application/json", **AUTHORIZED),
    "blocks": get("/lights/big", "application/json"),
    "open": get("/open/status", "application/json"),
    "page": get("/lights/status", "text/html"),
    "allowed origin": get("/lights/status", Origin=ORIGIN),
    "preflight": lambda s: asked(lambda: s.gate.request("/lights/status", "OPTIONS", {"Origin": ORIGIN, "Access-Control-Request-Method": "GET"})),
    "link from elsewhere": get("/lights/status", **{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}),
    "forwarded": get("/lights/status", "application/json", Forwarded='for="[2001:db8::1]:7"', Authorization=AUTHORIZED["Authorization"]),
    "one member": get("/lights/.member/lamp-1/status"),
    "one protected member": get("/locks/.member/locks-11/status"),
    "anonymous members": get("/hidden/status", "application/json"),
    "links": get("/.well-known/core?href=/lights"),
    "put": lambda s: asked(lambda: s.gate.request("/locks/light", "PUT", {**AUTHORIZED, "Content-Type": "text/plain"}, b"on")),
    "body": lambda s: asked(lambda: s.gate.request("/lights/status", "POST",
                                                   {"X-HTTP-Method-Override": "FETCH", "Multicast-Timeout": "0"}, b"?" * 900)),
    "protected mixed": get("/locks/status"),
    "protected json": get("/locks/status", "application/json"),
    "protected events": get("/locks/status", "text/event-stream"),
    "protected unicast": get("/lone/status", "application/json"),
    "protected blocks": get("/lone/big", "application/json"),
    "metrics": get("/metrics", to="admin"),
    "ready": get("/readyz", to="admin"),
}
# 504: what was answered found no memory, so nobody was heard.
UNHEARD = {name: GRACEFUL | {504} for name in ("open", "json", "token", "blocks", "protected json", "protected unicast",
                                              "protected blocks", "page", "forwarded", "one member", "one protected member",
                                              "anonymous members")}
EXPECTED = {"body": {204, 503, None}, "preflight": {204, 503, None}, "link from elsewhere": {403, 503, None}, **UNHEARD}


@pytest.fixture
def session(tmp_path, members, new_group):
    made = Session(tmp_path, members, new_group)
    yield made
    made.stop()


def check_health(session):
    """All is as it was before."""
    assert session.gate.running(), f"ended with {session.gate.process.returncode}"
    if session.over_tls:
        assert pki.request(session.gate.http, session.tls, "/lights/status").summary.get("answered") == 3
        return
    for path in "/lights/status", "/locks/status":
        reply = session.gate.request(path)
        assert (reply.status, reply.summary.get("answered")) == (200, 3), f"then: {reply}"


# Whose crashes are their own, as the manual says: GMP aborts, libtasn1 writes through what it was not given.
THEIRS = {"libgmp", "libtasn1", "libgnutls", "libhogweed", "libnettle"}
LIBRARY = re.compile(r"#\d+ 0x\w+\s+(?:in \S+ )?\(?(?:\S*/)?(lib(?:crypto|gnutls|gmp|hogweed|nettle|tasn1|uv))\.so")


def crashed_in(log):
    """The library whose own fault it was: the first frame that is not libc's is in it."""
    if "GNU MP: Cannot allocate memory" in log:
        return "libgmp"
    for line in log.splitlines():
        if "nptl/" in line or "interceptor" in line or not re.match(r"\s*#\d+ ", line):
            continue
        found = LIBRARY.search(line)
        return found and found[1]
    return None


def is_theirs(gate, where):
    """GnuTLS gives GMP an allocator that aborts without a word."""
    log = gate.log()
    silent = gate.process.returncode == -signal.SIGABRT and "event=bug" not in log and "Sanitizer" not in log
    return crashed_in(log) in THEIRS or (silent and "libgmp.so" in where)


def has_ended(program):
    """Or does within a moment: a sanitizer takes its time to tell why."""
    try:
        program.process.wait(timeout=2)
    except subprocess.TimeoutExpired:
        return False
    return True


def every_allocation(session, act, check, more=0, step=1):
    """act() again and again, until it needs no more allocations than have failed already. Returns how many those were."""
    nth, wrong, reached = 0, {}, True
    while reached:
        nth += step
        session.shortage.order(nth, more)
        try:
            outcome = act(nth)
            reached = session.shortage.failed > 0
            session.shortage.cancel()
            check(outcome, reached)
            check_health(session)
        except (AssertionError, OSError, http.client.HTTPException) as error:
            reached = session.shortage.failed > 0
            session.shortage.cancel()
            where = session.shortage.trace()
            if has_ended(session.gate) and is_theirs(session.gate, where):
                session.start()
                continue
            if where not in wrong:
                wrong[where] = f"allocation {nth}: {error!r}\n{session.gate.log()[-500:]}"
                print(f"{wrong[where]}\n    at {where}", flush=True)
            if not session.gate.running():
                session.start()
    assert not wrong, f"{len(wrong)} places\n" + "\n\n".join(f"{what}\n    at {where}" for where, what in wrong.items())
    return nth - 1


def check_status(session, allowed):
    def check(status, reached):
        assert status in (allowed if reached else allowed - {503, None}), str(status)
    return check


@pytest.mark.parametrize("more, step", [(0, 1), (IN_A_ROW, 3)], ids=["one", "several"])
@pytest.mark.parametrize("name", ACTIONS)
def test_a_request_without_memory_is_refused_and_the_next_one_served(session, name, more, step):
    session.start()
    check_health(session)
    act, allowed = ACTIONS[name], EXPECTED.get(name, GRACEFUL)
    count = every_allocation(session, lambda nth: act(session), check_status(session, allowed), more, step)
    assert count >= 10
    print(f"{name}: {count} allocations")


@pytest.mark.parametrize("more, step", [(0, 1), (IN_A_ROW, 3)], ids=["one", "several"])
def test_a_tls_connection_without_memory_is_refused_and_the_next_one_served(session, more, step):
    session.over_tls = True
    session.start()
    check_health(session)
    every_allocation(session, lambda nth: over_tls("/lights/status")(session), check_status(session, GRACEFUL), more, step)


@pytest.mark.parametrize("more, step", [(0, 1), (IN_A_ROW, 5)], ids=["one", "several"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_reload_without_memory_changes_nothing_and_says_so(session, tls, more, step):
    session.over_tls = tls
    session.start()

    def check(line, reached):
        assert reached or "the settings are in use" in line, line

    every_allocation(session, session.reload, check, more, step)


def start_once(session, arguments=()):
    """Runs the gateway until it is ready or has ended by itself; then ends it. (status, log)"""
    leaks = f"suppressions={Path(__file__).with_name('leaks_at_start.supp')}:print_suppressions=0"
    with session.shortage.environment(), environment(LSAN_OPTIONS=leaks):
        gate = Gateway(session.settings, session.folder / "gate", arguments)
    try:
        end = time.monotonic() + 30
        while gate.running() and "event=ready " not in gate.log() and time.monotonic() < end:
            time.sleep(0.005)
        ready = gate.running()
        return gate.stop(), gate.log(), ready
    finally:
        gate.process.kill()


def check_end(what, status, log, ready, trace):
    detail = f"{what}: status {status}\n{log[-3000:]}\n{trace}"
    if crashed_in(log) == "libcrypto" or "__sanitizer::CheckFailed" in log or "libuv" in trace.partition("castgate:")[0] and status == -signal.SIGABRT:
        return
    assert "Sanitizer" not in log and "event=bug" not in log, detail
    assert status in (0, 1, 2), detail
    assert ready or log.strip(), detail  # it says why


@pytest.mark.parametrize("more, step", [(0, START_STEP), (IN_A_ROW, 10 * START_STEP)], ids=["one", "several"])
def test_a_start_without_memory_ends_with_a_line_that_says_so(session, more, step):
    nth, wrong, reached = 0, {}, True
    while reached:
        nth += step
        session.shortage.order(nth, more)
        status, log, ready = start_once(session)
        reached = session.shortage.failed > 0
        trace = session.shortage.trace()
        try:
            check_end(f"allocation {nth}", status, log, ready, trace)
        except AssertionError as error:
            if trace not in wrong:
                print(error, flush=True)
            wrong.setdefault(trace, str(error))
    assert not wrong, f"{len(wrong)} places\n" + "\n\n".join(wrong.values())


def small(session, program, limit):
    """A gateway with so much address space."""
    wrapper = session.folder / "castgate"
    wrapper.write_text(f"#!/bin/sh\nulimit -v {limit // 1024}\nexec {program} \"$@\"\n")
    wrapper.chmod(0o755)
    before = e2e.BUILD
    e2e.BUILD = session.folder
    try:
        return Gateway(session.settings, session.folder / "small")
    finally:
        e2e.BUILD = before


@pytest.mark.parametrize("megabytes", [16, 32, 48, 64, 96, 128, 192, 256, 384])
def test_a_small_address_space_is_enough_or_said_to_be_too_small(session, megabytes):
    """Of a build without sanitizers, whose shadow takes terabytes."""
    plain = TOP / "build" / "castgate"
    if not plain.exists() or b"__asan_init" in plain.read_bytes():
        pytest.skip("needs build/castgate without sanitizers")
    gate = small(session, plain, megabytes << 20)
    try:
        end = time.monotonic() + 20
        while gate.running() and "event=ready " not in gate.log() and time.monotonic() < end:
            time.sleep(0.01)
        if gate.running():
            statuses = {asked(lambda: gate.request(path, headers=AUTHORIZED)) for path in ("/lights/status", "/locks/status") * 20}
            assert statuses <= GRACEFUL, gate.log()[-3000:]
        status = gate.stop()
    finally:
        gate.process.kill()
    assert status in (0, 1, 2, 127), gate.log()[-3000:]  # 127: ld.so found no room for the libraries
    assert gate.log().strip(), "it says nothing"
