"""Observing along a chain of gateways (GCP §8.1.1, §8.2.1): each registers once at the next one, and hands its notifications on."""

import pytest

from coap import OBSERVE, Endpoint
from conftest import free_tcp_port, free_udp_port, in_namespace
from hops import inside
from links import new_far  # noqa: F401: a fixture
from probe import metrics, running, wait_for
from test_coap_observe import CANCEL, lights, put, watch  # noqa: F401: fixtures
from test_hops import house, secret  # noqa: F401: a fixture
from test_observe import Watch

OBSERVATIONS = "castgate_observations"


def above(gateway, below, scheme="coap", port=None, **more):
    """A gateway whose next hop that one is."""
    target = {"next_hop": f"{scheme}://127.0.0.1:{port or below.coap[1]}/lights"}
    credentials = {}
    if scheme == "coaps":
        target["credentials"], credentials = "far", {"credentials": {"far": {"psk": below.key}}}
    return gateway({"coap": {"listen": [f"coap://127.0.0.1:{free_udp_port()}"]}, "group": {"interface": "lo"}, **credentials,
                    "mappings": [{"name": "far", "path": "/far", "targets": [target], "security": "none", "timeout": 2,
                                  "clients": ["anonymous"], **more}]})


def is_over(*gates):
    wait_for(lambda: all(metrics(gate)[OBSERVATIONS] == 0 for gate in gates))


def turn_on(member):
    with Endpoint() as endpoint:
        put(endpoint, member, "on")


@pytest.fixture
def chain(gateway, lights, tmp_path):  # noqa: F811
    """chain(scheme): (top, below, fleet), where `below` is the next hop of `top`."""
    def start(scheme, behind=None, **more):
        port = free_tcp_port() if "tcp" in scheme else free_udp_port()
        key = {"identity": "top", "key_file": secret(tmp_path, "top.key", "0123456789abcdef")}
        below, fleet = lights(gate={"coap": {"listen": [f"coap://127.0.0.1:{free_udp_port()}", f"{scheme}://127.0.0.1:{port}"]},
                                    "clients": {"top": {"psk": key}}}, clients=["top", "anonymous"], **(behind or {}))
        below.key = key
        return above(gateway, below, scheme, port, **more), below, fleet
    return start


TRANSPORTS = ["coap", "coap+tcp", "coaps"]


@pytest.mark.parametrize("scheme", TRANSPORTS)
def test_changes_behind_a_next_hop_are_notifications(chain, watch, endpoint, scheme):  # noqa: F811
    """Several clients share what is registered there; and nobody is observed any more when the last of them has left."""
    top, below, fleet = chain(scheme)
    one = watch(top, path="far/light", timeout=2).until_latest("off", "off", "off")
    other = Watch(top, "/far/light").until_latest("off", "off", "off")
    assert metrics(below)[OBSERVATIONS] == 1
    put(endpoint, fleet.addresses[1], "on")
    for client in (one, other):
        client.until_latest("off", "off", "on")
    other.close()
    one.observe(CANCEL)
    is_over(top, below)


@pytest.mark.parametrize("scheme", TRANSPORTS[1:])
def test_that_it_is_enough_is_told_by_a_connection(chain, scheme):
    """One answer is enough, so the next hop stops, too, which would go on for as long as it has."""
    top, below, _ = chain(scheme, behind={"finish": "deadline"}, finish="count:1")
    reply = top.get_json("/far/status", headers={"Multicast-Timeout": "50"})
    assert reply["answers"] and reply["summary"]["ended_by"] == "count"
    assert wait_for(lambda: running(below) == 0)


def test_a_next_hop_that_ends_is_told(gateway, lights, watch):  # noqa: F811
    """At the end of the gateway below its clients are told to observe again; and so on, up to the client."""
    below, _ = lights()
    one = watch(above(gateway, below), path="far/light", timeout=2).until_latest("off", "off", "off")
    below.stop()
    one.until(lambda w: w.heard[-1].code_text == "5.03")
    assert one.heard[-1].one(OBSERVE) is None


@in_namespace
def test_three_levels_are_observed_from_the_top(house):  # noqa: F811
    tree = house()
    one = Watch(tree.top, "/house/light").until_latest(*["off"] * 6)
    inside(tree.bottom_side, lambda: turn_on(("127.3.0.2", tree.port)))
    one.until_latest(*["off"] * 5, "on")
    one.close()
    is_over(tree.top)
    inside(tree.middle_side, lambda: is_over(tree.middle))
    inside(tree.bottom_side, lambda: is_over(tree.bottom))
