"""Changes while the disk is full, or what is stored has been moved away: 503, nothing has changed, what runs goes on, and the next change is
made when the disk is as it was."""

import pytest

from test_admin_changes import ROOT, Admin, mapping_of, status
from test_store import fill, small_blocks  # a fixture


@pytest.fixture
def stored(gateway, members, small_blocks):
    """A gateway whose state folder is a file system of its own, with one mapping."""
    gate = gateway({"clients": ROOT, "state": str(small_blocks)})
    admin = Admin(gate)
    mapping = mapping_of(members(1), timeout=1)
    admin.done("PUT", "mappings/lights", mapping)
    return gate, admin, mapping


def fill_up(folder):
    fill(folder)
    return lambda: (folder / "filler").unlink()


def move_away(folder):
    file, away = folder / "castgate.items.db", folder / "away"
    file.rename(away)
    return lambda: away.rename(file)


@pytest.mark.parametrize("spoil", [fill_up, move_away])
def test_a_change_that_cannot_be_kept_is_refused_and_changes_nothing(stored, small_blocks, spoil):
    gate, admin, mapping = stored
    before = admin.done("GET", "export").body
    mend = spoil(small_blocks)
    members = [{"name": f"m{number}", "address": f"10.0.{number // 250}.{number % 250 + 1}:5683"} for number in range(500)]
    refused = [admin.ask("PUT", f"mappings/new{number}", mapping | {"path": f"/new{number}", "members": members, "finish": "deadline"})
               for number in range(100 if spoil is fill_up else 2)]
    refused = [reply for reply in refused if reply.status != 201]
    assert refused and {reply.status for reply in refused} == {503}, refused
    assert refused[-1].json()["type"].endswith("store-unavailable"), refused[-1].body
    there = admin.done("GET", "mappings?limit=1000").json()["items"]
    if spoil is not fill_up:  # there something has fitted before
        assert admin.done("GET", "export").body == before and len(there) == 1
    assert status(gate, "/lights/status") == 200
    assert admin.ask("PATCH", "mappings/lights", {"members": members}, If_Match="*").status == 503
    assert admin.done("GET", "mappings/lights").json()["members"] == mapping["members"]
    mend()
    made = admin.ask("PUT", "mappings/later", mapping | {"path": "/later"})
    assert made.status == 201, made.body
    assert status(gate, "/later/status") == 200
