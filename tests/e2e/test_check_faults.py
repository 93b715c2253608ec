"""Twelve faults, injected one by one between a gateway and real members: the first hint of castgate --check is the right one."""

import json
import subprocess

from conftest import BUILD, in_namespace
from links import new_far, quiet_ipv6, run  # noqa: F401
from test_check import FAR, MEMBERS, NEAR, STATEFUL, URI, check, settings, three

GROUP = "coap://239.7.7.7:17700"


def known(**more):
    return settings(members=MEMBERS, membership="complete", **more)


def first(hints):
    assert hints, "no hint"
    return hints[0].removeprefix("  - ")


def nft(rules, enter=()):
    subprocess.run([*enter, "nft", "-f", "-"], input=rules, text=True, check=True)


def cabled(new_far):
    far = new_far()
    far.cable(NEAR, FAR, "10.7.1")
    return far


@in_namespace
def test_the_gateways_firewall(new_far, tmp_path):
    three(cabled(new_far))
    nft(STATEFUL)
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 1 and first(hints).startswith("a firewall on this host: 3 datagrams for the gateway's port arrived here, 3 of them were")


@in_namespace
def test_the_gateways_firewall_towards_the_group(new_far, tmp_path):
    three(cabled(new_far))
    run("iptables -A OUTPUT -p udp -j DROP")
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 1 and first(hints).startswith("a firewall on this host does not let the request out")


def member_firewall(verdict, match="udp dport 17700"):
    return f"table inet f {{\nchain i {{\ntype filter hook input priority 0;\n{match} {verdict}\n}}\n}}\n"


@in_namespace
def test_a_members_firewall_that_drops(new_far, tmp_path):
    far = cabled(new_far)
    three(far)
    nft(member_firewall("drop"), far.enter)
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 1 and first(hints).startswith("a firewall on member 10.7.1.2:17700 (and 2 more), most likely: its host is there")


@in_namespace
def test_a_members_firewall_that_refuses(new_far, tmp_path):
    far = cabled(new_far)
    three(far)
    nft(member_firewall("reject with icmpx type admin-prohibited"), far.enter)
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 1 and first(hints).startswith("a firewall on the way to member 10.7.1.2:17700 (and 2 more) refuses what this host sends")


@in_namespace
def test_a_members_firewall_that_drops_multicast(new_far, tmp_path):
    far = cabled(new_far)
    three(far)
    nft(member_firewall("drop", "ip daddr 224.0.0.0/4"), far.enter)
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 1 and first(hints).startswith("member 10.7.1.2:17700 (and 2 more) answers the same request by unicast (2.05), so the group")
    assert "does a firewall on it drop multicast" in first(hints)


@in_namespace
def test_members_by_ipv6(new_far, tmp_path):
    """Their firewall, and that they are gone, as the kernel's neighbours tell."""
    quiet_ipv6()
    far = cabled(new_far)
    run(f"ip addr add fd07::1/64 dev {NEAR} nodad")
    far.run(f"ip addr add fd07::2/64 dev {FAR} nodad")
    far.start("--plain", "--group", "coap://[ff05::77]:17700", "--count", 1, "--bind", "fd07::2", "--interface", FAR)
    ipv6 = settings(uri="coap://[ff05::77]:17700/status", hops=5, members=["[fd07::2]:17700"])
    status, _, _, hints = check(tmp_path, ipv6, "lights")
    assert (status, hints) == (0, [])
    nft(member_firewall("drop"), far.enter)
    status, _, _, hints = check(tmp_path, ipv6, "lights")
    assert status == 1 and first(hints).startswith("a firewall on member [fd07::2]:17700, most likely: its host is there on the link")
    far.run(f"ip addr del fd07::2/64 dev {FAR}")
    status, _, _, hints = check(tmp_path, ipv6, "lights")
    assert status == 1 and first(hints).startswith("member [fd07::2]:17700 is not there: no host on the link says that it has this address")


@in_namespace
def test_an_interface_that_is_down(new_far, tmp_path):
    three(cabled(new_far))
    run(f"ip link set {NEAR} down")
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 1 and first(hints).startswith(f"bring {NEAR} up (ip link set dev {NEAR} up)")
    unnamed = known()
    del unnamed["group"]["interface"]
    status, _, _, hints = check(tmp_path, unnamed, "lights")
    assert status == 1 and first(hints).startswith(
        f"no interface but loopback is up and multicast-capable; down: {NEAR}. Bring it up")


@in_namespace
def test_an_interface_without_carrier(new_far, tmp_path):
    far = cabled(new_far)
    far.run(f"ip link set {FAR} down")
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 1 and first(hints).startswith(f"{NEAR} has no carrier")


@in_namespace
def test_two_interfaces(new_far, tmp_path):
    """None is chosen; the other one is."""
    far = cabled(new_far)
    far.cable("other0", "other1", "10.7.2")
    three(far)
    status, text, _, hints = check(tmp_path, known(interface=None), "lights")
    assert status == 1 and "several interfaces could carry the multicast (near0, other0)" in text
    assert first(hints).startswith("interfaces that are up and could carry it: near0 (10.7.1.1), other0 (10.7.2.1). Set group.interface")
    status, _, _, hints = check(tmp_path, known(interface="other0"), "lights")
    assert status == 1 and first(hints).startswith("the wrong interface: member 10.7.1.2:17700 (and 2 more) is reached by near0, but the group "
                                                   "request left by other0.")


@in_namespace
def test_a_dead_member(new_far, tmp_path):
    """Its program; its host, which nobody has asked for before; its host, which was there just now."""
    far = cabled(new_far)
    far.start("--plain", "--group", GROUP, "--count", 2, "--bind", "10.7.1.2", "--interface", FAR)
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 0
    assert first(hints).startswith("nothing listens at port 17700 of member 10.7.1.4:17700: its program does not run, or the port is wrong")
    far.run(f"ip addr del 10.7.1.4/24 dev {FAR}")
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 0 and first(hints).startswith("member 10.7.1.4:17700 is not there: no host on the link says that it has this address.")
    status, _, _, hints = check(tmp_path, settings(members=MEMBERS[:2] + ["10.7.1.99:17700"]), "lights")
    assert status == 0 and first(hints).startswith("member 10.7.1.99:17700 is not there")


@in_namespace
def test_the_wrong_port(new_far, tmp_path):
    """Of the group; of the group and of the members, where they are at CoAP's own; of an open group."""
    far = cabled(new_far)
    three(far)
    wrong = "coap://239.7.7.7:17701/status"
    status, _, _, hints = check(tmp_path, known(uri=wrong), "lights")
    assert status == 1 and first(hints).startswith("member 10.7.1.2:17700 (and 2 more) answers the same request by unicast at port 17700, while the "
                                                   "group request goes to port 17701")
    members = [m.replace("17700", "17701") for m in MEMBERS]
    status, _, _, hints = check(tmp_path, settings(uri=wrong, members=members), "lights")
    assert status == 1 and first(hints).startswith("nothing listens at port 17701 of member 10.7.1.2:17701 (and 2 more): its program does not run, or "
                                                   "the port is wrong")
    status, _, _, hints = check(tmp_path, settings(members=["10.7.1.2:5683", "10.7.1.3:5683", "10.7.1.4:5683"], uri="coap://239.7.7.8:17700/status"),
                                "lights")
    assert status == 1 and first(hints).startswith("nothing listens at port 5683 of member 10.7.1.2:5683, but something that speaks CoAP does at its "
                                                   "port 17700: the wrong port")


@in_namespace
def test_the_wrong_path(new_far, tmp_path):
    """Errors are not sent to a group; by unicast they are, and where nobody is known /.well-known/core is answered."""
    three(cabled(new_far))
    wrong = "coap://239.7.7.7:17700/lihgt"
    status, _, _, hints = check(tmp_path, known(uri=wrong), "lights")
    assert status == 1 and first(hints).startswith("member 10.7.1.2:17700 (and 2 more) answers 4.04 to the same request (/lihgt) by unicast: they "
                                                   "have nothing at the path.")
    status, _, _, hints = check(tmp_path, settings(uri=wrong), "lights")
    assert status == 1 and first(hints).startswith("3 members answer a request for the group's /.well-known/core, and none for /lihgt")
    status, _, fields, hints = check(tmp_path, known(uri=GROUP), "lights/nothing/here?x=1")
    assert status == 1 and "4.04 to the same request (/nothing/here?x=1)" in first(hints)
    for what in ("lights", "lights/light", "lights/status?x=1"):
        status, _, fields, hints = check(tmp_path, known(uri=GROUP), what)
        assert (status, len(fields["answers"]), hints) == (0, 3, []), what
    status, _, fields, hints = check(tmp_path, known(uri=GROUP), "lights")
    assert 'Uri-Path ".well-known", Uri-Path "core"' in fields["datagram"][1]


def keys_of(tmp_path, *arguments):
    subprocess.run([BUILD / "castgate-keys", *map(str, arguments)], check=True, capture_output=True, cwd=tmp_path)


@in_namespace
def test_old_keys(new_far, tmp_path):
    """The gateway has those of before the rekey, the members those of after it; then keys of quite another group."""
    far = cabled(new_far)
    for name in ("keys", "other"):
        keys_of(tmp_path, "new", name, "--members", 3, "--name", "floor", "--addresses", "10.7.1.2:17700")
    subprocess.run(["cp", "-r", tmp_path / "keys", tmp_path / "old"], check=True)
    keys_of(tmp_path, "rekey", "keys")
    protected = {**settings(security="floor", membership="complete"), "security_groups": {"floor": "old/gateway.json"}}
    (tmp_path / "check.json").write_text(json.dumps({"state": "state", **protected}))
    subprocess.run([BUILD / "castgate", "-c", tmp_path / "check.json", "--init-state", "--new-keys"], check=True, capture_output=True)
    newest = max((tmp_path / "keys").glob("**/*group*.json"), key=lambda f: f.stat().st_mtime)
    for file in (newest, tmp_path / "other/group.json"):
        fleet = far.start("--keys", file, "--group", GROUP, "--count", 3, "--bind", "10.7.1.2", "--interface", FAR)
        status, _, fields, hints = check(tmp_path, protected, "lights")
        assert status == 1 and fields["answers"] == ["none"]
        assert first(hints).startswith("member ") and " (and 2 more) is up, but " in first(hints)
        assert ": its keys are others than those here, older or newer ones or another group's." in first(hints)
        assert fleet.stop() == 0


@in_namespace
def test_the_hop_limit(new_far, tmp_path):
    """Members behind a router."""
    router, far = cabled(new_far), new_far()
    run("ip link add name r1 type veth peer name far1")
    run(f"ip link set r1 netns {router.process.pid}")
    run(f"ip link set far1 netns {far.process.pid}")
    for side, commands in ((router, ("ip addr add 10.8.1.1/24 dev r1", "ip link set r1 up", "sysctl -qw net.ipv4.ip_forward=1")),
                           (far, ("ip addr add 10.8.1.2/24 dev far1", "ip link set far1 up", "ip route add default via 10.8.1.1"))):
        for command in commands:
            side.run(command)
    run("ip route add 10.8.1.0/24 via 10.7.1.2")
    far.start("--plain", "--group", GROUP, "--count", 1, "--bind", "10.8.1.2", "--interface", "far1")
    status, _, _, hints = check(tmp_path, settings(members=["10.8.1.2:17700"]), "lights")
    assert status == 1 and first(hints).startswith("member 10.8.1.2:17700 is behind a router, but the hop limit is 1: set \"hops\" to 1 more")


@in_namespace
def test_a_small_buffer(new_far, tmp_path):
    """Two hundred answers at once, while the gateway's side of the cable is held up: more than fit."""
    far = cabled(new_far)
    for i in range(5, 205):
        far.run(f"ip addr add 10.7.1.{i}/24 dev {FAR}")
    far.start("--plain", "--group", GROUP, "--count", 203, "--bind", "10.7.1.2", "--interface", FAR, "--resource", "/status=" + "x" * 900)
    members = [f"10.7.1.{i}:17700" for i in range(2, 205)]
    status, _, fields, hints = check(tmp_path, settings(group={"receive_buffer": 4096}, members=members), "lights")
    assert not fields["receive buffer"][0].endswith("kernel drops: 0")
    assert first(hints).startswith("the kernel dropped ") and "because the receive buffer was full: it asks for 4096 bytes." in first(hints)


@in_namespace
def test_the_reverse_path_filter(new_far, tmp_path):
    far = cabled(new_far)
    for i in (2, 3, 4):
        far.run(f"ip addr add 10.99.0.{i}/24 dev {FAR}")
    link = json.loads(subprocess.run(["ip", "-j", "link", "show", NEAR], capture_output=True, check=True).stdout)[0]
    far.run(f"ip neigh add 10.7.1.1 lladdr {link['address']} dev {FAR}")
    run(f"sysctl -qw net.ipv4.conf.{NEAR}.rp_filter=1")
    three(far, net="10.99.0")
    status, _, _, hints = check(tmp_path, settings(), "lights")
    assert status == 1 and first(hints).startswith("the reverse path filter of this host dropped 3 datagrams meanwhile")


@in_namespace
def test_the_wrong_source(new_far, tmp_path):
    """The settings' address is another interface's; the interface's first one is not in the members' network."""
    far = cabled(new_far)
    far.cable("other0", "other1", "10.7.2")
    three(far)
    far.run("ip route add blackhole 10.7.2.1")
    far.run("ip addr flush dev other1")
    status, _, _, hints = check(tmp_path, known(group={"address": "10.7.2.1"}), "lights")
    assert status == 1 and first(hints).startswith("the wrong source: the request left from 10.7.2.1, but unicast to member 10.7.1.2:17700 leaves from "
                                                   "10.7.1.1")
    assert "Set group.address to 10.7.1.1, or leave it out." in first(hints)
    status, _, _, hints = check(tmp_path, settings(group={"address": "10.7.2.1"}), "lights")
    assert status == 1 and first(hints).startswith("the wrong source: group.address is 10.7.2.1, an address of other0, while the request left by near0")
    run(f"ip addr flush dev {NEAR}")
    run(f"ip addr add 192.168.77.1/24 dev {NEAR}")
    run(f"ip addr add 10.7.1.1/24 dev {NEAR}")
    status, _, _, hints = check(tmp_path, known(), "lights")
    assert status == 1 and first(hints).startswith("the wrong source: the request left from 192.168.77.1, but unicast to member 10.7.1.2:17700 leaves "
                                                   "from 10.7.1.1")


# Answers one group request, as a raw datagram: from any source address, with a good or a bad checksum.
FORGER = """
import socket, struct, sys
source, good = sys.argv[1], sys.argv[2] == "good"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("239.7.7.7", 17700))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("=4s4si", socket.inet_aton("239.7.7.7"), bytes(4), socket.if_nametoindex("far0")))
print("ready", flush=True)
data, asker = s.recvfrom(2048)
coap = bytes([0x58, 0x45, 0, 1]) + data[4:12] + b"\\xffon"
udp = struct.pack("!HHHH", 17700, asker[1], 8 + len(coap), 0) + coap
pseudo = socket.inet_aton(source) + socket.inet_aton(asker[0]) + struct.pack("!BBH", 0, 17, len(udp))
total = sum(struct.unpack(f"!{len(pseudo + udp + b'0'[:len(udp) % 2]) // 2}H", pseudo + udp + bytes(len(udp) % 2)))
total = (total & 0xffff) + (total >> 16)
total = ~((total & 0xffff) + (total >> 16)) & 0xffff
udp = udp[:6] + struct.pack("!H", total if good else total ^ 0x1111 or 1) + udp[8:]
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 1, 0, 64, 17, 0, socket.inet_aton(source), socket.inet_aton(asker[0]))
for _ in range(2):
    raw.sendto(header + udp, (asker[0], 0))
"""


def forged(far, tmp_path, source, checksum):
    process = subprocess.Popen([*far.enter, "/usr/bin/python3", "-c", FORGER, source, checksum], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    status, _, _, hints = check(tmp_path, settings(), "lights")
    assert process.wait(timeout=20) == 0
    process.stdout.close()
    return status, hints


@in_namespace
def test_answers_that_no_firewall_drops(new_far, tmp_path):
    """From a group, from loopback, from the gateway's own address, with a bad checksum: the kernel drops them, and no rule of anybody's."""
    far = cabled(new_far)
    assert forged(far, tmp_path, "10.7.1.2", "good") == (0, [])
    for source, what in (("224.0.0.5", "a group"), ("127.0.0.1", "a loopback address"), ("10.7.1.1", "this host's own address")):
        status, hints = forged(far, tmp_path, source, "good")
        assert status == 1 and first(hints).startswith(f"2 datagrams came from addresses that none may come from, as from {source}:17700, which is {what}")
        assert not any("a firewall" in h for h in hints)
    status, hints = forged(far, tmp_path, "10.7.1.2", "bad")
    assert status == 1 and first(hints).startswith("2 datagrams came with a wrong UDP checksum")
    assert not any("a firewall" in h or "nothing came back" in h for h in hints)


@in_namespace
def test_a_timeout_below_leisure(new_far, tmp_path):
    """Seven of ten answers in time, and three later: clients miss these, and are told how many."""
    far = cabled(new_far)
    far.start("--plain", "--group", GROUP, "--count", 3, "--bind", "10.7.1.2", "--interface", FAR, "--delay", "1500:2500")
    status, _, fields, hints = check(tmp_path, known(leisure=3), "lights")
    assert status == 0 and len(fields["answers"]) == 3 and "3 after the mapping's timeout" in fields["result"][0]
    assert first(hints).startswith("3 of 3 answers came after the mapping's timeout of 1 s, the last after ")
    status, _, _, hints = check(tmp_path, known(leisure=3, timeout=3), "lights")
    assert (status, hints) == (0, [])


@in_namespace
def test_an_interface_without_multicast(new_far, tmp_path):
    """As tunnels are made."""
    cabled(new_far)
    run(f"ip link set dev {NEAR} multicast off")
    status, _, fields, hints = check(tmp_path, settings(), "lights")
    assert ", no multicast, " in fields["interface"][0]
    assert status == 1 and first(hints).startswith(f"{NEAR} is set up without multicast")
