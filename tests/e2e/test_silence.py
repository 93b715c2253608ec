"""Who is asked again, and how: by a second group request, by unicast, or by unicast from the start (R6, R7, R48)."""

from conftest import Group, in_namespace, plain_mapping
from links import new_far, run  # noqa: F401
from lossy import Tap as Wire, traffic
from probe import Tap, counter

REPAIR = {"unicast": True}
GROUP, PORT = "239.192.7.1", 5683


def ways(reply):
    return sorted(answer["via"] for answer in reply["answers"])


def elsewhere(members, group, bind=None):
    """A member that requests to the group do not get to: it is in another one."""
    return members(1, group=Group("224.0.1.186", group.port), bind=bind)


def test_a_member_out_of_reach_is_asked_by_unicast_R7(members, gateway, group):
    """R7: one multicast and one unicast request, one merged reply; without repair, and with a method that must not be repeated."""
    fleet, far = members(2), elsewhere(members, group)
    expected = [*fleet.texts, {"address": far.texts[0], "multicast": False}]
    gate = gateway({"mappings": [plain_mapping(fleet, members=expected, unsafe_methods=True, methods=["GET", "PUT"], timeout=20)]})
    with Tap(group) as tap:
        reply = gate.get_json("/lights/status")
        assert (ways(reply), reply["summary"]["ended_by"]) == (["multicast", "multicast", "unicast"], "all")
        assert [a["from"] for a in reply["answers"] if a["via"] == "unicast"] == far.texts
        assert len(tap.packets()) == 1
    assert counter(gate, "asked_total", "lights") == 1


def test_with_one_in_reach_nothing_is_cast_R6(members, gateway, group):
    fleet, far = members(1), elsewhere(members, group)
    expected = [*fleet.texts, {"name": "far", "address": far.texts[0], "multicast": False}]
    gate = gateway({"mappings": [plain_mapping(fleet, members=expected, timeout=20)]})
    with Tap(group) as tap:
        reply = gate.get_json("/lights/status")
        assert ways(reply) == ["unicast", "unicast"]
        assert tap.packets() == []
    assert (counter(gate, "sent_total", "lights"), counter(gate, "asked_total", "lights")) == (0, 2)


def test_who_is_never_reached_by_multicast_is_found_out_R7(members, gateway, group):
    """It answers unicast alone, time after time; then it is asked so from the start, and its answer does not take leisure any more."""
    fleet, far = members(2), elsewhere(members, group)
    expected = [*fleet.texts, *far.texts]
    gate = gateway({"mappings": [plain_mapping(fleet, members=expected, timeout=20, leisure=1, repair=REPAIR)]})
    waited = []
    for _ in range(6):
        reply = gate.get_json("/lights/status")
        assert (ways(reply), reply["missing"]) == (["multicast", "multicast", "unicast"], [])
        waited += [a["ms"] for a in reply["answers"] if a["via"] == "unicast"]
    assert waited[0] >= 1000 and waited[-1] < 1000


@in_namespace
def test_a_lost_group_request_is_followed_by_another_R48(new_far, gateway):  # noqa: F811
    """The first of each two group requests is lost on the far side: nobody has it, and the second one does for all."""
    far = new_far()
    far.cable("gw0", "lamps0", "10.7.1", hosts=4)
    far.start("--plain", "--group", f"coap://{GROUP}:{PORT}", "--count", 4, "--bind", "10.7.1.2", "--interface", "lamps0")
    far.run(f"iptables -A INPUT -d {GROUP} -p udp -m statistic --mode nth --every 2 --packet 0 -j DROP")
    mapping = {"name": "lights", "path": "/lights", "group": f"coap://{GROUP}:{PORT}", "security": "none", "timeout": 20, "leisure": 1,
               "membership": "complete", "repair": REPAIR, "members": [f"10.7.1.{2 + i}:{PORT}" for i in range(4)], "clients": ["anonymous"]}
    gate = gateway({"group": {"interface": "gw0"}, "mappings": [mapping]})
    wire = Wire("gw0")
    try:
        reply = gate.get_json("/lights/status")
    finally:
        wire.close()
    assert (ways(reply), reply["summary"]["ended_by"]) == (["multicast"] * 4, "all")
    seen = traffic(wire.datagrams())
    assert (seen.casts, seen.asks) == (2, 0)
    assert counter(gate, "sent_total", "lights") == 2
    casts = [d.message for d in wire.datagrams() if d.is_sent and d.is_request]
    assert len({m.token for m in casts}) == len({m.mid for m in casts}) == 2


@in_namespace
def test_small_group_under_loss_is_complete_R48(new_far, gateway):  # noqa: F811
    """A fifth is lost each way: every reply is complete, and no exchange has more than two group requests."""
    far = new_far()
    far.cable("gw0", "lamps0", "10.7.1", hosts=6)
    far.start("--plain", "--group", f"coap://{GROUP}:{PORT}", "--count", 6, "--bind", "10.7.1.2", "--interface", "lamps0")
    for chain in ("INPUT", "OUTPUT"):
        far.run(f"iptables -A {chain} -p udp -m statistic --mode random --probability 0.2 -j DROP")
    mapping = {"name": "lights", "path": "/lights", "group": f"coap://{GROUP}:{PORT}", "security": "none", "timeout": 60, "leisure": 0.5,
               "membership": "complete", "repair": REPAIR, "members": [f"10.7.1.{2 + i}:{PORT}" for i in range(6)], "clients": ["anonymous"]}
    gate = gateway({"group": {"interface": "gw0"}, "mappings": [mapping]})
    wire = Wire("gw0")
    try:
        replies = [gate.get_json("/lights/status", timeout=90) for _ in range(8)]
    finally:
        wire.close()
    assert sum(reply["missing"] == [] for reply in replies) >= 7, [reply["missing"] for reply in replies]
    seen = traffic(wire.datagrams())
    assert 8 <= seen.casts <= 16
    assert counter(gate, "sent_total", "lights") == seen.casts
