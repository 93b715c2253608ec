"""What docker/README.md says of containers' networks, with the kernel's own parts of them: a device on a link, a host on it, and the
gateway in a namespace that stands for a container."""

import json
import os
import subprocess

import pytest

from conftest import BUILD, in_namespace
from links import Far, new_far, run  # noqa: F401

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs network namespaces")

DEVICE = "10.7.1.2:5683"


class Container(Far):
    """The gateway's namespace: `eth0` is what its network gives it."""

    def bridge(self):
        """Docker's default: a bridge of the host's, which routes what leaves it."""
        run("ip link add docker0 type bridge")
        run("ip addr add 10.8.0.1/24 dev docker0")
        run("ip link set docker0 up")
        run("sysctl -qw net.ipv4.ip_forward=1")
        self.plug("docker0")
        self.run("ip addr add 10.8.0.2/24 dev eth0")
        self.run("ip route add default via 10.8.0.1")

    def plug(self, bridge):
        run(f"ip link add host{self.process.pid} type veth peer name eth0 netns {self.process.pid}")
        run(f"ip link set host{self.process.pid} master {bridge} up")
        self.run("ip link set eth0 up")

    def lan(self, *kind):
        """An address of the devices' own link, by a second name of the host's interface."""
        made = subprocess.run(["ip", "link", "add", "link", "lan0", "name", "eth0", "netns", str(self.process.pid), "type", *kind],
                              capture_output=True, text=True)
        if "Unknown device type" in made.stderr:
            pytest.skip(f"this kernel has no {kind[0]}")
        assert made.returncode == 0, made.stderr
        self.run("ip addr add 10.7.1.100/24 dev eth0")
        self.run("ip link set eth0 up")

    def reaches(self, mapping):
        """Whether somebody answers a gateway here."""
        return gateway_reaches(self.folder, mapping, "eth0", self.enter)


def gateway_reaches(folder, mapping, interface, enter=()):
    mappings = [{"name": "multicast"}, {"name": "unicast", "members": [{"address": DEVICE, "multicast": False}], "membership": "complete"}]
    mappings = [{"path": f"/{one['name']}", "group": "coap://224.0.1.187/", "security": "none", "timeout": 1, "hops": 8, **one} for one in mappings]
    (folder / "castgate.json").write_text(json.dumps({"http": {"listen": []}, "coap": {"listen": []}, "admin": {"listen": []}, "state": "state",
                                                      "group": {"interface": interface}, "mappings": mappings}))
    done = subprocess.run([*enter, BUILD / "castgate", "-c", folder / "castgate.json", "--check", f"{mapping}/status"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1) and "result " in done.stdout, done.stdout + done.stderr
    return done.returncode == 0


@pytest.fixture
def device(new_far):  # noqa: F811
    """device(): one on a link of its own, where this host is lan0."""
    def start():
        far = new_far()
        far.cable("lan0", "dev0", "10.7.1")
        far.run("ip route add 10.8.0.0/24 via 10.7.1.1")
        far.start("--plain", "--interface", "dev0", "--bind", "10.7.1.2")
        return far
    return start


@pytest.fixture
def container(tmp_path):
    started = []

    def start():
        started.append(Container(tmp_path))
        return started[-1]

    yield start
    for one in started:
        one.close()


@in_namespace
def test_host(device, tmp_path):
    device()
    assert gateway_reaches(tmp_path, "multicast", "lan0")


@in_namespace
def test_bridge(device, container):
    """What is sent to one device is routed, what is sent to a group is not, however many hops it may take."""
    device()
    here = container()
    here.bridge()
    assert here.reaches("unicast")
    assert not here.reaches("multicast")


@in_namespace
def test_within_a_bridge(container):
    """Containers on the same bridge hear each other's multicasts."""
    here, other = container(), container()
    here.bridge()
    other.plug("docker0")
    other.run("ip addr add 10.8.0.3/24 dev eth0")
    other.start("--plain", "--interface", "eth0", "--bind", "10.8.0.3")
    assert here.reaches("multicast")


@in_namespace
def test_macvlan(device, container, tmp_path):
    """A container with a place on the link reaches the group; the host itself it does not reach."""
    device()
    here = container()
    here.lan("macvlan", "mode", "bridge")
    assert here.reaches("multicast")
    assert subprocess.run([*here.enter, "timeout", "2", "bash", "-c", "</dev/tcp/10.7.1.1/80"], capture_output=True).returncode == 124
    run("ip link add link lan0 name mac0 type macvlan mode bridge")
    run("ip addr add 10.7.1.101/32 dev mac0")
    run("ip link set mac0 up")
    run("ip route add 10.7.1.100/32 dev mac0")
    refused = subprocess.run([*here.enter, "timeout", "5", "bash", "-c", "</dev/tcp/10.7.1.101/80"], capture_output=True, text=True)
    assert "refused" in refused.stderr


@in_namespace
def test_ipvlan(device, container):
    device()
    here = container()
    here.lan("ipvlan", "mode", "l2")
    assert here.reaches("multicast")


@in_namespace
def test_ipvlan_that_routes(device, container):
    """Mode l3 carries no multicast."""
    device()
    here = container()
    here.lan("ipvlan", "mode", "l3")
    assert here.reaches("unicast")
    assert not here.reaches("multicast")
