"""/readyz, the log and reloads, about what keeps mappings from sending: keys that may not, interfaces that are not there."""

import json
import re

import pytest

from conftest import BUILD, Group, free_tcp_port, free_udp_port, in_namespace, plain_mapping
from links import new_far, quiet_ipv6, run  # noqa: F401
from probe import check_problem, wait_for
from protected import Keys, ProtectedMembers, make_state, settings
import subprocess


def ready(gate):
    reply = gate.request("/readyz", to=gate.admin)
    return reply.status, reply.body.decode()


def wait_until_ready(gate):
    wait_for(lambda: ready(gate) == (200, "ok\n"))


@pytest.fixture
def lights(group, tmp_path):
    """Keys and two members."""
    keys = Keys(tmp_path / "keys", 2, group.port)
    fleet = ProtectedMembers(keys, group, 2, "127.1.0.1", (), tmp_path / "members.log")
    yield keys
    assert fleet.stop() == 0, fleet.log()


def test_a_key_that_is_not_claimed(lights, group, gateway, tmp_path):
    """/readyz and the log say so before anybody asks; a request is told when it may be worth asking again."""
    state = make_state(tmp_path / "state")
    gate = gateway(settings(state, (group, lights)))
    wait_for(lambda: ready(gate)[0] == 503)
    status, text = ready(gate)
    assert text.startswith("security group lights (mapping lights): its key is not claimed: castgate-keys claim")
    wait_for(lambda: "event=key security_group=lights" in gate.log())
    reply = gate.request("/lights/status")
    problem = check_problem(reply, 503, "key-cannot-send")
    assert problem["title"] == "the security group's key may not send" and "not claimed" in problem["detail"]
    assert reply.headers["Retry-After"] == "60"
    told = subprocess.run([BUILD / "castgate", "-c", gate.file, "--status"], capture_output=True, text=True, timeout=30)
    assert told.returncode == 1 and "its key is not claimed" in json.loads(told.stdout)["detail"]
    Keys.run("claim", lights.gateway, "--state", state)
    wait_until_ready(gate)
    assert gate.get_json("/lights/status")["summary"]["answered"] == 2
    assert "it can send again" in gate.log()


def test_a_key_of_a_copied_state_folder(lights, group, gateway, tmp_path):
    state = make_state(tmp_path / "state", lights)
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", state, copy], check=True)
    gate = gateway(settings(copy, (group, lights)))
    wait_for(lambda: "its key is spent" in ready(gate)[1])


def test_a_key_that_no_mapping_uses_is_no_trouble(lights, group, gateway, tmp_path):
    file = settings(make_state(tmp_path / "state"), (group, lights))
    gate = gateway({**file, "mappings": []})
    wait_for(lambda: "event=key security_group=lights" in gate.log())
    assert ready(gate) == (200, "ok\n")


def test_a_reload_onto_a_key_that_is_not_claimed_is_refused(lights, group, gateway, tmp_path):
    """The old settings stay, all of them, and the log says how to claim."""
    state = make_state(tmp_path / "state", lights)
    file = settings(state, (group, lights))
    gate = gateway(file)
    other = lights.rekeyed(tmp_path / "next")
    changed = {**gate.settings, "security_groups": {"lights": str(other.gateway)},
               "mappings": [{**file["mappings"][0], "path": "/moved"}]}
    gate.reload(changed)
    wait_for(lambda: "the settings in use stay as they are" in gate.log())
    assert f"If it has never sent: castgate-keys claim {other.gateway} --state {state}" in gate.log()
    assert "keys-activated" not in gate.log().partition("event=ready")[2]
    assert gate.get_json("/lights/status")["summary"]["answered"] == 2
    assert gate.request("/moved/status").status == 404
    assert ready(gate) == (200, "ok\n")
    Keys.run("claim", other.gateway, "--state", state)
    gate.reload(changed)
    wait_for(lambda: "the settings are in use" in gate.log())
    assert gate.request("/lights/status").status == 404
    wait_until_ready(gate)


def test_a_group_that_a_reload_brings(lights, group, gateway, tmp_path):
    """The first one, so that the store is not even open yet."""
    state = make_state(tmp_path / "state")
    file = settings(state, (group, lights))
    gate = gateway({**file, "security_groups": {}, "mappings": []})
    gate.reload({**gate.settings, **file})
    wait_for(lambda: "the settings in use stay as they are" in gate.log())
    assert "security group lights: its key is not claimed" in gate.log()
    Keys.run("claim", lights.gateway, "--state", state)
    gate.reload({**gate.settings, **file})
    wait_for(lambda: "the settings are in use" in gate.log())
    assert gate.get_json("/lights/status")["summary"]["answered"] == 2


def test_a_reload_without_a_store_says_so(lights, group, gateway, tmp_path):
    """No verdict is no refusal: whatever else is in the file counts."""
    file = settings(tmp_path / "none", (group, lights))
    gate = gateway({**file, "security_groups": {}, "mappings": []})
    gate.reload({**gate.settings, **file})
    wait_for(lambda: "the settings are in use" in gate.log())
    wait_for(lambda: str(tmp_path / "none") in ready(gate)[1])
    assert ready(gate)[0] == 503
    assert gate.request("/lights/status").headers["Retry-After"] == "10"


def test_the_end_does_not_wait_for_a_reload(lights, group, gateway, tmp_path):
    state = make_state(tmp_path / "state", lights)
    gate = gateway(settings(state, (group, lights)))
    other = lights.rekeyed(tmp_path / "next")
    gate.reload({**gate.settings, "security_groups": {"lights": str(other.gateway)}})
    assert gate.stop() == 0


def test_more_exchanges_need_a_restart(gateway):
    gate = gateway({"limits": {"exchanges": 100}})
    gate.reload({**gate.settings, "limits": {"exchanges": 200}})
    wait_for(lambda: "the settings are in use" in gate.log())
    assert re.search(r"at=/limits/exchanges msg=.*restart", gate.log())
    gate.reload({**gate.settings, "limits": {"exchanges": 50}})
    wait_for(lambda: gate.log().count("the settings are in use") == 2)
    assert gate.log().count("/limits/exchanges") == 1


def missing(name, group, **more):
    return {"name": name, "path": f"/{name}", "group": group.uri, "security": "none", "timeout": 1, "clients": ["anonymous"], **more}


@in_namespace
def test_an_interface_that_is_missing(gateway, new_far):
    """Said at the start, which goes on; in /readyz, which like /metrics names nothing off loopback; over when it comes."""
    quiet_ipv6()
    far = new_far()
    far.cable("left0", "left1", "10.7.1")
    group = Group("224.0.1.187", free_udp_port())
    names = ["a", "b", "c", "d"]
    admin = [f"127.0.0.1:{free_tcp_port()}", {"address": f"10.7.1.1:{free_tcp_port()}", "insecure": True}]
    gate = gateway({"group": {"interface": "left0"}, "admin": {"listen": admin},
                    "mappings": [missing(name, group, interface="eth9") for name in names] + [missing("fine", group)]})
    warning = next(line for line in gate.log().splitlines() if "event=interface" in line)
    assert 'interface \\"eth9\\" does not exist' in warning and "mappings a, b, c and 1 more" in warning
    assert ready(gate) == (503, 'mappings a, b, c and 1 more: interface "eth9" does not exist\n')
    address, _, port = admin[1]["address"].rpartition(":")
    reply = gate.request("/readyz", to=(address, int(port)))
    assert (reply.status, reply.body) == (503, b"4 mappings: the interface is of no use\n")
    check_problem(gate.request("/a/x"), 502, "cannot-emit")
    assert b'castgate_requests_total{mapping="a"} 1\n' in gate.request("/metrics", to=gate.admin).body
    figures = gate.request("/metrics", to=(address, int(port))).body
    assert b"castgate_requests_total 1\n" in figures and b"mapping=" not in figures
    run("ip link add eth9 type veth peer name eth8")
    run("ip link set eth9 up")
    run("ip link set eth8 up")
    wait_for(lambda: "has no IPv4 address" in ready(gate)[1])
    run("ip addr add 10.7.9.1/24 dev eth9")
    wait_until_ready(gate)
    run("ip link del eth9")
    assert ready(gate)[0] == 503
    gate.reload({**gate.settings, "mappings": [missing("fine", group)]})
    wait_until_ready(gate)
