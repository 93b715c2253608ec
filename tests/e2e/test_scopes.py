"""Groups of both families and every scope, on real links (veth pairs): which interface a request leaves by, members with link-local
addresses, interfaces that come and go (R42)."""

import subprocess

from conftest import in_namespace
from links import new_far, quiet_ipv6, run, wait_for_ipv6  # noqa: F401
from probe import check_problem, wait_for

PORT = 17800
SCOPES = ("ff02::7:7", "ff03::7:7", "ff04::7:7", "ff05::7:7", "224.0.0.77", "239.255.7.7", "239.192.7.7", "224.0.1.187")


def endpoint(ip, port=PORT):
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def mapping(name, group, port=PORT, **more):
    return {"name": name, "path": f"/{name}", "group": f"coap://{endpoint(group, port)}", "security": "none", "timeout": 2,
            "clients": ["anonymous"], **more}


def serve(far, group, bind, interface, *more):
    return far.start("--plain", "--group", f"coap://{endpoint(group)}", "--bind", bind, "--interface", interface, *more)


def index_of(interface):
    return int(subprocess.run(["ip", "-o", "link", "show", interface], check=True, capture_output=True, text=True).stdout.split(":")[0])


@in_namespace
def test_every_scope_by_the_mappings_own_interface(gateway, new_far):
    """R42: IPv4 and IPv6, link, realm, admin and site; the same group on two links at once. Each mapping's members, and only they,
    answer; one mapping has both links."""
    quiet_ipv6()
    members, mappings = {}, []
    for name, net in (("left", 1), ("right", 2)):
        far = new_far()
        far.cable(f"{name}0", f"{name}1", f"10.7.{net}")
        run(f"ip addr add fd00:{net}::1/64 dev {name}0 nodad")
        far.run(f"ip addr add fd00:{net}::2/64 dev {name}1 nodad")
        for group in SCOPES:
            members[group, name] = endpoint(f"fd00:{net}::2" if ":" in group else f"10.7.{net}.2", PORT + SCOPES.index(group))
        for group in SCOPES:
            port = PORT + SCOPES.index(group)
            bind = members[group, name].rpartition(":")[0].strip("[]")
            far.start("--plain", "--group", f"coap://{endpoint(group, port)}", "--bind", bind, "--interface", f"{name}1")
            mappings.append(mapping(f"{name}{port}", group, port, interface=f"{name}0", timeout=0.5))
    for group in SCOPES:
        port = PORT + SCOPES.index(group)
        both = mapping(f"both{port}", group, port, members=[members[group, "left"], members[group, "right"]], membership="complete")
        uri = both.pop("group")
        mappings.append({**both, "targets": [{"group": uri}, {"group": uri, "interface": "right0"}]})
    gate = gateway({"group": {"interface": "left0"}, "mappings": mappings})
    for group in SCOPES:
        port = PORT + SCOPES.index(group)
        for name in ("left", "right"):
            reply = gate.get_json(f"/{name}{port}/status")
            assert [a["from"] for a in reply["answers"]] == [members[group, name]], group
        reply = gate.get_json(f"/both{port}/status")
        assert sorted(a["from"] for a in reply["answers"]) == sorted([members[group, "left"], members[group, "right"]])
        assert reply["summary"]["ended_by"] == "all"


@in_namespace
def test_members_with_link_local_addresses(gateway, new_far):
    """Their zone is shown, is matched where the settings have it, and needs not be there: the mapping's interface says it."""
    quiet_ipv6()
    far = new_far()
    for name in ("left", "right"):
        far.cable(f"{name}0", f"{name}1")
        wait_for_ipv6(f"{name}0")
    left, right = far.link_local("left1"), far.link_local("right1")
    for bind, interface in ((left, "left1"), (right, "right1")):
        serve(far, "ff02::7:7", bind, interface, "--count", 2)
    zone = f"%{index_of('left0')}"
    both_members = [{"name": f"lamp-{i}", "address": f"[{left}]:{PORT + i}"} for i in range(2)]
    gate = gateway({"mappings": [
        mapping("zoned", "ff02::7:7", interface="left0", members=[f"[{left}{zone}]:{PORT + i}" for i in range(2)], membership="complete"),
        mapping("bare", "ff02::7:7", interface="left0", members=both_members, membership="complete"),
        mapping("wrong", "ff02::7:7", interface="left0", members=[endpoint(right)], timeout=0.5)]})
    wanted = sorted(f"[{left}{zone}]:{PORT + i}" for i in range(2))
    for name in ("zoned", "bare"):
        reply = gate.get_json(f"/{name}/status")
        assert sorted(a["from"] for a in reply["answers"]) == wanted
        assert reply["summary"]["ended_by"] == "all"
        assert sorted(a["member"] for a in reply["answers"]) == (wanted if name == "zoned" else ["lamp-0", "lamp-1"])
    reply = gate.get_json("/wrong/status")
    assert reply["summary"]["missing"] == 1 and len(reply["answers"]) == 2


@in_namespace
def test_unicast_to_link_local_members(gateway, new_far):
    """Silent members are asked over fe80::, with and without a configured zone; a single one is asked at once (R6); blocks, too."""
    quiet_ipv6()
    far = new_far()
    for name in ("left", "right"):
        far.cable(f"{name}0", f"{name}1")
        wait_for_ipv6(f"{name}0")
    left = far.link_local("left1")
    serve(far, "ff02::8:8", left, "left1", "--count", 2, "--resource", "/large=" + "x" * 3000)  # deaf to ff02::7:7
    zone = f"%{index_of('left0')}"
    bare = [f"[{left}]:{PORT + i}" for i in range(2)]
    zoned = [f"[{left}{zone}]:{PORT + i}" for i in range(2)]
    repaired = {"repair": {"unicast": True}, "interface": "left0", "membership": "complete"}
    gate = gateway({"mappings": [
        mapping("bare", "ff02::7:7", members=bare, **repaired), mapping("zoned", "ff02::7:7", members=zoned, **repaired),
        mapping("only", "ff02::7:7", members=bare[:1], interface="left0", membership="complete")]})
    for name in ("bare", "zoned"):
        reply = gate.get_json(f"/{name}/status")
        assert sorted((a["from"], a["via"]) for a in reply["answers"]) == [(m, "unicast") for m in zoned]
        assert reply["summary"]["ended_by"] == "all"
    reply = gate.get_json("/only/large")
    assert [(a["from"], a["via"], a["body"]) for a in reply["answers"]] == [(zoned[0], "unicast", "x" * 3000)]


@in_namespace
def test_an_interface_that_comes_and_goes(gateway, new_far):
    """Without a restart, without a reload, and with another index each time."""
    quiet_ipv6()
    far = new_far()
    run("ip link add spare0 type veth peer name spare1")  # so that the index changes
    members = [{"name": "lamp", "address": f"[fe80::7]:{PORT}"}]
    gate = gateway({"group": {"interface": "late0"}, "mappings": [mapping("six", "ff02::7:7", members=members, timeout=0.5),
                                                                  mapping("four", "239.7.7.7", timeout=0.5)]})
    indexes = set()
    for turn in range(3):
        for name in ("six", "four"):
            problem = check_problem(gate.request(f"/{name}/status"), 502, "cannot-emit")
            assert problem["detail"] == 'interface "late0" does not exist'
        far.cable("late0", "late1", "10.7.1")
        wait_for_ipv6("late0")
        indexes.add(index_of("late0"))
        far.run("ip addr add fe80::7/64 dev late1 nodad")
        six, four = serve(far, "ff02::7:7", "fe80::7", "late1"), serve(far, "239.7.7.7", "10.7.1.2", "late1")
        reply = gate.get_json("/six/status")
        assert [(a["member"], a["from"]) for a in reply["answers"]] == [("lamp", f"[fe80::7%{index_of('late0')}]:{PORT}")]
        assert [a["from"] for a in gate.get_json("/four/status")["answers"]] == [f"10.7.1.2:{PORT}"]
        run("ip link set late0 down")
        problem = check_problem(gate.request("/six/status"), 502, "cannot-emit")
        assert problem["detail"] == 'interface "late0" is down'
        assert (six.stop(), four.stop()) == (0, 0)
        run("ip link del late0")
        run(f"ip link add filler{turn} type veth peer name fillerx{turn}")
    assert len(indexes) == 3


@in_namespace
def test_the_only_interface_is_found_anew(gateway, new_far):
    """No interface configured: the only one that can, whichever that is at the moment; two are one too many."""
    far = new_far()
    gate = gateway({"group": {"interface": None}, "mappings": [mapping("four", "239.7.7.7", timeout=0.5)]})
    assert "no interface but loopback" in check_problem(gate.request("/four/status"), 502, "cannot-emit")["detail"]
    far.cable("one0", "one1", "10.7.1")
    serve(far, "239.7.7.7", "10.7.1.2", "one1")
    assert [a["from"] for a in gate.get_json("/four/status")["answers"]] == [f"10.7.1.2:{PORT}"]
    far.cable("two0", "two1", "10.7.2")
    detail = check_problem(gate.request("/four/status"), 502, "cannot-emit")["detail"]
    assert "several interfaces could carry the multicast (" in detail and "one0" in detail and "two0" in detail
    run("ip link del one0")
    serve(far, "239.7.7.7", "10.7.2.2", "two1")
    wait_for(lambda: [a["from"] for a in gate.get_json("/four/status")["answers"]] == [f"10.7.2.2:{PORT}"])


@in_namespace
def test_an_interface_by_its_other_name_and_addresses_that_change(gateway, new_far):
    """An alternative name, addresses with labels, and addresses that go and come under the running gateway."""
    quiet_ipv6()
    far = new_far()
    far.cable("left0", "left1", "10.7.1")
    name = "the-cable-to-the-lamps-of-the-third-floor"
    run(f"ip link property add dev left0 altname {name}")
    run("ip addr flush dev left0")
    run("ip addr add 10.7.1.1/24 dev left0 label left0:1")
    serve(far, "224.0.1.187", "10.7.1.2", "left1")
    gate = gateway({"group": {"interface": name}, "mappings": [mapping("lights", "224.0.1.187", timeout=1)]})

    def answers():
        reply = gate.request("/lights/status", headers={"Accept": "application/json", "Multicast-Timeout": "1"})
        return [a["from"] for a in reply.json()["answers"]] if reply.status == 200 else reply.json().get("detail")

    assert answers() == [endpoint("10.7.1.2")]
    run("ip addr del 10.7.1.1/24 dev left0")
    assert answers() == 'interface "left0" has no IPv4 address'
    run("ip addr add 10.7.1.9/24 dev left0 label left0:home")
    assert answers() == [endpoint("10.7.1.2")]
