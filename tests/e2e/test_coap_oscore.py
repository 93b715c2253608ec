"""Clients that protect their requests to the gateway itself by OSCORE: who they are, that no response has a nonce of another one, what
is lost with a restart, and what others get to hear."""

import json
import secrets
import subprocess

import pytest

import coap
from coap import CON, ECHO, GET, MULTICAST_TIMEOUT, OBSERVE, OSCORE, PUT, REPLY_FROM, Client
from conftest import BUILD, free_tcp_port, free_udp_port, plain_mapping
from oscore import Context, ShieldedClient, ShieldedConnection, ShieldedSession
from probe import Tap, answer_to, log_lines, metrics, wait_for
from protected import Keys, kill


WIRE, WIRE_KEY = "wire", "0123456789abcdef"  # whoever has the DTLS session; it may ask for nothing
SCHEMES = "coap", "coaps", "coap+tcp"


@pytest.fixture
def shielded(members, gateway, tmp_path):
    """shielded(…): a gateway with a client "d", before a fleet, and that client."""
    made = []

    def client_at(scheme, to, context):
        if scheme == "coaps":
            return ShieldedSession(to, context, WIRE, WIRE_KEY)
        return ShieldedConnection(to, context) if scheme == "coap+tcp" else ShieldedClient(to, context)

    def start(count=3, context=None, file=None, claim=True, scheme="coap", **more):
        fleet = members(count)
        context, port = context or Context(), free_tcp_port() if "tcp" in scheme else free_udp_port()
        file = file or context.write(tmp_path / "d.oscore.json")
        state, key = tmp_path / "state", tmp_path / "wire.key"
        key.write_text(WIRE_KEY)
        key.chmod(0o600)
        (tmp_path / "state.json").write_text(json.dumps({"state": str(state)}))
        subprocess.run([BUILD / "castgate", "-c", tmp_path / "state.json", "--init-state"], check=True, timeout=60)
        if claim:
            Keys.run("claim", file, "--state", state)
        gate = gateway({"coap": {"listen": [f"{scheme}://127.0.0.1:{port}"]}, "state": str(state),
                        "group": {"interface": "lo", "nstart": 1000, "probing_rate": 1000000},
                        "clients": {"d": {"oscore": str(file)}, "wire": {"psk": {"identity": WIRE, "key_file": str(key)}}},
                        "mappings": [plain_mapping(fleet, clients=["d"], max_timeout=30, **more)]})
        gate.fleet, gate.file = fleet, file
        made.append(client_at(scheme, ("127.0.0.1", port), context))
        return gate, made[-1]

    yield start
    for one in made:
        one.close()


def test_each_answer_has_its_own_number(shielded):
    gate, client = shielded()
    first = Client.call(client, ".well-known/core", timeout=None)
    assert first.code_text == "4.01" and first.one(ECHO)  # nothing is known of what came before
    assert client.meet().code_text == "2.05"
    found = client.gather("lights/light", 3)
    assert [message.code_text for message in found] == ["2.05"] * 3
    assert len({message.one(REPLY_FROM) for message in found}) == 3
    assert len(client.context.seen) == 6
    (line,) = wait_for(lambda: log_lines(gate, "exchange"))
    assert (line["client"], line["answered"]) == ("d", "3")
    assert metrics(gate)["castgate_coap_oscore_opened_total"] == 2


def test_a_client_without_its_context_may_nothing(shielded):
    gate, client = shielded(1)
    with Client(client.to) as plain:
        assert plain.call("lights/light").code_text == "4.01"


def test_a_replay_is_refused_in_plain(shielded):
    gate, client = shielded(1)
    client.meet()
    assert client.call("lights/light", timeout=2).code_text == "2.05"
    again = coap.Message.parse(client.sent[-1])
    again.mid, again.token = client.next_mid(), b"again"
    client.socket.send(again.emit())
    answer = wait_for(lambda: next((m for m in iter(lambda: client.hear(2), None) if m.token == b"again"), None))
    assert (answer.code_text, answer.payload, answer.one(OSCORE)) == ("4.01", b"Replay detected", None)
    assert metrics(gate)['castgate_coap_oscore_refused_total{reason="replay"}'] == 1


@pytest.mark.parametrize("made,said", [
    (lambda good: Context(secret=good.secret, salt=b"other", client=good.client), ("4.00", b"Decryption failed")),
    (lambda good: Context(secret=good.secret, salt=good.salt, client=b"\x07"), ("4.01", b"Security context not found")),
])
def test_whoever_has_other_keys_hears_why(shielded, made, said):
    _, client = shielded(1)
    with ShieldedClient(client.to, made(client.context)) as other:
        answer = other.call("lights/light")
        assert answer.one(OSCORE) is None
        assert answer.code_text == said[0] and answer.payload.startswith(said[1])


def test_numbers_go_on_after_a_kill(shielded, gateway):
    gate, client = shielded(1)
    client.meet()
    client.call("lights/light")
    kill(gate)
    gate.process.returncode = 0  # as the fixture wants it: it did not fail, it was killed
    gateway(gate.settings)
    first = Client.call(client, "lights/light")
    assert first.code_text == "4.01" and first.one(ECHO)  # the window is lost, and the number is a new one
    assert client.call("lights/light").code_text == "2.05"


def test_errors_come_protected(shielded):
    _, client = shielded(1)
    client.meet()
    assert client.call("nowhere").code_text == "4.04"
    missing = client.call("lights/light", timeout=None)
    assert missing.code_text == "4.00" and missing.one(MULTICAST_TIMEOUT) == b""
    assert client.call("lights/light", method=PUT, payload=b"1").code_text in ("4.03", "4.05")
    unknown = client.call("lights/light", options=[(65001 | 3, b"")])  # critical, unsafe to forward, nobody's
    assert unknown.code_text == "4.02"


def test_layers_up_to_a_limit_are_for_the_gateway(shielded):
    """As where a proxy on the way protects what its client has protected; the limit's 4.01 has the layers that were taken off."""
    gate, client = shielded()
    client.meet()
    assert [message.code_text for message in client.gather("lights/light", 3, layers=2)] == ["2.05"] * 3
    answer = Client.call(client, "lights/light", layers=3)
    assert (answer.code_text, answer.payload) == ("4.01", b"more layers than are taken off")
    assert metrics(gate)['castgate_coap_oscore_refused_total{reason="layers"}'] == 1


def test_what_is_for_members_is_relayed_from_inside(shielded, group):
    """Nested: the client is a member of the group, and protects what it has protected for members for the gateway, too."""
    _, client = shielded(1, security="relay", members=[], membership="open", finish="deadline")
    client.meet()
    option, payload = b"\x39\x01\x02gi" + b"\x09" * 4, secrets.token_bytes(300)
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        client.ask("lights", method=coap.POST, options=[(OSCORE, option)], payload=payload)
        packet = tap.next()
        assert (packet.message.options, packet.message.payload) == ([(OSCORE, option)], payload)
        member.send_bytes(packet.source, answer_to(packet.message, b"sealed by a member", "2.04", options=[(OSCORE, b"\x08\x05")]))
        (answer,) = [message for message in client.hear_all(2.5) if message.code]
    assert (answer.code_text, answer.one(OSCORE), answer.payload) == ("2.04", b"\x08\x05", b"sealed by a member")
    assert answer.one(REPLY_FROM) is not None


def test_an_answer_with_an_option_that_nobody_knows(shielded, group):
    """It is safe to forward, and goes to a client that protects nothing; to one that does it has no class."""
    _, client = shielded(1, membership="open", finish="deadline")
    client.meet()
    with Tap(group) as tap, coap.Endpoint("127.66.0.1") as member:
        client.ask("lights/light")
        packet = tap.next()
        member.send_bytes(packet.source, answer_to(packet.message, b"on", options=[(65000, b"")]))
        answers = {message.code_text: message for message in client.hear_all(2.5) if message.code}
    assert answers["2.05"].payload == b"off"  # the other member's
    assert b"no class" in answers["5.02"].payload and answers["5.02"].one(REPLY_FROM)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_notifications_until_an_early_stop(shielded, endpoint, scheme):
    """Each is under a number of its own, which the context sees to, and in the order of the gateway's numbers."""
    gate, client = shielded(2, scheme=scheme)
    client.meet()
    request, heard = client.ask("lights/light", options=[(OBSERVE, b"")]), []

    def until_latest(*values):
        latest = {}
        while sorted(latest.values()) != sorted(values):
            message = client.hear(20)
            if message.code:
                heard.append(message)
            latest = {one.one(REPLY_FROM): one.payload.decode() for one in heard}

    until_latest("off", "off")
    for value in "on", "dim", "on":
        answer = endpoint.request(gate.fleet.addresses[0], "/light", PUT, payload=value.encode(), options=[(coap.CONTENT_FORMAT, b"")])
        assert answer.code_text == "2.04"
        until_latest(value, "off")
    assert {(message.code_text, message.token) for message in heard} == {("2.05", request.token)}
    orders = [message.one(OBSERVE) for message in heard]
    assert len(heard) == 5 and orders == [b""] * 5  # the Partial IVs order them (RFC 8613 4.1.3.5.2)
    assert client.context.seen == sorted(client.context.seen, key=lambda piv: int.from_bytes(piv, "big"))
    client.ask("", timeout=0, token=request.token)
    wait_for(lambda: metrics(gate)["castgate_coap_exchanges_running"] == 0)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_blocks_are_inside(shielded, group, scheme):
    """Of a request, and of one response with all answers."""
    gate, client = shielded(2, scheme=scheme, aggregate=True, methods=["GET", "FETCH"])
    client.meet()
    size, body = 64, secrets.token_bytes(150)
    with Tap(group) as tap:
        for number in range(2):
            part = {"timeout": 1, "payload": body[number * size:][:size], "options": [(coap.BLOCK1, coap.block(number, True, size))]}
            assert client.call("lights/light", method=coap.FETCH, **part).code_text == "2.31"
        client.ask("lights/light", method=coap.FETCH, payload=body[2 * size:], timeout=1, options=[(coap.BLOCK1, coap.block(2, False, size))])
        assert tap.next().message.payload == body
    accept = (coap.ACCEPT, b"\x3e")
    whole, answer = b"", None
    while answer is None or answer.block()[1]:
        answer = client.call("lights/big", options=[accept, (coap.BLOCK2, coap.block(len(whole) // 512, False, 512))])
        assert (answer.code_text, answer.uint(coap.CONTENT_FORMAT)) == ("2.05", 62)
        whole += answer.payload
    assert whole.count(b"\x59\x10\x00") == 2  # 4096 bytes of each of two members, as a byte string


def test_an_observation_ends_when_its_client_says_so(shielded):
    gate, client = shielded(1)
    client.meet()
    request = client.ask("lights/light", options=[(OBSERVE, b"")])
    first = wait_for(lambda: next((m for m in iter(lambda: client.hear(2), None) if m.code), None))
    assert first.code_text == "2.05" and first.one(OBSERVE) == b""
    client.ask("lights/light", options=[(OBSERVE, b"\x01")], token=request.token)
    wait_for(lambda: metrics(gate)["castgate_coap_exchanges_running"] == 0)


def test_one_response_with_all_answers(shielded):
    _, client = shielded(3, aggregate=True)
    client.meet()
    answer = client.call("lights/light", options=[(coap.ACCEPT, b"\x3e")])
    assert (answer.code_text, answer.uint(coap.CONTENT_FORMAT)) == ("2.05", 62)


def test_with_files_of_castgate_keys(shielded, tmp_path):
    Keys.run("client", tmp_path / "keys")
    _, client = shielded(1, Context.read(tmp_path / "keys/client.json"), tmp_path / "keys/gateway.json")
    assert client.meet().code_text == "2.05"


def test_a_key_that_nobody_claimed_answers_nothing(shielded, tmp_path):
    """It is told before the client comes, and when it does; once claimed it is told of no more."""
    gate, client = shielded(1, claim=False)
    ready = wait_for(lambda: (reply := gate.request("/readyz", to=gate.admin)).status == 503 and reply)
    assert "client d: the key of its OSCORE context is not claimed" in ready.body.decode()
    answer = client.call("lights/light")
    assert (answer.code_text, answer.one(OSCORE)) == ("5.03", None)
    first, later = wait_for(lambda: (lines := log_lines(gate, "key"))[1:] and lines)
    assert (first["client"], later["client"]) == ("d", "d") and "claim" in first["msg"] and "claim" in later["msg"]
    Keys.run("claim", gate.file, "--state", tmp_path / "state")
    wait_for(lambda: gate.request("/readyz", to=gate.admin).status == 200)
    assert client.meet().code_text == "2.05"
