"""Gateways that ask gateways, each on a link of its own with members of its own."""

import ctypes
import threading

from conftest import free_udp_port

CLONE_NEWNET = 0x40000000
COUNT = 2  # members of each


def inside(far, act):
    """What `act` does and starts is on the far side."""
    outcome = []

    def body():
        with open(f"/proc/{far.process.pid}/ns/net") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
        outcome.append(act())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert outcome, "see what the thread has said"
    return outcome[0]


class House:
    """Three levels: `top` serves clients here, `middle` and `bottom` are behind it, one behind the other. The members of each are
    127.1.0.*, 127.2.0.* and 127.3.0.*, on its own loopback."""

    def __init__(self, gateway, new_far, timeout=5, **more):
        self.middle_side, self.bottom_side = new_far(), new_far()
        self.middle_side.cable("lower1", "upper1", "10.7.1", hosts=1)
        self._cable()
        self.port, self.coap_port = free_udp_port(), free_udp_port()
        self.members = [f"127.{level}.0.{i + 1}:{self.port}" for level in (1, 2, 3) for i in range(COUNT)]
        self.fleets = [self.middle_side.start(*self._fleet(2)), self.bottom_side.start(*self._fleet(3))]
        self.bottom = inside(self.bottom_side, lambda: gateway(self._settings(None, "10.7.2.2", **more)))
        self.middle = inside(self.middle_side, lambda: gateway(self._settings("10.7.2.2", "10.7.1.2", **more)))
        self.top = gateway({"coap": {"listen": [f"coap://127.0.0.1:{self.coap_port}"]},
                            "mappings": [self.mapping("10.7.1.2", timeout=timeout, membership="complete", finish="all",
                                                      members=self.members, **more)]})

    def start_near(self, members, group):
        """The fleet of the top, by conftest's factory."""
        members(COUNT, group=group(self.port), bind="127.1.0.1")

    def _cable(self):
        middle, bottom = self.middle_side, self.bottom_side
        middle.run(f"ip link add name lower0 type veth peer name upper0 netns {bottom.process.pid}")
        middle.run("ip addr add 10.7.2.1/24 dev lower0")
        bottom.run("ip addr add 10.7.2.2/24 dev upper0")
        middle.run("ip link set lower0 up")
        bottom.run("ip link set upper0 up")

    def _fleet(self, level):
        return ["--plain", "--group", f"coap://224.0.1.187:{self.port}", "--count", COUNT, "--bind", f"127.{level}.0.1",
                "--interface", "lo"]

    def mapping(self, next_hop, **more):
        targets = [{"group": f"coap://224.0.1.187:{self.port}"}]
        if next_hop:
            targets.append({"next_hop": f"coap://{next_hop}/house"})
        return {"name": "house", "path": "/house", "targets": targets, "security": "none", "clients": ["anonymous"], **more}

    def _settings(self, next_hop, address, **more):
        return {"coap": {"listen": [{"address": f"coap://{address}:5683", "insecure": True}]},
                "mappings": [self.mapping(next_hop, timeout=5, **more)]}

    def cut(self):
        """Between the middle and the bottom."""
        self.middle_side.run("ip link set lower0 down")
