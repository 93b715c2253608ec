"""GET system: what runs here and with what, for the page's System screen."""

import datetime

from conftest import plain_mapping
from test_admin_access import CLIENTS, ask


def system(gate, who="eye"):
    reply = ask(gate, "GET", "/system", who)
    assert reply.status == 200, reply
    return reply.json()


def test_what_runs_is_told(gateway, members):
    fleet = members(1)
    gate = gateway({"clients": CLIENTS, "mappings": [plain_mapping(fleet)], "group": {"interface": "lo", "receive_buffer": 65536}})
    said = system(gate)
    assert said["version"] and said["ready"] is True and said["reasons"] == []
    clock, started = (datetime.datetime.fromisoformat(said[key].replace("Z", "+00:00")) for key in ("clock", "started"))
    assert 0 <= (clock - started).total_seconds() - said["uptime"] <= 1
    listening = {row["front"]: row for row in said["listeners"]}
    assert listening["http"] == {"front": "http", "at": "127.0.0.1:%d" % gate.http[1], "serves": True, "encrypted": False,
                                 "insecure": False}
    assert listening["admin"]["at"].endswith(":%d" % gate.admin[1])
    assert said["sends_by"] == [{"mappings": 1, "interface": "lo", "usable": True, "reason": None}]
    lo = next(row for row in said["interfaces"] if row["name"] == "lo")
    assert lo["up"] and lo["loopback"] and "127.0.0.1" in lo["addresses"]
    assert said["receive_buffer"]["wanted"] == 65536 and said["receive_buffer"]["ipv4"] >= 65536
    assert said["receive_buffer"]["kernel_drops"] == 0
    assert said["store"]["usable"] is True and said["store"]["free_bytes"] > 0
    assert {"/group/interface", "/group/receive_buffer", "/http/listen"} <= set(said["settings_file_sets"])


def test_files_are_named_to_admins_only(gateway):
    gate = gateway({"clients": CLIENTS})
    for who, file, folder in ("boss", str(gate.file), str(gate.file.parent / "state")), ("hand", None, None), ("eye", None, None):
        said = system(gate, who)
        assert (said["settings_file"], said["store"]["folder"]) == (file, folder)
    assert ask(gate, "GET", "/system", "nobody").status == 403
    assert ask(gate, "GET", "/system", None).status == 401


def test_an_interface_that_is_missing_is_told_as_readyz_tells_it(gateway, group):
    lights = {"name": "lights", "path": "/lights", "group": group.uri, "security": "none", "clients": ["anonymous"],
              "interface": "nowhere0"}
    gate = gateway({"clients": CLIENTS, "mappings": [lights]})
    said, readyz = system(gate), gate.request("/readyz", to=gate.admin)
    assert readyz.status == 503 and said["ready"] is False and said["reasons"] == readyz.body.decode().splitlines()
    [way] = said["sends_by"]
    assert (way["interface"], way["usable"], way["mappings"]) == ("nowhere0", False, 1) and "nowhere0" in way["reason"]


def test_a_store_that_is_gone_is_told(gateway):
    gate = gateway({"clients": CLIENTS})
    (gate.file.parent / "state").rename(gate.file.parent / "elsewhere")  # at once, whatever is written there meanwhile
    store = system(gate, "boss")["store"]
    assert store["free_bytes"] is None and store["folder"]
