"""Members that are not where, or what, they were: moved, behind one translated address, answering from another port, started again, rekeyed in
the middle of a request; and a gateway that was started again."""

import json
import time

import pytest

import coap
from conftest import Gateway, Group, in_namespace, plain_mapping
from links import new_far  # noqa: F401
from probe import Later, Tap, answer_to, silent_mapping
from protected import AUTHORIZED, Keys, kill, make_state, settings, wait_until
from test_rekey import hosts, hup, kids  # noqa: F401

IDS = ["11", "12", "13"]


def room_of(gateway, folder, group, hosts, options=((), (), ()), **particulars):  # noqa: F811
    """Gateway, keys and three hosts by Sender ID, started with these options; the mapping is "lights"."""
    keys = Keys(folder / "keys", 3, group.port)
    members = {name: hosts(name, keys.folder / f"member-{name}.json", *more) for name, more in zip(IDS, options)}
    state = make_state(folder / "state", keys)
    entry = {"file": str(keys.gateway), "next": str(keys.folder / "gateway.next.json")}
    more = {"timeout": 20, "leisure": 1, "stand_in": "members", **particulars}
    return gateway({**settings(state, (group, keys, more)), "security_groups": {"lights": entry}}), keys, members


def restart(member, *arguments):
    kill(member)
    member.process.stdout.close()
    member.arguments = arguments or member.arguments
    member.start()


def by_kid(reply, what):
    return {answer["kid"]: answer[what] for answer in reply["answers"]}


def bodies(reply):
    return [len(answer["body"]) for answer in reply["answers"]]


# --- elsewhere


def test_a_secured_member_that_moves_is_known_by_its_credential(gateway, group, hosts, tmp_path):  # noqa: F811
    """It is where it verified last, for requests to it alone as well, though the settings name another address."""
    gate, keys, members = room_of(gateway, tmp_path, group, hosts, repair={"unicast": True})
    first = gate.get_json("/lights/status")
    assert kids(first) == set(IDS)
    name = by_kid(first, "member")["13"]
    restart(members["13"], "--bind", "127.9.0.13")
    reply = gate.get_json("/lights/status")
    assert kids(reply) == set(IDS) and reply["missing"] == [] and reply["summary"]["rejected"] == 0
    assert by_kid(reply, "from")["13"].startswith("127.9.0.13:")
    alone = gate.request(f"/lights/.member/{name}/status", headers={"Accept": "application/json"})
    assert alone.status == 200, alone
    assert by_kid(gate.get_json("/lights/status"), "via") == dict.fromkeys(IDS, "multicast")


def test_a_moved_member_that_no_multicast_reaches_is_asked_where_it_is(gateway, group, hosts, tmp_path):  # noqa: F811
    gate, keys, members = room_of(gateway, tmp_path, group, hosts, repair={"unicast": True})
    restart(members["13"], "--bind", "127.9.0.13")
    assert kids(gate.get_json("/lights/status")) == set(IDS)
    members["13"].group = Group("224.0.1.186", group.port)  # which nobody sends to
    restart(members["13"])
    reply = gate.get_json("/lights/status")
    assert kids(reply) == set(IDS) and by_kid(reply, "via")["13"] == "unicast"
    assert by_kid(reply, "from")["13"].startswith("127.9.0.13:")


def test_a_plain_member_that_moves_is_somebody_else(gateway, members, group):
    """Nothing verifies who it is: what comes is shown with its address, and who was expected is missing."""
    fleet = members(2)
    moved = members(1, bind="127.9.0.3")
    expected = [*fleet.texts, f"127.1.0.3:{group.port}"]
    gate = gateway({"mappings": [plain_mapping(fleet, timeout=1, members=expected)]})
    reply = gate.get_json("/lights/status")
    assert {a["from"] for a in reply["answers"]} == {*fleet.texts, *moved.texts}
    assert [m["from"] for m in reply["missing"]] == [f"127.1.0.3:{group.port}"]


# --- behind one address


def translate(far, net, count):
    """What hosts NET.3 and following send comes from NET.2, each from a port of its own."""
    for i in range(count):
        far.run(f"iptables -t nat -A POSTROUTING -s {net}.{3 + i} -j SNAT --to-source {net}.2")


@in_namespace
def test_two_plain_members_behind_one_address(gateway, new_far):  # noqa: F811
    """They are told apart by their ports, and further blocks are asked of each where its first came from."""
    far, group = new_far(), Group("224.0.1.187", 5683)
    far.cable("eth1", "far1", "10.7.1", hosts=4)
    translate(far, "10.7.1", 2)
    far.start("--plain", "--group", group.uri, "--count", 2, "--bind", "10.7.1.3", "--interface", "far1")
    mapping = silent_mapping(group, name="lights", timeout=5, membership="open", finish="count:2")
    gate = gateway({"group": {"interface": "eth1"}, "mappings": [mapping]})
    for path in ("/lights/status", "/lights/big"):
        reply = gate.get_json(path)
        origins = {answer["from"] for answer in reply["answers"]}
        assert len(origins) == 2 and {o.rpartition(":")[0] for o in origins} == {"10.7.1.2"}, reply
    assert {json.dumps(sorted(bodies(reply)))} == {"[4096, 4096]"}


@in_namespace
def test_two_secured_members_behind_one_address(gateway, new_far, tmp_path):  # noqa: F811
    """Nobody can configure where they are; once they have verified they are asked there, and so repaired."""
    far, group = new_far(), Group("224.0.1.187", 5683)
    far.cable("eth1", "far1", "10.7.1", hosts=4)
    translate(far, "10.7.1", 2)
    keys = Keys(tmp_path / "keys", 2, group.port, first="10.7.1.3")
    far.start("--keys", keys.group, "--group", group.uri, "--count", 2, "--bind", "10.7.1.3", "--interface", "far1")
    document = keys.load("gateway")
    for peer in document["peers"].values():
        peer.pop("address", None)
    keys.gateway.write_text(json.dumps(document))
    more = {"timeout": 10, "leisure": 0.5, "repair": {"unicast": True}}
    gate = gateway({**settings(make_state(tmp_path / "state", keys), (group, keys, more)), "group": {"interface": "eth1"}})
    for path, via in (("/lights/status", "multicast"), ("/lights/big", "multicast")):
        reply = gate.get_json(path)
        assert kids(reply) == {"11", "12"} and len(set(by_kid(reply, "from").values())) == 2, reply
        assert set(by_kid(reply, "via").values()) == {via}
    assert bodies(reply) == [4096, 4096]
    far.run(f"iptables -A INPUT -d {group.address} -j DROP")
    reply = gate.get_json("/lights/big")
    assert kids(reply) == {"11", "12"} and set(by_kid(reply, "via").values()) == {"unicast"}
    assert bodies(reply) == [4096, 4096]


# --- from another port


def test_blocks_of_a_member_that_answers_from_another_port(gateway, group):
    """RFC 10020 3.1.4: it is the configured one by its address, and the rest is asked for at the port that it answered from."""
    body = b"0123456789abcdef" * 8
    lamps = [{"name": "lamp", "address": "127.5.5.5:5683"}, "127.5.5.6:5683"]
    gate = gateway({"mappings": [silent_mapping(group, timeout=3, membership="complete", finish="count:1", members=lamps)]})
    with Tap(group) as tap, coap.Endpoint("127.5.5.5") as member:
        client = Later(gate.get_json, "/silent/x")
        packet = tap.next()
        first = [(coap.ETAG, b"1"), (coap.BLOCK2, coap.block(0, True, 64))]
        member.send_bytes(packet.source, answer_to(packet.message, body[:64], options=first))
        while True:
            got = member.receive()
            if got.message.code == coap.EMPTY:
                member.send_empty(got.source, coap.RST, got.message.mid)
                continue
            assert got.message.block() == (1, False, 64)
            rest = [(coap.ETAG, b"1"), (coap.BLOCK2, coap.block(1, False, 64))]
            member.send_bytes(got.source, answer_to(got.message, body[64:], type=coap.ACK, mid=got.message.mid, options=rest))
            break
        (answer,) = client.result()["answers"]
    assert (answer["member"], answer["from"]) == ("lamp", f"127.5.5.5:{member.port}")
    assert answer["body"] == body.decode()


# --- started again


def test_a_member_that_was_started_again_is_asked_alone(gateway, group, hosts, tmp_path):  # noqa: F811
    """The challenge comes in an ask; POST is made again, too, since the member has not acted: what comes is its own word."""
    gate, keys, members = room_of(gateway, tmp_path, group, hosts)
    first = gate.get_json("/lights/status")
    name = by_kid(first, "member")["12"]
    for method, path, status in (("GET", "status", 200), ("PUT", "light", 204), ("POST", "light", 400)):  # 4.05 is 400
        restart(members["12"])
        alone = gate.request(f"/lights/.member/{name}/{path}", method=method, body=None if method == "GET" else b"1",
                             headers={**AUTHORIZED, "Content-Type": "text/plain"})
        assert alone.status == status, alone


def test_a_member_that_is_started_again_in_the_middle_of_blocks(gateway, group, hosts, tmp_path):  # noqa: F811
    slow = ("--delay", "300:300")
    gate, keys, members = room_of(gateway, tmp_path, group, hosts, options=(slow, slow, slow), timeout=40)
    gate.get_json("/lights/status")  # all know the gateway
    client = Later(gate.get_json, "/lights/big")
    time.sleep(0.75)  # one block or two of it have come
    restart(members["12"])
    reply = client.result()
    assert kids(reply) == set(IDS) and bodies(reply) == [4096] * 3, (reply["summary"], reply["rejected"])


# --- other keys in the middle


@pytest.mark.parametrize("path", ["/lights/status", "/lights/big", "/lights/.member/{}/big"])
def test_a_rekey_in_the_middle_R55(gateway, group, hosts, tmp_path, path):  # noqa: F811
    """Prepared, members first, activated while a group request, its blocks, or a request to one member is under way."""
    slow = ("--delay", "400:400")
    gate, keys, members = room_of(gateway, tmp_path, group, hosts, options=(slow, slow, slow), timeout=40)
    first = gate.get_json("/lights/status")
    name = by_kid(first, "member")["12"]
    Keys.run("rekey", keys.folder)
    Keys.run("claim", keys.folder / "gateway.next.json", "--state", tmp_path / "state")
    before = Later(gate.request, path.format(name), headers={"Accept": "application/json"})
    time.sleep(0.2)
    hup(gate, "keys-prepared")
    for kid, member in members.items():
        member.rekey(keys.folder / f"member-{kid}.next.json")
    during = Later(gate.request, path.format(name), headers={"Accept": "application/json"})
    time.sleep(0.2)
    Keys.run("finish", keys.folder)
    hup(gate, "keys-activated")
    after = gate.request(path.format(name), headers={"Accept": "application/json"})
    for reply in (before.result(), during.result(), after):
        assert reply.status == 200, reply
        document = reply.json()
        assert kids(document) == ({"12"} if "member" in path else set(IDS)), (document["summary"], document["rejected"])
        assert not path.endswith("big") or set(bodies(document)) == {4096}


# --- the gateway itself


@pytest.mark.parametrize("end", ["stopped", "killed"])
def test_a_gateway_that_is_started_again(gateway, group, hosts, tmp_path, end):  # noqa: F811
    """Its numbers jump; members that have kept their windows act at once, and those that were started again after a challenge."""
    former = []

    def start(settings_):
        former.append(Gateway(settings_, tmp_path / "former", ()))
        former[0].wait()
        return former[0]

    gate, keys, members = room_of(start, tmp_path, group, hosts)
    assert kids(gate.get_json("/lights/status")) == set(IDS)
    if end == "killed":
        kill(gate)
    else:
        assert gate.stop() == 0
    restart(members["11"])
    gate = gateway(gate.settings)
    wait_until(lambda: gate.request("/readyz", to=gate.admin).status == 200)
    assert by_kid(gate.get_json("/lights/status"), "via") == {"11": "unicast", "12": "multicast", "13": "multicast"}
    assert by_kid(gate.get_json("/lights/status"), "via") == dict.fromkeys(IDS, "multicast")
