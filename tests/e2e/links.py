"""Networks for tests that run in a namespace of their own (conftest.in_namespace): a far side in another namespace, cables to it, and
members there."""

import ctypes
import os
import select
import subprocess

import pytest

from conftest import BUILD, PATIENCE, Program
from probe import wait_for


def run(command):
    subprocess.run(command.split(), check=True)


def quiet_ipv6():
    """New interfaces have usable addresses at once (no duplicate address detection) and ask for no router."""
    run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0")


def wait_for_ipv6(interface):
    """Until the near end's fe80:: address can be used: the kernel makes it some time after the link is up."""
    def look():
        shown = subprocess.run(["ip", "-6", "-o", "addr", "show", "dev", interface, "scope", "link"], check=True,
                               capture_output=True, text=True).stdout
        return "fe80" in shown and "tentative" not in shown
    wait_for(look)


CLONE_NEWNS = 0x20000


def own_mounts():
    """What this thread mounts from now on is its own, and that of what it starts."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS) != 0:
        pytest.skip(f"no mount namespace: {os.strerror(ctypes.get_errno())}")
    run("mount --make-rprivate /")


def see_own_sysfs():
    """/sys/class/net shows the interfaces of the namespace in which it was mounted."""
    own_mounts()
    run("mount -t sysfs sysfs /sys")


class FarMembers(Program):
    """castgate-member on the far side."""

    def __init__(self, far, log, arguments):
        self.count = int(arguments[arguments.index("--count") + 1]) if "--count" in arguments else 1
        super().__init__([*far.enter, BUILD / "castgate-member", *arguments], log, stdout=subprocess.PIPE, text=True)
        ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE)
        line = self.process.stdout.readline() if ready else ""
        assert line == f"ready {self.count}\n", f"said {line!r}:\n{self.log()}"


class Far:
    """Another network namespace. Cables lead there from the one of the calling thread."""

    def __init__(self, tmp_path):
        self.folder, self.members = tmp_path, []
        self.process = subprocess.Popen(["unshare", "-n", "sh", "-c", "echo ready; exec sleep infinity"], stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n"
        self.enter = ["nsenter", "-t", str(self.process.pid), "-n"]
        self.run("ip link set lo up")
        self.run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0")

    def run(self, command):
        subprocess.run([*self.enter, *command.split()], check=True)

    def cable(self, near, far, net=None, hosts=3):
        """An Ethernet cable `near`—`far`. With `net` "10.7.1" the near end is 10.7.1.1, the far end 10.7.1.2 and following."""
        run(f"ip link add name {near} type veth peer name {far} netns {self.process.pid}")
        if net:
            run(f"ip addr add {net}.1/24 dev {near}")
            for i in range(hosts):
                self.run(f"ip addr add {net}.{2 + i}/24 dev {far}")
        run(f"ip link set {near} up")
        self.run(f"ip link set {far} up")
        wait_for(lambda: "state UP" in subprocess.run(["ip", "link", "show", near], capture_output=True, text=True).stdout)

    def link_local(self, interface):
        """Its fe80:: address."""
        def look():
            out = subprocess.run([*self.enter, "ip", "-6", "-o", "addr", "show", "dev", interface, "scope", "link"], check=True,
                                 capture_output=True, text=True).stdout
            return "tentative" not in out and out.split()[3].partition("/")[0] if out else None
        return wait_for(look)

    def start(self, *arguments):
        """castgate-member with these arguments."""
        self.members.append(FarMembers(self, self.folder / f"far{len(self.members)}.log", [str(a) for a in arguments]))
        return self.members[-1]

    def close(self):
        try:
            for one in self.members:
                if one.running():
                    assert one.stop() == 0, one.log()
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()


@pytest.fixture
def new_far(tmp_path):
    """new_far(): the other side of cables; call it in the test's body, which is in its namespace."""
    started = []

    def start():
        started.append(Far(tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.close()


class Lan:
    """Hosts on one link, as 10.9.0.1 and following, each with a program. The namespace of the calling thread is on it as 10.9.0.254, by br0."""

    def __init__(self):
        self.hosts = []
        run("ip link add br0 type bridge mcast_snooping 0")
        run("ip addr add 10.9.0.254/24 brd + dev br0")
        run("ip link set br0 up")

    def host(self, command, *commands, **more):
        """One more host, which runs this on its interface eth0 after `ip` did these; its address."""
        number = len(self.hosts) + 1
        # Its network namespace is there once the shell says so; the program begins when its link is up.
        host = subprocess.Popen(["unshare", "-n", "sh", "-c", 'echo there; read go; exec "$0" "$@"', *map(str, command)],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, **{"stderr": subprocess.STDOUT, **more})
        self.hosts.append(host)
        assert host.stdout.readline() == b"there\n"
        run(f"ip link add host{number} type veth peer name eth0 netns {host.pid}")
        run(f"ip link set host{number} master br0 up")
        for words in ("link set lo up", f"addr add 10.9.0.{number}/24 brd + dev eth0", "link set eth0 up", "route add 224.0.0.0/4 dev eth0",
                      *commands):
            run(f"nsenter -t {host.pid} -n ip {words}")
        host.stdin.write(b"go\n")
        host.stdin.flush()
        return f"10.9.0.{number}"

    def close(self):
        for host in self.hosts:
            host.kill()
            host.wait()
            host.stdin.close()
            host.stdout.close()


@pytest.fixture
def new_lan():
    """new_lan(): hosts on one link; call it in the test's body, which is in its namespace."""
    started = []

    def start():
        started.append(Lan())
        return started[-1]

    yield start
    for one in started:
        one.close()
