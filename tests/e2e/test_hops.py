"""Chains and trees of gateways (GCP §8): a next hop is asked in a group's place, and its members' answers are the group's."""

import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

import coap
from coap import CON, GET, HOP_LIMIT, MULTICAST_TIMEOUT, NON, REPLY_FROM, Client, Message
from conftest import BUILD, Group, free_tcp_port, free_udp_port, in_namespace, plain_mapping
from hops import House, inside
from links import new_far  # noqa: F401: a fixture
from pki import authority, fingerprint, server, stranger  # noqa: F401: fixtures
from probe import cbor, metrics, running, wait_for
from test_names import hosts, see_own_hosts  # noqa: F401: a fixture
from protected import Keys, ProtectedMembers, make_state, settings


def origin(message):
    (_, authority), _ = cbor(message.one(REPLY_FROM))
    return ".".join(str(byte) for byte in authority[0]) + ":" + str(authority[1] if len(authority) > 1 else 5683)


@pytest.fixture
def house(gateway, new_far, members):  # noqa: F811
    def start(**more):
        one = House(gateway, new_far, **more)
        one.start_near(members, lambda port: Group("224.0.1.187", port))
        return one
    return start


@in_namespace
def test_three_levels_answer_one_request(house):
    """Over HTTP in one reply, over CoAP as separate responses; nobody waits longer than until all have answered, or it is enough."""
    tree = house()
    reply = tree.top.get_json("/house/status")
    assert sorted(a["from"] for a in reply["answers"]) == tree.members
    assert reply["summary"]["ended_by"] == "all" and reply["missing"] == reply["rejected"] == []
    assert sorted(a["via"] for a in reply["answers"]) == ["multicast"] * 2 + ["next-hop"] * 4
    client = Client(("127.0.0.1", tree.coap_port))
    request = client.ask("/house/status", timeout=50)
    got = [client.hear() for _ in range(7)]
    answers = [m for m in (getattr(g, "message", g) for g in got) if m is not None and m.token == request.token and m.code]
    assert sorted(origin(m) for m in answers) == tree.members
    client.socket.send(Message(NON, GET, client.next_mid(), request.token, [(MULTICAST_TIMEOUT, b"")]).emit())
    client.socket.close()
    wait_for(lambda: running(tree.top) == 0)  # and so on, along the chain
    inside(tree.middle_side, lambda: wait_for(lambda: running(tree.middle) == 0))
    inside(tree.bottom_side, lambda: wait_for(lambda: running(tree.bottom) == 0))


@in_namespace
def test_with_a_link_cut_the_reply_says_who_is_missing(house):
    tree = house(timeout=3)
    tree.cut()
    reply = tree.top.get_json("/house/status")
    assert sorted(a["from"] for a in reply["answers"]) == tree.members[:4]
    assert sorted(m["from"] for m in reply["missing"]) == tree.members[4:]
    assert reply["summary"]["ended_by"] == "deadline"


def far_mapping(port, timeout=3, scheme="coap", **more):
    return {"name": "far", "path": "/far", "targets": [{"next_hop": f"{scheme}://127.0.0.1:{port}/house"}], "security": "none",
            "timeout": timeout, "clients": ["anonymous"], **more}


def test_too_little_time(gateway):
    """5.05 with the least that would do; over HTTP 502."""
    port = free_udp_port()
    gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]}, "mappings": [far_mapping(free_udp_port())]})
    reply = gate.request("/far/status", headers={"Multicast-Timeout": "1"})
    assert reply.status == 502 and reply.headers["Multicast-Timeout"] == "2"
    with coap.Endpoint() as client:
        answer = client.request(("127.0.0.1", port), "/far/status", options=[(MULTICAST_TIMEOUT, b"\1")])
    assert answer.code_text == "5.05" and answer.uint(MULTICAST_TIMEOUT) == 2


def test_a_loop_ends(gateway):
    """Two gateways, each the other's next hop: Hop-Limit (RFC 8768), or time, is used up."""
    ports = [free_udp_port(), free_udp_port()]
    first, _ = (gateway({"coap": {"listen": [f"coap://127.0.0.1:{here}"]},
                         "mappings": [far_mapping(there, timeout=30, path="/house")]}) for here, there in (ports, ports[::-1]))
    reply = first.request("/house/status", headers={"Multicast-Timeout": "30"})
    assert reply.status == 502 and reply.json()["type"] == "urn:castgate:problem:hop-limit"
    reply = first.request("/house/status", headers={"Multicast-Timeout": "5"})
    assert reply.status == 502 and reply.json()["type"] == "urn:castgate:problem:proxying-not-supported"
    assert reply.headers["Multicast-Timeout"] == "6"


def test_a_silent_next_hop_is_told(gateway):
    gate = gateway({"mappings": [far_mapping(free_udp_port(), timeout=2)]})
    reply = gate.request("/far/status", headers={"Multicast-Timeout": "2"})
    assert reply.status == 504 and reply.json()["type"] == "urn:castgate:problem:next-hop-silent"


class NextHop(coap.Endpoint):
    """One that says what it likes."""

    def hear(self):
        return self.receive(timeout=20)

    def say(self, got, code="2.05", options=(), payload=b"", type=NON):
        message = Message(type, coap.code(code), self.next_mid(), got.message.token, list(options), payload)
        self.socket.sendto(message.emit(), got.source)


def reply_from(n):
    return (REPLY_FROM, b"\x82\x20\x81\x44\x0a\x00" + n.to_bytes(2, "big"))


def test_a_hostile_next_hop_is_bounded(gateway):
    """More answers than max_answers, without Reply-From, too long, in blocks, on tokens of nobody."""
    with NextHop() as hop:
        gate = gateway({"mappings": [far_mapping(hop.port, timeout=2, max_answers=50)]})
        replies = []
        asking = threading.Thread(target=lambda: replies.append(gate.get_json("/far/status")))
        asking.start()
        got = hop.hear()
        assert (got.message.type, got.message.path, got.message.uint(HOP_LIMIT)) == (CON, "/house/status", 16)
        assert got.message.code == GET and got.message.uint(MULTICAST_TIMEOUT) == 1
        hop.send_empty(got.source, coap.ACK, got.message.mid)
        hop.say(got, payload=b"whose?")
        hop.say(got, options=[(REPLY_FROM, bytes(1100))])
        hop.say(got, options=[reply_from(1), (coap.BLOCK2, coap.block(0, True, 16))], payload=bytes(16))
        for _ in range(50):
            hop.socket.sendto(Message(NON, coap.code("2.05"), hop.next_mid(), b"nobody's", [reply_from(1)]).emit(), got.source)
        for i in range(200):
            hop.say(got, options=[reply_from(i)])
        asking.join()
    [reply] = replies
    assert len(reply["answers"]) == 50 and reply["summary"]["ended_by"] == "limit"
    reasons = {r["reason"] for r in reply["rejected"]}
    assert {"no-reply-from", "blocks-incomplete"} <= reasons


def test_large_answers_of_those_behind_a_proxy_are_fetched_there(gateway, members):
    """Each member's further blocks by requests to that one alone, as any client of that proxy fetches them (GCP §3.5)."""
    port, fleet = free_udp_port(), members(2)
    gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]}, "group": {"interface": "lo"},
             "mappings": [plain_mapping(fleet, forward=True)]})
    targets = [{"next_hop": f"coap://127.0.0.1:{port}", "group": fleet.group.uri}]
    top = gateway({"mappings": [far_mapping(port, targets=targets, membership="complete", finish="all", members=fleet.texts)]})
    reply = top.get_json("/far/big")
    assert [(a["via"], len(a["body"])) for a in reply["answers"]] == [("next-hop", 4096)] * 2, reply


def test_groups_with_keys_go_end_to_end(gateway, group, tmp_path):
    """The first gateway is a member and verifies each answer; the next one relays, with no key at all (GCP §8, RFC 10020 §5.3)."""
    keys, port = Keys(tmp_path / "keys", 2, group.port), free_udp_port()
    gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}"]},
             "mappings": [{"name": "relay", "path": "/relay", "group": group.uri, "security": "relay", "forward": True,
                           "clients": ["anonymous"]}]})
    what = settings(make_state(tmp_path / "state", keys), (group, keys, {"timeout": 4}))
    what["mappings"][0]["targets"] = [{"group": what["mappings"][0].pop("group"), "next_hop": f"coap://127.0.0.1:{port}"}]
    members = ProtectedMembers(keys, group, 2, "127.1.0.1", [], tmp_path / "members.log")
    try:
        top = gateway(what)
        reply, large = top.get_json("/lights/status"), top.get_json("/lights/big")
    finally:
        assert members.stop() == 0, members.log()
    assert [(a["verified"], a["via"], a["code"]) for a in reply["answers"]] == [("source", "next-hop", "2.05")] * 2, reply
    assert sorted(a["from"] for a in reply["answers"]) == [f"127.1.0.{i}:{group.port}" for i in (1, 2)]
    assert [(a["verified"], len(a["body"])) for a in large["answers"]] == [("source", 4096)] * 2, large


def secret(folder, name, text):
    file = folder / name
    file.write_text(text)
    file.chmod(0o600)
    return str(file)


@pytest.fixture
def pair(members, gateway, tmp_path):
    """pair(scheme): (near, far), where `far` is the next hop of `near`, and `far` starts again by far.again(). Protected ones know each
    other by a key."""
    def start(scheme):
        fleet, port = members(2), free_tcp_port()
        key = {"identity": "near", "key_file": secret(tmp_path, "near.key", "0123456789abcdef")}
        house = {"coap": {"listen": [f"{scheme}://127.0.0.1:{port}"]}, "clients": {"near": {"psk": key}},
                 "mappings": [plain_mapping(fleet, name="house", clients=["near", "anonymous"])]}
        far = gateway(house)
        far.again = lambda: gateway(house)
        mapping = far_mapping(port, scheme=scheme, timeout=8, membership="complete", finish="all", members=fleet.texts)
        if scheme.startswith("coaps"):
            mapping["targets"][0]["credentials"] = "far"
        return gateway({"mappings": [mapping], "credentials": {"far": {"psk": key}}}), far
    return start


TRANSPORTS = ["coaps", "coap+tcp", "coaps+tcp"]


@pytest.mark.parametrize("scheme", TRANSPORTS)
def test_a_next_hop_by_a_connection_answers_many_at_once(pair, scheme):
    """One connection for all of them; nobody waits for another's acknowledgement."""
    near, _ = pair(scheme)
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda i: near.get_json(f"/far/status?{i}"), range(8)))
    assert [len(reply["answers"]) for reply in replies] == [2] * 8
    assert {a["via"] for reply in replies for a in reply["answers"]} == {"next-hop"}
    assert metrics(near)['castgate_next_hop_connections_total{outcome="opened"}'] == 1


@pytest.mark.parametrize("scheme", TRANSPORTS)
def test_a_next_hop_that_was_gone_comes_back(pair, scheme):
    near, far = pair(scheme)
    assert len(near.get_json("/far/status")["answers"]) == 2
    assert far.stop() == 0
    reply = near.request("/far/status")
    assert reply.status in (502, 504) and reply.json()["type"].startswith("urn:castgate:problem:next-hop-"), reply
    far.again()
    assert wait_for(lambda: near.request("/far/status").status == 200)


@pytest.mark.parametrize("scheme", ["coaps", "coaps+tcp"])
def test_next_hops_and_gateways_show_each_other_who_they_are(members, gateway, authority, stranger, server, tmp_path, scheme):  # noqa: F811
    """By a certificate that names the host, and by a key; what is wrong about either is said, and no secret."""
    fleet, port, mine = members(1), free_tcp_port(), authority.issue("near")
    key = {"identity": "near", "key_file": secret(tmp_path, "near.key", "0123456789abcdef")}
    known = {"psk": key, "certificate_sha256": fingerprint(mine[0])}
    gateway({"coap": {"listen": [f"{scheme}://127.0.0.{i}:{port}" for i in (1, 2)],
                      "tls": {"certificate": str(server[0]), "key": str(server[1]), "client_ca": str(authority.certificate)}},
             "clients": {"near": known}, "mappings": [plain_mapping(fleet, name="house", clients=["near"])]})
    certified = {"ca": str(authority.certificate), "certificate": str(mine[0]), "key": str(mine[1])}
    credentials = {"key": {"psk": key}, "certified": certified, "nobody": {"ca": str(authority.certificate)},
                   "other-ca": {**certified, "ca": str(stranger.certificate)},
                   "other-key": {"psk": {**key, "key_file": secret(tmp_path, "other.key", "fedcba9876543210")}}}

    def mapping(name, host="127.0.0.1", **more):
        return {"name": name, "path": f"/{name}", "targets": [{"next_hop": f"{scheme}://{host}:{port}/house", "credentials": more.get("by", name)}],
                "security": "none", "timeout": 8, "finish": "count:1", "clients": ["anonymous"]}

    beside = mapping("beside", by="nobody")
    beside = {**beside, "timeout": 2, "finish": "deadline", "targets": [*beside["targets"], {"group": fleet.group.uri}]}
    near = gateway({"credentials": credentials,
                    "mappings": [*map(mapping, credentials), beside, mapping("other-name", host="127.0.0.2", by="certified")]})
    for name in ("key", "certified"):
        assert len(near.get_json(f"/{name}/status")["answers"]) == 1, near.log()
    refused = near.request("/nobody/status").json()
    assert refused["type"] == "urn:castgate:problem:next-hop-refused" and "4.01" in refused["detail"]
    (beside,) = near.get_json("/beside/status")["rejected"]
    assert beside["reason"] == "next-hop-refused" and beside["code"] == "4.01" and "says 4.01: " in beside["diagnostic"], beside
    refusals = [("other-ca", "certificate"), ("other-name", "mismatch"), ("other-key", "")]
    for name, why in refusals[:2] if scheme == "coaps" else refusals:  # what does not decrypt is no datagram of a session: nobody answers
        problem = near.request(f"/{name}/status").json()
        assert problem["type"] == "urn:castgate:problem:next-hop-unreachable" and why in problem["detail"], problem
    said = near.log() + subprocess.run([BUILD / "castgate", "-c", near.file, "-T"], capture_output=True, text=True).stdout
    assert "0123456789abcdef" not in said and "fedcba9876543210" not in said


@in_namespace
def test_next_hops_by_name(members, gateway, authority, server, hosts):  # noqa: F811
    """Looked up beside the loop; over TLS it is what the certificate has to name."""
    see_own_hosts(hosts)
    hosts.write_text("127.0.0.1 far.example localhost\n")
    fleet, port, tls_port = members(1), free_tcp_port(), free_tcp_port()
    gateway({"coap": {"listen": [f"coap://127.0.0.1:{port}", f"coap+tcp://127.0.0.1:{port}", f"coaps+tcp://127.0.0.1:{tls_port}"],
                      "tls": {"certificate": str(server[0]), "key": str(server[1])}},
             "mappings": [plain_mapping(fleet, name="house", host="far.example")]})
    targets = {"udp": f"coap://far.example:{port}", "tcp": f"coap+tcp://Far.example:{port}", "tls": f"coaps+tcp://localhost:{tls_port}",
               "other": f"coaps+tcp://far.example:{tls_port}", "none": f"coap://nobody.example:{port}"}
    mappings = [{**far_mapping(port, timeout=8, finish="count:1"), "name": name, "path": f"/{name}",
                 "targets": [{"next_hop": f"{uri}/house", **({"credentials": "far"} if "coaps" in uri else {})}]}
                for name, uri in targets.items()]
    near = gateway({"credentials": {"far": {"ca": str(authority.certificate)}}, "mappings": mappings})
    assert wait_for(lambda: near.request("/udp/status").status == 200)
    assert near.request("/tcp/status").status == 200
    assert "4.04" in near.request("/tls/status").json()["detail"]  # connected, and no mapping of that Uri-Host
    assert "hostname mismatch" in near.request("/other/status").json()["detail"]
    assert "looked up" in near.request("/none/status").json()["detail"]
