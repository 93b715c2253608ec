"""Twelve faults, each ten times: how often the first cause is the one of the manual's table (docs/missing.md)."""

import pytest

from causes import FAULTS, Bench, causes
from conftest import in_namespace

TIMES = 10
RIGHT = {}


@pytest.mark.parametrize("time", range(TIMES))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault(fault, time, tmp_path, gateway):
    outcome = RIGHT.setdefault(fault.__name__, [])

    @in_namespace
    def once():
        bench = Bench(tmp_path, gateway)
        try:
            gate, expected = fault(bench)
            outcome.append(causes(gate, fault)[0] == {expected})
        finally:
            bench.close()

    once()


def test_the_count():
    """At least 114 of 120."""
    right = {name: sum(outcome) for name, outcome in RIGHT.items()}
    print(right)
    if len(RIGHT) == len(FAULTS):
        assert sum(right.values()) >= 0.95 * TIMES * len(FAULTS), right
