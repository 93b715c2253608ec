"""Fixtures that start the real programs from build/ (or $CASTGATE_BUILD) on loopback. Every test has group ports of its own, so
that tests, demos and other runs on the same machine do not hear each other."""

import ctypes
import functools
import http.client
import itertools
import json
import os
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

import coap

TOP = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("CASTGATE_BUILD", TOP / "build"))
IPV4_GROUP = "224.0.1.187"
PATIENCE = 30  # seconds until a program must have started

# Below the range that the kernel hands out, above the ports of demos; in steps, since IPv6 members take ports behind the
# group's. Where a run begins depends on its process, so that runs at the same time rarely meet.
_all_ports = range(20000, 32000, 20)
_ports = itertools.islice(itertools.cycle(_all_ports), os.getpid() % len(_all_ports), None)
_all_tcp_ports = range(10000, 20000)
_tcp_ports = itertools.islice(itertools.cycle(_all_tcp_ports), os.getpid() * 7 % len(_all_tcp_ports), None)


def port_used(protocol, port):
    for table in Path("/proc/net").glob(protocol + "*"):
        for line in table.read_text().splitlines()[1:]:
            if int(line.split()[1].rpartition(":")[2], 16) == port:
                return True
    return False


def free_udp_port():
    return next(p for p in _ports if not port_used("udp", p))


def free_tcp_port():
    """Never the same twice in a row, nor one that a client's connection may get meanwhile."""
    return next(p for p in _tcp_ports if not port_used("tcp", p))


@dataclass(frozen=True)
class Group:
    address: str
    port: int

    @property
    def uri(self):
        return f"coap://[{self.address}]:{self.port}" if ":" in self.address else f"coap://{self.address}:{self.port}"

    @property
    def destination(self):
        """What sendto takes, for the loopback interface."""
        return (self.address, self.port, 0, 1) if ":" in self.address else (self.address, self.port)


class Program:
    """A process whose output goes to a file, and which must end well when it is told to."""

    def __init__(self, arguments, log, **more):
        self.log_file = log
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen([str(a) for a in arguments], stdin=subprocess.DEVNULL, stderr=stderr, **more)

    def log(self):
        return self.log_file.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def stop(self, how=signal.SIGTERM):
        """Ends it and returns its status."""
        if self.running():
            self.process.send_signal(how)
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"{self.process.args[0]} did not end after {how.name}:\n{self.log()}")
        finally:
            if self.process.stdout:
                self.process.stdout.close()
        return status


class Members(Program):
    """A running castgate-member. `addresses` are the members' own, first to last."""

    def __init__(self, group, count, bind, arguments, log):
        self.group, self.count = group, count
        super().__init__([BUILD / "castgate-member", "--plain", "--group", group.uri, "--count", count, "--bind", bind,
                          "--interface", "lo", *arguments], log, stdout=subprocess.PIPE, text=True)
        if ":" in bind:
            self.addresses = [(bind, group.port + i) for i in range(count)]
        else:
            first = int.from_bytes(socket.inet_aton(bind), "big")
            self.addresses = [(socket.inet_ntoa((first + i).to_bytes(4, "big")), group.port) for i in range(count)]

    def wait(self):
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        assert line == f"ready {self.count}\n", f"said {line!r}:\n{self.log()}"

    @property
    def texts(self):
        """The addresses as settings and replies write them."""
        return [f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip, port in self.addresses]


@dataclass
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    def json(self):
        return json.loads(self.body)

    @property
    def summary(self):
        """Castgate-Summary's numbers."""
        pairs = (item.strip().partition("=") for item in self.headers.get("Castgate-Summary", "").split(","))
        return {key: int(value) for key, _, value in pairs if value.isdigit()}


class Gateway(Program):
    """A running castgate. `http` and `admin` are (address, port), and so is `coap` where the settings have such a listener, which
    they do not by themselves; "coap": None writes nothing of it."""

    def __init__(self, settings, folder, arguments=()):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "state").mkdir(exist_ok=True)
        self.settings = {"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"]},
                         "admin": {"listen": [f"127.0.0.1:{free_tcp_port()}"]},
                         "state": "state", "group": {"interface": "lo"}, **settings,
                         "coap": {"listen": [], **(settings.get("coap") or {})}}
        if settings.get("coap", {}) is None:
            del self.settings["coap"]
        self.file = folder / "castgate.json"
        self.write_settings(self.settings)
        self.http, self.admin, self.coap = self._listener("http"), self._listener("admin"), self._listener("coap")
        super().__init__([BUILD / "castgate", "-c", self.file, *arguments], folder / "castgate.log",
                         stdout=subprocess.DEVNULL)

    def log(self):
        """What it has said. A thread of its own writes that, in a moment or, on a busy machine, later: when all threads sleep,
        and sleep again after more than the 2 ms for which that one gathers lines."""
        end, asleep = time.monotonic() + 1, 0
        while self.running() and asleep < 2 and time.monotonic() < end:
            time.sleep(0.01)
            asleep = asleep + 1 if self._sleeps() else 0
        return super().log()

    def _sleeps(self):
        tasks = Path(f"/proc/{self.process.pid}/task")
        try:
            return all((task / "stat").read_text().rpartition(")")[2].split()[0] == "S" for task in tasks.iterdir())
        except OSError:  # one has just ended
            return False

    def write_settings(self, settings):
        self.file.write_text(json.dumps(settings, indent=1))

    def reload(self, settings):
        """SIGHUP with other settings; the caller waits for what it expects."""
        self._let_it_make_its_first_token()
        self.write_settings(settings)
        self.process.send_signal(signal.SIGHUP)

    def _let_it_make_its_first_token(self):
        """Where it does: a change, which may read the file, too, and would take what is meant for the reload."""
        has_admin = any(client.get("role") == "admin" for client in self.settings.get("clients", {}).values())
        end = time.monotonic() + 2
        while self.admin and not has_admin and "admin.token" not in self.log() and time.monotonic() < end:
            time.sleep(0.02)

    def _listener(self, side):
        listen = self.settings.get(side, {}).get("listen")
        if not listen:
            return None
        text = listen[0] if isinstance(listen[0], str) else listen[0]["address"]
        address, _, port = text.rpartition("/")[2].rpartition(":")
        return address.strip("[]"), int(port)

    def wait(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.running(), f"castgate ended with {self.process.returncode}:\n{self.log()}"
            try:
                for address in filter(None, (self.http, self.admin)):
                    socket.create_connection(address, timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        pytest.fail(f"castgate does not listen:\n{self.log()}")

    def request(self, path, method="GET", headers=None, body=None, timeout=30, to=None):
        """One HTTP request on a connection of its own. `path` goes out as it is."""
        connection = http.client.HTTPConnection(*(to or self.http), timeout=timeout)
        start = time.monotonic()
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for key, value in (headers or {}).items():
                connection.putheader(key, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read(), time.monotonic() - start)
        finally:
            connection.close()

    def get_json(self, path, **more):
        """The aggregated reply as JSON; the status must be 200, or where nobody answered in the mapping's own time, 504."""
        headers = {"Accept": "application/json", **more.pop("headers", {})}
        reply = self.request(path, headers=headers, **more)
        silent = reply.status == 504 and reply.json()["answers"] == [] and "Multicast-Timeout" not in headers
        assert reply.status == 200 or silent, reply
        return reply.json()


class Capture:
    """Records what is sent to a group, as one more listener on loopback."""

    def __init__(self, group):
        ipv6 = ":" in group.address
        self.socket = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(group.destination)
        index = socket.if_nametoindex("lo")
        if ipv6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                                   socket.inet_pton(socket.AF_INET6, group.address) + struct.pack("=I", index))
        else:
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                                   struct.pack("=4s4si", socket.inet_aton(group.address), bytes(4), index))
        self.seen = []

    def datagrams(self, settle=0.3):
        """All (data, source) since the start, after nothing came for `settle` seconds."""
        while select.select([self.socket], [], [], settle)[0]:
            data, source = self.socket.recvfrom(65536)
            self.seen.append((data, source[:2]))
        return list(self.seen)

    def messages(self, settle=0.3):
        return [coap.Message.parse(data) for data, _ in self.datagrams(settle)]

    def close(self):
        self.socket.close()


def pytest_addoption(parser):
    parser.addoption("--count", type=int, default=25, help="how often test_kill.py kills the gateway")


@pytest.fixture
def group():
    """This test's group."""
    return Group(IPV4_GROUP, free_udp_port())


@pytest.fixture
def new_group():
    """More groups: new_group() or new_group("ff02::fd")."""
    return lambda address=IPV4_GROUP: Group(address, free_udp_port())


@pytest.fixture
def members(group, tmp_path):
    """members(count, *arguments, group=…, bind=…): starts castgate-member and waits until it listens. Each call in a test
    has addresses of its own: 127.1.0.1 and following, then 127.2.0.1, …"""
    started = []

    def start(count=10, *arguments, group=group, bind=None):
        number = len(started) + 1
        bind = bind or ("::1" if ":" in group.address else f"127.{number}.0.1")
        started.append(Members(group, count, bind, arguments, tmp_path / f"member{number}.log"))
        started[-1].wait()
        return started[-1]

    yield start
    for fleet in started:
        assert fleet.stop() == 0, fleet.log()


@pytest.fixture
def gateway(tmp_path):
    """gateway(settings, *arguments): starts castgate with these settings, completed with free ports, a state folder and the
    loopback interface. It must still run at the end of the test, unless the test stopped it, and end with status 0."""
    started = []

    def start(settings, *arguments):
        started.append(Gateway(settings, tmp_path / f"gateway{len(started) + 1}", arguments))
        started[-1].wait()
        return started[-1]

    yield start
    for one in started:
        assert one.stop() == 0, one.log()


@pytest.fixture
def capture(group):
    """capture() records this test's group, capture(other) another one."""
    started = []

    def start(which=group):
        started.append(Capture(which))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def endpoint():
    """A CoAP endpoint on 127.0.0.1."""
    with coap.Endpoint() as one:
        yield one


def plain_mapping(fleet, name="lights", **more):
    """A mapping of a fleet without protection, open to everybody."""
    return {"name": name, "path": f"/{name}", "group": fleet.group.uri, "security": "none", "timeout": 2,
            "membership": "complete", "finish": "all", "members": fleet.texts, "clients": ["anonymous"], **more}


CLONE_NEWNET = 0x40000000


def enter_namespace():
    """A network namespace for this thread, and all that it starts, with nothing but loopback. Returns the reason if there can be none."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) != 0:
        return os.strerror(ctypes.get_errno())
    subprocess.run("ip link set lo up".split(), check=True)
    return None


def pytest_configure(config):
    """Workers side by side must not hear each other's groups, nor take each other's ports."""
    if hasattr(config, "workerinput") and (reason := enter_namespace()) is not None:
        raise pytest.UsageError(f"no network namespace for a worker: {reason}")


def in_namespace(test):
    """Runs the test's body in a network namespace of its own, with IPv6 multicast on loopback. Only that thread is in it: what the
    fixtures' factories start there is too. Needs root."""

    def enter():
        if (reason := enter_namespace()) is not None:
            pytest.skip(f"no network namespace: {reason}")
        subprocess.run("ip -6 route add local ff00::/8 dev lo table local".split(), check=True)

    @functools.wraps(test)
    def wrapper(*args, **kwargs):
        outcome = []

        def body():
            try:
                enter()
                test(*args, **kwargs)
            except BaseException as e:  # a failed assertion, a skip: all of it belongs to the test
                outcome.append(e)

        thread = threading.Thread(target=body)
        thread.start()
        thread.join()
        if outcome:
            raise outcome[0]

    return wrapper


@pytest.fixture(scope="session")
def one_browser():
    """One for all tests of a worker that look at the admin page."""
    import page  # which only those need, and the browser's packages with it

    browser = page.start_browser()
    yield browser
    browser.quit()


@pytest.fixture
def admin_page(request, gateway):
    """admin_page(settings, at="mappings/floor3", token=…): starts a gateway whose administrator has page.TOKEN (or takes the one that
    is given instead of settings), and opens its page, signed in. At the end nothing must be in the console that no test expected."""
    opened = []

    def start(settings=None, **more):
        import page

        browser = request.getfixturevalue("one_browser")
        gate = settings if isinstance(settings, Gateway) else gateway({"clients": {"root": page.client()}, **(settings or {})})
        opened.append(page.Page(browser, gate, **more))
        return opened[-1]

    yield start
    for one in reversed(opened):
        one.close()
