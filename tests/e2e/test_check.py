"""castgate --check: what it tells of a group that answers, and which of the first day's mistakes it finds when nobody does."""

import json
import re
import subprocess
import time

import pytest

import coap
from conftest import BUILD, in_namespace, plain_mapping
from links import new_far, quiet_ipv6, run, see_own_sysfs  # noqa: F401
from probe import Later, Tap, answer_to, silent_mapping, wait_for


def check(folder, settings, mapping, *arguments):
    """(status, text, {label: [values]}, [hints])"""
    (folder / "state").mkdir(exist_ok=True)
    file = folder / "check.json"
    file.write_text(json.dumps({"state": "state", **settings}))
    return check_file(file, mapping, *arguments)


def check_file(file, mapping, *arguments):
    done = subprocess.run([BUILD / "castgate", "-c", file, "--check", mapping, *arguments], capture_output=True, text=True,
                          timeout=60)
    print(done.stdout, done.stderr)
    text, _, tail = done.stdout.partition("hints\n")
    fields, label = {}, None
    for line in text.splitlines():
        label = line[:16].strip() or label
        fields.setdefault(label, []).append(line[16:])
    hints = re.sub(r"\n    (?! )", " ", tail).splitlines()
    assert "Sanitizer" not in done.stderr
    return done.returncode, done.stdout + done.stderr, fields, hints


def group_mapping(uri, **more):
    return {"name": "lights", "path": "/lights", "group": uri, "security": "none", "timeout": 1, "leisure": 1,
            "clients": ["anonymous"], **more}


URI = "coap://239.7.7.7:17700/status"
NEAR, FAR = "near0", "far0"


def settings(interface=NEAR, uri=URI, group={}, **more):
    return {"group": {"interface": interface, **group}, "mappings": [group_mapping(uri, **more)]}


def three(far, interface=FAR, net="10.7.1", group="coap://239.7.7.7:17700"):
    return far.start("--plain", "--group", group, "--count", 3, "--bind", f"{net}.2", "--interface", interface)


MEMBERS = [f"10.7.1.{i}:17700" for i in (2, 3, 4)]


@in_namespace
def test_a_healthy_group(new_far, tmp_path):
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    three(far)
    status, text, fields, hints = check(tmp_path, settings(members=MEMBERS, membership="complete"), "lights")
    assert status == 0
    assert fields["mapping"] == ["lights, no protection, answers for 1 s"]
    assert re.fullmatch(r"near0, index \d+, up, running, multicast, MTU 1500", fields["interface"][0])
    assert re.fullmatch(r"10\.7\.1\.1:\d+", fields["source"][0])
    assert fields["hops"] == ["1"]
    size, decoded, *dump = fields["datagram"]
    datagram = bytes.fromhex("".join(dump))
    assert size == f"{len(datagram)} bytes to 239.7.7.7:17700"
    assert re.fullmatch(rf'NON GET, MID \d+, token {datagram[4:12].hex()}, Uri-Path "status"', decoded)
    assert [re.fullmatch(r"(\S+) +2\.05 +\d+ ms  not verified, \d+ bytes", a)[1] for a in fields["answers"]] == MEMBERS
    assert fields["arrived"] == ["3 datagrams for the gateway's port at this host's interfaces, 3 of them at the gateway"]
    assert fields["receive buffer"] == ["4194304 bytes asked for, 4194304 got; kernel drops: 0"]
    assert fields["result"][0].startswith("3 answered of 3 expected, 0 rejected, 0 late, 0 duplicates; ended by all after ")
    assert hints == []


@in_namespace
def test_some_are_silent(new_far, tmp_path):
    """One whose program does not run, one that is no host at all: pinged, and told with what ICMP and ARP say."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1", hosts=4)
    three(far)
    status, text, fields, hints = check(
        tmp_path, settings(members=MEMBERS + ["10.7.1.5:17700", {"name": "lamp-9", "address": "10.7.1.9:17700"}]), "lights")
    assert status == 0
    assert fields["silent"][0] == "10.7.1.5:17700: ping by unicast: port unreachable: nothing listens there, says 10.7.1.5"
    assert fields["silent"][1].startswith("lamp-9: ")
    assert hints[0].startswith("  - nothing listens at port 17700 of member 10.7.1.5:17700: its program does not run, or the port is wrong")
    assert hints[1].startswith("  - member lamp-9 is not there: no host on the link says that it has this address")


@in_namespace
def test_the_wrong_interface(new_far, tmp_path):
    """The members are behind the other cable."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    far.cable("other0", "other1", "10.7.2")
    three(far, "other1", "10.7.2")
    members = [f"10.7.2.{i}:17700" for i in (2, 3, 4)]
    status, text, fields, hints = check(tmp_path, settings(members=members), "lights")
    assert status == 1 and fields["answers"] == ["none"]
    assert len(hints) == 1
    assert hints[0] == ('  - the wrong interface: member 10.7.2.2:17700 (and 2 more) is reached by other0, but the group request left by '
                        'near0. Set "interface": "other0".')
    status, _, _, hints = check(tmp_path, settings("other0", members=members), "lights")
    assert (status, hints) == (0, [])


@in_namespace
def test_the_wrong_interface_of_an_open_group(new_far, tmp_path):
    """Nobody is known, but the routing table has an opinion."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    far.cable("other0", "other1", "10.7.2")
    three(far, "other1", "10.7.2")
    run("ip route add 239.7.7.7 dev other0")
    status, _, _, hints = check(tmp_path, settings(), "lights")
    assert status == 1
    assert any("the settings send by near0, while this host's routing table has other0 for 239.7.7.7" in h for h in hints)


@in_namespace
def test_interfaces_that_cannot_send(new_far, tmp_path):
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    far.cable("bare0", "bare1")
    run("ip link add down0 type veth peer name down1")
    for interface, problem in (("down0", 'interface "down0" is down'), ("bare0", 'interface "bare0" has no IPv4 address'),
                               ("eth9", 'interface "eth9" does not exist')):
        status, text, fields, hints = check(tmp_path, settings(interface), "lights")
        assert status == 1 and fields["interface"] == [f"none: {problem}"]
        assert fields["result"] == [f"no request, no reply: {problem}"]
        assert "near0 (10.7.1.1)" in hints[0] and "bare0 (no IPv4 address)" in hints[0] and "down0 (" not in hints[0]
    status, text, fields, hints = check(tmp_path, settings("lo"), "lights")
    assert status == 1 and "none of them has joined the group there" in hints[0] and "near0 (10.7.1.1)" in hints[1]
    status, text, fields, hints = check(tmp_path, settings(None), "lights")
    assert status == 1 and "several interfaces could carry the multicast" in text


STATEFUL = """table inet filter {
  chain input {
    type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
  }
}
"""


@in_namespace
def test_a_firewall(new_far, tmp_path):
    """The usual stateful one: it lets answers to unicast in, and what comes from lo, but no answer to multicast."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    three(far)
    subprocess.run(["nft", "-f", "-"], input=STATEFUL, text=True, check=True)
    status, text, fields, hints = check(tmp_path, settings(members=MEMBERS), "lights")
    assert status == 1
    assert fields["arrived"] == ["3 datagrams for the gateway's port at this host's interfaces, 0 of them at the gateway"]
    assert hints[0] == ("  - a firewall on this host: 3 datagrams for the gateway's port arrived here, 3 of them were dropped before the "
                        "gateway could read them.")
    assert "set group.port to a port of your choice and let UDP to it in" in hints[1]
    assert "type filter hook input priority filter; policy drop;" in text
    run("nft add rule inet filter input udp dport 61616 accept")
    status, text, fields, hints = check(tmp_path, settings(members=MEMBERS, group={"port": 61616}), "lights")
    assert (status, hints) == (0, [])


@in_namespace
def test_a_firewall_that_lets_nothing_in(new_far, tmp_path):
    """Found by a datagram from this host to itself, without looking at the wire."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    run("iptables -A INPUT -p udp -j DROP")
    status, text, fields, hints = check(tmp_path, settings(group={"port": 61616}), "lights")
    assert status == 1
    assert "a datagram from this host's own address to the gateway's port did not arrive" in hints[0]
    assert "must let UDP to port 61616 in" in hints[1]
    assert "drop" in hints[3].lower()


@in_namespace
def test_a_firewall_that_lets_nothing_out(new_far, tmp_path):
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    run("iptables -A OUTPUT -p udp -j DROP")
    status, text, fields, hints = check(tmp_path, settings(), "lights")
    assert status == 1 and "a firewall rule of this host refuses it" in fields["result"][0]


@in_namespace
def test_the_hop_limit(new_far, tmp_path):
    """A group whose scope is wider than the link, with hop limit 1; not where the scope is the link's, or the limit is higher."""
    quiet_ipv6()
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    told = "the hop limit is 1, so the request stays on near0's link, while {} may have members further away"
    for uri, hops, hinted in ((URI, 1, "239.7.7.7"), (URI, 5, None), ("coap://224.0.0.99:17700", 1, None),
                              ("coap://[ff05::77]:17700", 1, "ff05::77"), ("coap://[ff02::77]:17700", 1, None)):
        status, text, fields, hints = check(tmp_path, settings(uri=uri, hops=hops), "lights")
        assert status == 1 and fields["hops"] == [str(hops)]
        assert any("the hop limit is 1" in h for h in hints) == (hinted is not None), uri
        assert hinted is None or any(told.format(hinted) in h for h in hints)
        assert any("tcpdump -ni near0" in h for h in hints) == (hinted is None)


@in_namespace
def test_the_reverse_path_filter(new_far, tmp_path):
    """Members' addresses are routed by another interface than the one that they answer by."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    for i in (2, 3, 4):
        far.run(f"ip addr add 10.99.0.{i}/24 dev {FAR}")
    link = json.loads(subprocess.run(["ip", "-j", "link", "show", NEAR], capture_output=True, check=True).stdout)[0]
    far.run(f"ip neigh add 10.7.1.1 lladdr {link['address']} dev {FAR}")  # ARP would fall to the filter, too
    run("sysctl -qw net.ipv4.conf.near0.rp_filter=1")
    three(far, net="10.99.0")
    status, text, fields, hints = check(tmp_path, settings(), "lights")
    assert status == 1
    assert "the reverse path filter of this host dropped 3 datagrams meanwhile" in hints[0]
    assert not any("a firewall" in h for h in hints)


@in_namespace
def test_a_bridge_that_snoops(new_far, tmp_path):
    see_own_sysfs()
    far = new_far()
    far.cable(NEAR, FAR)
    for command in ("ip link add br0 type bridge mcast_snooping 1", "ip link set near0 master br0", "ip addr add 10.7.1.1/24 dev br0",
                    "ip link set br0 up"):
        run(command)
    wait_for(lambda: "state UP" in subprocess.run(["ip", "link", "show", "br0"], capture_output=True, text=True).stdout)
    status, text, fields, hints = check(tmp_path, settings("br0"), "lights")
    assert status == 1
    assert any("bridge br0 of this host snoops IGMP and MLD, and is no querier" in h for h in hints)
    run("ip link set br0 type bridge mcast_querier 1")
    status, text, fields, hints = check(tmp_path, settings("br0"), "lights")
    assert not any("snoops IGMP and MLD" in h for h in hints)


@in_namespace
def test_members_that_hear_only_unicast(new_far, tmp_path):
    """They run, but listen to another group."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    three(far, group="coap://239.7.7.8:17700")
    status, text, fields, hints = check(tmp_path, settings(members=MEMBERS), "lights")
    assert status == 1
    assert re.fullmatch(r"10\.7\.1\.2:17700: answers a CoAP ping by unicast, \d+ ms", fields["silent"][0])
    assert hints[0].startswith("  - member 10.7.1.2:17700 (and 2 more) answers the same request by unicast (2.05), so the group request "
                               "does not reach it")


@in_namespace
def test_a_protected_mapping(new_far, tmp_path):
    """Each answer with its kid, verified; answers with wrong keys are told with their reason; a state folder in use is named."""
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    for name in ("keys", "wrong"):
        subprocess.run([BUILD / "castgate-keys", "new", tmp_path / name, "--members", "3", "--name", "floor", "--addresses",
                        "10.7.1.2:17700"], check=True, capture_output=True)
    protected = {**settings(security="floor"), "security_groups": {"floor": "keys/gateway.json"}}
    file = tmp_path / "check.json"
    file.write_text(json.dumps({"state": "state", **protected}))
    subprocess.run([BUILD / "castgate", "-c", file, "--init-state", "--new-keys"], check=True, capture_output=True)
    members = far.start("--keys", tmp_path / "keys/group.json", "--group", "coap://239.7.7.7:17700", "--count", 3, "--bind", "10.7.1.2",
                        "--interface", FAR)
    status, text, fields, hints = check(tmp_path, protected, "lights")
    assert (status, hints) == (0, [])
    assert len(fields["answers"]) == 3 and all(", kid " in a and "  verified" in a for a in fields["answers"])
    assert "OSCORE" in fields["datagram"][1] and "bytes of payload" in fields["datagram"][1]
    assert members.stop() == 0
    members = far.start("--keys", tmp_path / "wrong/group.json", "--group", "coap://239.7.7.7:17700", "--count", 3, "--bind", "10.7.1.2",
                        "--interface", FAR)
    status, text, fields, hints = check(tmp_path, protected, "lights")
    assert status == 1 and fields["answers"] == ["none"]


def test_settings_mistakes(tmp_path):
    status, text, _, _ = check(tmp_path, settings("lo"), "nobody")
    assert status == 2 and 'no mapping is called "nobody"; there are: lights' in text
    status, text, _, _ = check(tmp_path, settings("lo", uri="coaps://224.0.1.187"), "lights")
    assert status == 2 and "/mappings/0/group" in text
    status, text, _, _ = check(tmp_path, {"mappings": [group_mapping(URI, security="relay")]}, "lights")
    assert status == 2 and "relays what its clients have protected" in text
    assert check(tmp_path, settings("lo"), "lights", "more")[0] == 2


@in_namespace
def test_a_name_that_is_no_group(tmp_path):
    status, text, fields, hints = check(tmp_path, settings("lo", uri="coap://localhost"), "lights")
    assert status == 1 and "localhost is no group: the name stands for" in fields["interface"][0]


def test_an_impatient_person(tmp_path, group):
    """Ctrl-C ends the waiting, not the telling."""
    file = tmp_path / "check.json"
    file.write_text(json.dumps({"group": {"interface": "lo"}, "mappings": [silent_mapping(group, timeout=50)]}))
    process = subprocess.Popen([BUILD / "castgate", "-c", file, "--check", "silent"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline().startswith("mapping")
    time.sleep(1)
    start = time.monotonic()
    process.send_signal(2)
    out, _ = process.communicate(timeout=40)
    assert time.monotonic() - start < 30 and process.returncode == 1
    assert "ended by a signal" in out


def test_a_single_member_is_asked_by_unicast(members, tmp_path):
    """R6: as the gateway does it."""
    fleet = members(1)
    status, text, fields, hints = check(tmp_path, {"group": {"interface": "lo"}, "mappings": [plain_mapping(fleet)]}, "lights")
    assert (status, hints) == (0, [])
    assert fields["only member"] == [f"{fleet.texts[0]}, {fleet.texts[0]}"]
    assert "asked by unicast" in fields["answers"][0] and "CON GET" in fields["datagram"][1]


def test_figures_that_add_up(tmp_path, group):
    """Whatever comes is told once, and what is told of it in one line fits the others."""
    (tmp_path / "state").mkdir()
    file = tmp_path / "check.json"
    file.write_text(json.dumps({"state": "state", "group": {"interface": "lo"}, "mappings": [silent_mapping(group, timeout=1, leisure=1)]}))
    with Tap(group) as tap, coap.Endpoint("127.5.5.5") as member, coap.Endpoint("127.5.5.6") as other:
        pending = Later(check_file, file, "silent")
        packet = tap.next()
        request = packet.message
        refused = bytes([0x58, coap.code("6.01"), 0, 1]) + request.token
        for datagram in (answer_to(request, b"on"), answer_to(request, b"on"), refused, b"\xff", answer_to(request, token=b"")):
            member.send_bytes(packet.source, datagram)
        time.sleep(1.1)
        other.send_bytes(packet.source, answer_to(request, b"late"))
        status, text, fields, hints = pending.result()
    assert status == 0
    assert fields["accounted"] == ["answer 1, duplicate 1, rejected 1, late 1, unknown-token 1, malformed 1"]
    assert "6 datagrams" in fields["arrived"][0] and "6 of them" in fields["arrived"][0]
    assert len(fields["answers"]) == 1 and len(fields["rejected"]) == 1
    assert re.fullmatch(r"127\.5\.5\.5:\d+ +bad-code, 6\.01", fields["rejected"][0])
    assert fields["result"][0].startswith("1 answered, 1 rejected, 1 late, 1 duplicates;")


def test_what_members_say_that_cannot_open_the_request(new_far, tmp_path, group):
    """RFC 8613 8.2: the words of an unprotected error are told, harmless to a terminal."""
    keys = tmp_path / "keys"
    subprocess.run([BUILD / "castgate-keys", "new", keys, "--members", "1"], check=True, capture_output=True)
    folder = tmp_path / "state"
    folder.mkdir()
    file = tmp_path / "check.json"
    file.write_text(json.dumps({"state": "state", "group": {"interface": "lo"}, "security_groups": {"g": "keys/gateway.json"},
                                "mappings": [silent_mapping(group, timeout=1, security="g")]}))
    subprocess.run([BUILD / "castgate", "-c", file, "--init-state", "--new-keys"], check=True, capture_output=True)
    with Tap(group) as tap, coap.Endpoint("127.5.5.5") as member:
        pending = Later(check_file, file, "silent")
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, "no \x1b[31m ü".encode(), code="4.01"))
        status, text, fields, hints = pending.result()
    assert status == 1 and "\x1b" not in text
    assert re.fullmatch(r'127\.5\.5\.5:\d+ +unprotected, 4\.01 "no \\u001b\[31m \?\?"', fields["rejected"][0])
    assert fields["accounted"] == ["rejected 1"]


@in_namespace
def test_members_behind_a_next_hop_are_not_looked_for_here(tmp_path):
    """Their addresses are those of its networks: nothing that this host finds at them means anything."""
    targets = [{"next_hop": "coap://127.0.0.1:17701/lights"}, {"group": URI}]
    mapping = {**group_mapping(URI, members=["127.9.0.1:17700"], membership="complete", targets=targets, timeout=2)}
    del mapping["group"]
    _, text, fields, hints = check(tmp_path, {"group": {"interface": "lo"}, "mappings": [mapping]}, "lights")
    assert "silent" not in fields and "nothing listens" not in text
    assert any("1 members are missing, and were not pinged from here" in hint for hint in hints)
