"""Observing along a chain of gateways (GCP §8.1.1, §8.2.1): each registers once at the next one, and hands its notifications on."""

import pytest

from coap import OBSERVE, Endpoint
from conftest import free_udp_port, in_namespace
from hops import inside
from links import new_far  # noqa: F401: a fixture
from probe import metrics, wait_for
from test_coap_observe import CANCEL, lights, put, watch  # noqa: F401: fixtures
from test_hops import house  # noqa: F401: a fixture
from test_observe import Watch

OBSERVATIONS = "castgate_observations"


def above(gateway, below, scheme="coap", **more):
    """A gateway whose next hop that one is."""
    return gateway({"coap": {"listen": [f"coap://127.0.0.1:{free_udp_port()}"]}, "group": {"interface": "lo"},
                    "mappings": [{"name": "far", "path": "/far", "targets": [{"next_hop": f"{scheme}://127.0.0.1:{below.coap[1]}/lights"}],
                                  "security": "none", "timeout": 2, "clients": ["anonymous"], **more}]})


def is_over(*gates):
    wait_for(lambda: all(metrics(gate)[OBSERVATIONS] == 0 for gate in gates))


def turn_on(member):
    with Endpoint() as endpoint:
        put(endpoint, member, "on")


@pytest.mark.parametrize("scheme", ["coap", "coap+tcp"])
def test_changes_behind_a_next_hop_are_notifications(gateway, lights, watch, endpoint, scheme):  # noqa: F811
    """Several clients share what is registered there; and nobody is observed any more when the last of them has left."""
    port = free_udp_port()
    below, fleet = lights(gate={"coap": {"listen": [f"coap://127.0.0.1:{port}", f"coap+tcp://127.0.0.1:{port}"]}})
    top = above(gateway, below, scheme)
    one = watch(top, path="far/light", timeout=2).until_latest("off", "off", "off")
    other = Watch(top, "/far/light").until_latest("off", "off", "off")
    assert metrics(below)[OBSERVATIONS] == 1
    put(endpoint, fleet.addresses[1], "on")
    for client in (one, other):
        client.until_latest("off", "off", "on")
    other.close()
    one.observe(CANCEL)
    is_over(top, below)


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
