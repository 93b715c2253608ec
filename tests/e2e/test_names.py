"""Groups by host name (R50), with a hosts file of the test's own: the program starts in a mount namespace where that is
/etc/hosts, and where nothing else is asked."""

import time

import pytest

import coap
from conftest import in_namespace
from links import own_mounts, run
from probe import Tap, check_problem, log_lines, silent_mapping, wait_for

NOW = {"Multicast-Timeout": "0"}


@pytest.fixture
def hosts(tmp_path):
    """The file; a test that has it also calls see_own_hosts first."""
    file = tmp_path / "hosts"
    file.write_text("")
    (tmp_path / "nsswitch.conf").write_text("hosts: files\n")
    return file


def see_own_hosts(hosts):
    """For this thread, and what it starts."""
    own_mounts()
    for name in ("hosts", "nsswitch.conf"):
        run(f"mount --bind {hosts.parent / name} /etc/{name}")


def named_mapping(group, host="lights.example", **more):
    return {**silent_mapping(group, "named"), "group": f"coap://{host}:{group.port}/base", **more}


@in_namespace
def test_a_name_is_sent_to_and_said(gateway, new_group, hosts):
    """R50, RFC 7252 §6.4: the address by look-up, Uri-Host in the request, in lower case; IPv4 and IPv6."""
    see_own_hosts(hosts)
    group, group6 = new_group("239.7.7.7"), new_group("ff05::7:7")
    hosts.write_text("239.7.7.7 lights.example\nff05::7:7 doors.example\n")
    gate = gateway({"mappings": [named_mapping(group, "Lights.Example"),
                                 named_mapping(group6, "doors.example", name="doors", path="/doors")]})
    for path, to, host in (("/named/x", group, b"lights.example"), ("/doors/x", group6, b"doors.example")):
        with Tap(to) as tap:
            wait_for(lambda: gate.request(path, headers=NOW).status == 204)
            message = tap.packets()[-1].message
            assert message.one(coap.URI_HOST) == host and message.path == "/base/x"


@in_namespace
def test_a_target_uri_with_a_name(gateway, new_group, hosts):
    """R50: the forward proxy, for what lies below a mapping's named group; another name for the same group is no such URI."""
    see_own_hosts(hosts)
    group = new_group("239.7.7.7")
    hosts.write_text("239.7.7.7 lights.example alias.example\n")
    gate = gateway({"mappings": [named_mapping(group, forward=True)]})
    target = f"/hc/coap://LIGHTS.example:{group.port}/base/x"
    with Tap(group) as tap:
        wait_for(lambda: gate.request(target, headers=NOW).status == 204)
        message = tap.packets()[-1].message
        assert message.one(coap.URI_HOST) == b"lights.example" and message.path == "/base/x"
    assert gate.request(target.replace("LIGHTS", "alias"), headers=NOW).status == 403


@in_namespace
def test_what_is_not_multicast_is_refused(gateway, new_group, hosts):
    """R50: with a detail that says what the name stands for; nothing is sent. Of several addresses a multicast one counts."""
    see_own_hosts(hosts)
    group = new_group("239.7.7.7")
    hosts.write_text("127.0.0.9 lights.example\n127.0.0.9 mixed.example\n239.7.7.7 mixed.example\n")
    gate = gateway({"mappings": [named_mapping(group), named_mapping(group, "nobody.example", name="nobody", path="/nobody"),
                                 named_mapping(group, "mixed.example", name="mixed", path="/mixed")]})
    with Tap(group) as tap:
        wait_for(lambda: log_lines(gate, "name"))
        problem = wait_for(lambda: (lambda p: "127.0.0.9" in p["detail"] and p)(
            check_problem(gate.request("/named/x", headers=NOW), 502, "cannot-emit")))
        assert problem["detail"] == ("lights.example is no group at the moment: the name stands for 127.0.0.9, which is not "
                                     "multicast")
        problem = check_problem(gate.request("/nobody/x", headers=NOW), 502, "cannot-emit")
        assert "nobody.example is no group at the moment: the name cannot be looked up" in problem["detail"]
        assert tap.packets() == []
        wait_for(lambda: gate.request("/mixed/x", headers=NOW).status == 204)
        assert len(tap.packets()) == 1
    assert len(log_lines(gate, "name")) == 3


@in_namespace
def test_a_name_that_comes_later_and_moves(gateway, new_group, hosts):
    """What could not be looked up is tried again soon, without a reload; a reload looks everything up at once; the last good
    answer stays when look-ups fail."""
    see_own_hosts(hosts)
    group = new_group("239.7.7.7")
    other = type(group)("239.7.7.8", group.port)
    gate = gateway({"mappings": [named_mapping(group)]})
    check_problem(gate.request("/named/x", headers=NOW), 502, "cannot-emit")
    hosts.write_text("239.7.7.7 lights.example\n")
    wait_for(lambda: gate.request("/named/x", headers=NOW).status == 204)
    hosts.write_text("239.7.7.8 lights.example\n")
    gate.reload(gate.settings)
    with Tap(other) as tap:
        wait_for(lambda: gate.request("/named/x", headers=NOW).status == 204 and tap.packets(0))
    hosts.write_text("")
    gate.reload(gate.settings)
    wait_for(lambda: "the last known address stays in use" in gate.log())
    with Tap(other) as tap:
        assert gate.request("/named/x", headers=NOW).status == 204
        assert len(tap.packets()) == 1
    groups = [line["group"] for line in log_lines(gate, "name") if "group" in line]
    assert groups == ["239.7.7.7", "239.7.7.8"]


@in_namespace
def test_a_resolver_that_hangs_holds_nobody(gateway, new_group, hosts, tmp_path):
    """Nothing answers there: other mappings are served, and the end comes at once."""
    see_own_hosts(hosts)
    (tmp_path / "nsswitch.conf").write_text("hosts: dns\n")
    (tmp_path / "resolv.conf").write_text("nameserver 10.9.9.2\noptions timeout:30\n")
    run(f"mount --bind {tmp_path / 'resolv.conf'} /etc/resolv.conf")
    for command in ("ip link add dns0 type veth peer name dns1", "ip addr add 10.9.9.1/24 dev dns0", "ip link set dns0 up",
                    "ip link set dns1 up", "ip neigh add 10.9.9.2 lladdr 02:00:00:00:00:02 dev dns0"):
        run(command)
    group, plain = new_group("239.7.7.7"), new_group("239.7.7.8")
    gate = gateway({"mappings": [named_mapping(group), silent_mapping(plain, "plain")]})
    problem = check_problem(gate.request("/named/x", headers=NOW), 502, "cannot-emit")
    assert "the name has not been looked up yet" in problem["detail"]
    assert gate.request("/plain/x", headers=NOW).status == 204
    start = time.monotonic()
    assert gate.stop() == 0
    assert time.monotonic() - start < 20
