"""End to end through the gateway: a client that is a member of the group has its requests relayed, and a gateway that checks signatures
relays each once, whatever happens to it (RFC 10021 §7, §7.5). The client's messages are those of a second gateway, which is a member."""

import base64
import hashlib
import signal

import pytest

import coap
from conftest import Gateway
from probe import Tap, check_problem
from protected import Keys, make_state, settings


NOBODY = (204, 504)  # it went out, and nobody answered


def client(name):
    return {name: {"token_sha256": hashlib.sha256(name.encode()).hexdigest()}}


def relay_mapping(group, name, checker, **more):
    return {"name": name, "path": f"/{name}", "group": group.uri, "security": "relay", "check_signature": str(checker),
            "timeout": 0.3, "methods": ["GET"], "clients": [{"name": "ann", "methods": ["PUT"]}, "bob"], **more}


@pytest.fixture
def keys(tmp_path, group):
    return Keys(tmp_path / "keys", 2, group.port)


@pytest.fixture
def messages(gateway, group, new_group, tmp_path, keys):
    """messages(): one more protected request of a member."""
    own = new_group()
    state = make_state(tmp_path / "member-state", keys)
    member = gateway(settings(state, (own, keys, {"timeout": 0.05, "finish": "deadline", "membership": "open"})))

    def make():
        with Tap(own) as tap:
            assert member.request("/lights/status").status in NOBODY
            message = tap.packets()[0].message
        return message.one(coap.OSCORE), message.payload

    return make


def relays(group, keys, tmp_path, **more):
    copy = tmp_path / "copy.json"
    copy.write_bytes(keys.checker.read_bytes())
    copy.chmod(0o600)
    return {"clients": {**client("ann"), **client("bob")}, "group": {"interface": "lo", "nstart": 100},
            "mappings": [relay_mapping(group, "one", keys.checker), relay_mapping(group, "other", copy)], **more}


def post(gate, message, name="ann", path="/one"):
    option, payload = message
    headers = {"Authorization": f"Bearer {name}", "Content-Type": "application/oscore",
               "OSCORE": base64.urlsafe_b64encode(option).decode().rstrip("=")}
    return gate.request(path, "POST", headers, payload)


def payloads(tap):
    return [packet.message.payload for packet in tap.packets()]


def test_what_a_client_repeats_is_relayed_and_what_others_repeat_is_not(gateway, group, keys, messages, tmp_path):
    gate = gateway(relays(group, keys, tmp_path))
    message = messages()
    with Tap(group) as tap:
        for _ in range(3):
            assert post(gate, message).status in NOBODY
        assert payloads(tap) == [message[1]] * 3
        problem = check_problem(post(gate, message, "bob"), 401, "unauthorized")
        assert "was relayed before" in problem["detail"]
        check_problem(post(gate, message, "bob", "/other"), 401, "unauthorized")  # one group's key, another file
        assert len(payloads(tap)) == 3
        assert post(gate, message, "ann", "/other").status in NOBODY
        assert post(gate, messages(), "bob").status in NOBODY


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_relayed_twice_over_a_restart(gateway, group, keys, messages, tmp_path, end):
    what = relays(group, keys, tmp_path, state=str(tmp_path / "relay-state"))
    first, second = messages(), messages()
    gate = Gateway(what, tmp_path / "first")
    gate.wait()
    assert post(gate, second).status in NOBODY
    assert gate.stop(end) == (0 if end == signal.SIGTERM else -end)
    again = gateway(what)
    with Tap(group) as tap:
        for name in ("ann", "bob"):
            assert "was relayed before" in check_problem(post(again, second, name), 401, "unauthorized")["detail"]
        assert payloads(tap) == []
        assert post(again, first, "bob").status in NOBODY  # it never went out
        assert payloads(tap) == [first[1]]


def test_a_state_folder_that_cannot_be_written_stops_checked_relaying_only(gateway, group, keys, messages, tmp_path):
    blocked = tmp_path / "no-folder"
    blocked.write_text("")
    what = relays(group, keys, tmp_path, state=str(blocked))
    what["mappings"].append({"name": "free", "path": "/free", "group": group.uri, "security": "relay", "timeout": 0.3,
                             "clients": ["ann"]})
    gate = gateway(what)
    message = messages()
    with Tap(group) as tap:
        reply = post(gate, message)
        assert str(blocked) in check_problem(reply, 503, "store-unavailable")["detail"]
        assert reply.headers["Retry-After"]
        assert payloads(tap) == []
        assert post(gate, message, "ann", "/free").status in NOBODY
        assert len(payloads(tap)) == 1
        blocked.unlink()
        assert post(gate, message).status in NOBODY  # it recovers by itself, and this was not relayed by a checked mapping
