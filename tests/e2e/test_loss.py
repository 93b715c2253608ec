"""Repair where datagrams are lost, and what a reply says without it (R7, R48). The long form of this, with a hundred members, is
tests/long/loss."""

import lossy
from conftest import in_namespace
from links import new_far  # noqa: F401

MEMBERS, EXCHANGES = 20, 10
LOSSY = ["--loss", "0.1", "--delay", "0:50", "--duplicate", "0.05", "--reorder", "--seed", "7"]


def run(new_far, folder, name, repair, timeout):  # noqa: F811
    group = lossy.LossyGroup(new_far(), folder, MEMBERS, 2, LOSSY)
    tap = lossy.Tap(lossy.NEAR)
    gate = group.start(name, repair, timeout)
    try:
        return group, lossy.run_exchanges(gate, EXCHANGES, 2, timeout), tap
    finally:
        assert gate.stop() == 0, gate.log()
        tap.close()


@in_namespace
def test_replies_are_complete_though_a_tenth_is_lost_each_way(new_far, tmp_path):  # noqa: F811
    """Who is silent is asked again: each member is there once, and who was asked alone says so."""
    group, replies, tap = run(new_far, tmp_path, "repair", True, 60)
    assert sum(one.is_complete for one in replies) >= EXCHANGES - 1, [one.missing for one in replies]
    for one in replies:
        sources = [answer["from"].rpartition(":")[0] for answer in one.reply["answers"]]
        assert sorted(sources + one.missing) == sorted(group.addresses)
        assert all(answer["verified"] == "source" for answer in one.reply["answers"])
        assert one.summary["expected"] == MEMBERS
    assert {answer["via"] for one in replies for answer in one.reply["answers"]} == {"multicast", "unicast"}
    assert lossy.keeps_budget(tap.datagrams())
    seen = lossy.traffic(tap.datagrams())
    assert EXCHANGES <= seen.casts <= 2 * EXCHANGES
    assert seen.asks < EXCHANGES * MEMBERS  # most have heard the group request


@in_namespace
def test_without_repair_missing_is_who_did_not_answer(new_far, tmp_path):  # noqa: F811
    group, replies, tap = run(new_far, tmp_path, "plain", False, 3)
    seen = tap.datagrams()
    assert lossy.traffic(seen).casts == EXCHANGES
    assert any(one.missing for one in replies)
    assert lossy.wrongly_named(replies, seen, group, 3) == []
    assert all(answer["via"] == "multicast" for one in replies for answer in one.reply["answers"])
