"""R19: a member is only a member. Of a mapping that hides its members nothing that tells them apart beyond one reply leaves the
gateway: names, addresses, kids, by any form of reply, in the log or in the figures."""

import base64
import json
import subprocess

import pytest

import coap
from coap import Client
from conftest import BUILD, free_udp_port, plain_mapping
from probe import log_lines, wait_for
from protected import AUTHORIZED, Keys, ProtectedMembers, make_state, mapping, settings

NAMES = ["zebrafinch", "quokkarat", "wombatking", "axolotlus"]
FORMS = ["multipart/mixed", "application/json", "text/html", "text/event-stream"]


def traces(addresses, kids=()):
    """What would give a member away, in the forms in which it might."""
    found = [name.encode() for name in NAMES]
    for ip, port in addresses:
        packed = bytes(map(int, ip.split(".")))
        cri = bytes([0x44]) + packed
        found += [ip.encode(), packed, packed.hex().encode(), cri, base64.b64encode(cri).rstrip(b"=")]
    for kid in kids:
        found += [f"kid=:{base64.b64encode(bytes.fromhex(kid)).decode()}:".encode(), f'"kid":"{kid}"'.encode(), f'"{kid}"'.encode()]
    return found


def expect_nothing_of(found, *texts):
    for text in texts:
        text = text if isinstance(text, bytes) else text.encode()
        for trace in found:
            assert trace not in text, (trace, text)


def whole(reply):
    return "\n".join(f"{key}: {value}" for key, value in reply.headers.items()).encode() + b"\n\n" + reply.body


def figures(gate):
    return gate.request("/metrics", to=gate.admin).body


@pytest.fixture
def plain(members, gateway):
    """Three answer, one of them refusing; the fourth is not there."""
    fleet = members(3, "--fail", "1:4.04", "--answer-errors")
    texts = fleet.texts + ["127.66.77.88:5683"]
    gate = gateway({"coap": {"listen": [f"coap://127.0.0.1:{free_udp_port()}"]}, "mappings": [plain_mapping(
        fleet, members=[{"name": n, "address": a} for n, a in zip(NAMES, texts)], anonymise=True, stand_in="members", timeout=1,
        aggregate=True, forward=False, repair={"unicast": True})]})
    return gate, traces(fleet.addresses + [("127.66.77.88", 5683)])


@pytest.mark.parametrize("form", FORMS)
def test_no_form_of_reply_tells_who(plain, form):
    gate, found = plain
    for path in ("/lights/light", "/lights/.member/quokkarat/light", "/lights/.member/axolotlus/light", "/lights/.member/nobody"):
        reply = gate.request(path, headers={"Accept": form})
        expect_nothing_of([f for f in found if f not in path.encode()], whole(reply))
    assert b"missing" in gate.request("/lights/light", headers={"Accept": "application/json"}).body


@pytest.mark.parametrize("path", ["lights/light", "lights/.member/quokkarat/light", "lights/.member/axolotlus/light"])
@pytest.mark.parametrize("options", [[], [(coap.ACCEPT, coap.uint(62))]])
def test_no_response_by_coap_tells_who(plain, path, options):
    gate, found = plain
    with Client(gate.coap) as one:
        responses = one.gather(path, timeout=1, seconds=2, options=options)
    assert responses or "axolotlus" in path
    expect_nothing_of([f for f in found if f not in path.encode()], *(response.emit() for response in responses))


def test_no_figure_and_no_line_tells_who(plain):
    gate, found = plain
    for form in FORMS:
        gate.request("/lights/light", headers={"Accept": form})
    for name in NAMES:
        gate.request(f"/lights/.member/{name}/light?x={name}")
        gate.request(f"/lights/%2Emember/{name}")
    gate.request("/lights/.member/zebrafinch", method="PUT", body=b"on")
    subprocess.run([BUILD / "castgate", "-c", gate.file, "--check", "lights"], capture_output=True, timeout=60)
    status = subprocess.run([BUILD / "castgate", "-c", gate.file, "--status"], capture_output=True, timeout=60).stdout
    known = subprocess.run([BUILD / "castgate", "-c", gate.file, "--members"], capture_output=True, timeout=60).stdout
    assert known.count(b"(hidden)") == 3
    expect_nothing_of(found, figures(gate), status, known)
    wait_for(lambda: len(log_lines(gate, "exchange")) >= len(FORMS) + 2 * len(NAMES) + 1)
    expect_nothing_of(found, gate.log())


def test_verified_members_are_hidden_as_well(gateway, group, tmp_path):
    keys = Keys(tmp_path / "keys", 4, group.port)
    fleet = ProtectedMembers(keys, group, 3, "127.1.0.1", [], tmp_path / "members.log")
    state = make_state(tmp_path / "state", keys)
    document = json.loads(keys.gateway.read_text())
    kids = sorted(document["peers"])
    for kid, name in zip(kids, NAMES):
        document["peers"][kid]["name"] = name
    keys.gateway.write_text(json.dumps(document))
    gate = gateway({**settings(state, (group, keys, {"anonymise": True, "stand_in": "members", "repair": {"unicast": True}}))})
    wait_for(lambda: gate.request("/readyz", to=gate.admin).status == 200)
    found = traces(fleet.addresses, kids)
    for form in FORMS:
        reply = gate.request(f"/{keys.name}/light", headers={"Accept": form, **AUTHORIZED})
        assert reply.status == 200
        expect_nothing_of(found, whole(reply))
    answers = gate.get_json(f"/{keys.name}/light", headers=AUTHORIZED)["answers"]
    assert sorted(answer["member"] for answer in answers) == ["1", "2", "3"]
    expect_nothing_of(found, figures(gate), gate.log())
    assert fleet.stop() == 0, fleet.log()
