"""What the page shows without being asked: exchanges as they end, figures, warnings; and what GET figures says."""

import socket
import time

import pytest

from conftest import plain_mapping
from probe import wait_for
from test_admin_access import ROOT, Stream, ask, CLIENTS


@pytest.fixture
def stream():
    opened = []

    def open_one(gate, query="", token="eye"):
        opened.append(Stream(gate.admin, f"{ROOT}/events{query}", token))
        wait_for(lambda: opened[-1].lines)
        return opened[-1]
    yield open_one
    for one in opened:
        one.connection.sock.shutdown(socket.SHUT_RDWR)  # its thread reads, and closing waits for that
        one.close()


@pytest.fixture
def gate(members, gateway):
    """Two members answer, one is not there."""
    fleet = members(2)
    listed = [{"name": f"lamp-{i}", "address": text} for i, text in enumerate([*fleet.texts, "127.9.9.9:5683"], 1)]
    lights = plain_mapping(fleet, members=listed, membership="complete", timeout=0.3, leisure=0.2, repair={"unicast": False},
                           clients=["anonymous", "hand"])
    return gateway({"clients": CLIENTS, "mappings": [lights]})


def names_of(reading):
    return {line[7:] for line in reading.lines if line.startswith("event: ")}


def test_an_exchange_is_told_when_it_has_ended(gate, stream):
    reading = stream(gate, "?types=exchange")
    id = gate.request("/lights/status").headers["Castgate-Exchange"]
    wait_for(lambda: reading.events("exchange"))
    told = reading.events("exchange")[0]
    assert told.pop("skipped") == 0
    assert told == ask(gate, "GET", "/exchanges", "eye").json()["items"][0] and told["id"] == id
    assert len(told["timeline"]["dots"]) == 2 and told["outcome"] == "missing"
    ask(gate, "PUT", "/clients/other", body={"role": "viewer"})
    time.sleep(0.7)
    assert names_of(reading) == {"exchange"}


def test_a_settings_file_that_was_read_anew_is_told(gate, stream):
    reading, other = stream(gate), stream(gate, "?types=change")
    gate.reload(gate.settings | {"mappings": []})
    wait_for(lambda: reading.events("reload"))
    assert ask(gate, "GET", "/mappings", "eye").json()["items"] == []
    gate.reload(gate.settings | {"mappings": "none"})
    wait_for(lambda: "the settings in use stay" in gate.log())
    assert len(reading.events("reload")) == 1 and not names_of(other)


def test_of_many_exchanges_some_are_told_and_the_rest_counted(gate, stream):
    reading, other = stream(gate, "?types=exchange,figures"), stream(gate, "?types=change")
    for i in range(70):
        gate.request(f"/nowhere/{i}")
    time.sleep(1.1)
    gate.request("/nowhere/last")
    wait_for(lambda: [event for event in reading.events("exchange") if event["path"] == "/nowhere/last"])
    events = reading.events("exchange")
    assert len(events) + sum(event["skipped"] for event in events) == 71
    assert len(events) < 71 and not reading.ended and not names_of(other)


def test_figures_are_told_every_two_seconds(gate, stream):
    reading = stream(gate, "?types=figures")
    gate.request("/lights/status")
    gate.request("/nowhere")
    wait_for(lambda: len(reading.events("figures")) >= 2)
    last = reading.events("figures")[-1]
    assert {key: last[key] for key in ("requests", "refused", "answers", "missing", "rejected", "running", "skipped")} == {
        "requests": 2, "refused": 1, "answers": 2, "missing": 1, "rejected": 0, "running": 0, "skipped": 0}
    assert not [line for line in reading.lines if line.startswith("id:")]


def test_warnings_are_told_when_they_change(gate, stream):
    reading = stream(gate, "?types=warnings")
    wait_for(lambda: reading.events("warnings"))  # the first look
    before = ask(gate, "GET", "/warnings", "eye").json()["count"]
    assert [event["count"] for event in reading.events("warnings")] == [before]
    mapping = {"path": "/open", "group": "coap://224.0.1.187/x", "security": "none", "clients": ["anonymous"], "leisure": 9, "timeout": 1}
    assert ask(gate, "PUT", "/mappings/open", body=mapping).status == 201
    wait_for(lambda: len(reading.events("warnings")) == 2)
    assert reading.events("warnings")[1]["count"] == ask(gate, "GET", "/warnings", "eye").json()["count"] > before


def test_all_is_told_unless_types_are_named(gate, stream):
    reading = stream(gate)
    gate.request("/lights/status")
    ask(gate, "PUT", "/clients/other", body={"role": "viewer"})
    wait_for(lambda: names_of(reading) >= {"exchange", "change", "figures", "warnings"})
    for query in "?types=", "?types=exchange":
        assert ask(gate, "GET", f"/events{query}x", "eye").status == 400


def test_what_a_mapping_hides_of_its_members_is_in_no_event(gate, members, gateway, stream):
    fleet = members(2)
    lights = plain_mapping(fleet, members=[{"name": "lamp-secret", "address": fleet.texts[0]}], anonymise=True, timeout=0.3)
    hiding = gateway({"clients": CLIENTS, "mappings": [lights]})
    reading = stream(hiding)
    hiding.request("/lights/status")
    wait_for(lambda: reading.events("exchange"))
    assert "lamp-secret" not in "".join(reading.lines) and fleet.texts[0] not in "".join(reading.lines)


def test_figures_of_mappings_and_clients(gate):
    assert ask(gate, "GET", "/figures", "eye").json()["mappings"] == {}
    gate.request("/lights/status")
    gate.request("/lights/status", headers={"Authorization": "Bearer hand"})
    figures = ask(gate, "GET", "/figures", "eye").json()
    lights, hand = figures["mappings"]["lights"], figures["clients"]["hand"]
    assert lights["requests"] == 2 and lights["last"]["answered"] == 2 and lights["last"]["expected"] == 3
    assert lights["last"]["outcome"] == "missing" and 300 <= lights["median_ms"] < 30000
    assert hand["requests"] == 1 and hand["last_use"] == lights["last"]["at"]
    assert figures["counts"]["requests"] == 2 and figures["next"] is None
    page = ask(gate, "GET", "/figures?limit=1", "eye").json()
    rest = ask(gate, "GET", f"/figures?limit=1&cursor={page['next']}", "eye").json()
    assert (page["mappings"], page["clients"]) == ({}, {"hand": hand}) and (rest["mappings"], rest["clients"]) == ({"lights": lights}, {})
    assert ask(gate, "GET", "/figures", "nobody").status == 403


def test_figures_do_not_need_the_recorder(members, gateway):
    fleet = members(1)
    gate = gateway({"clients": CLIENTS, "recorder": {"memory": 0}, "mappings": [plain_mapping(fleet, timeout=0.3)]})
    gate.request("/lights/status")
    assert ask(gate, "GET", "/figures", "eye").json()["mappings"]["lights"]["requests"] == 1
