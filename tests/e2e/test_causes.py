"""Twelve faults: the reply says why the member is missing, with the cause of the manual's table (docs/missing.md)."""

import pytest

from causes import FAULTS, Bench, causes
from conftest import in_namespace
from probe import metrics


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@in_namespace
def test_a_fault_is_named(fault, tmp_path, gateway):
    bench = Bench(tmp_path, gateway)
    try:
        gate, expected = fault(bench)
        found, reply = causes(gate, fault)
        assert found == {expected}, reply
        name = reply["mapping"]
        assert metrics(gate)[f'castgate_missing_total{{mapping="{name}",cause="{expected}"}}'] == len(reply["missing"])
        assert f"causes={expected}:{len(reply['missing'])}" in gate.log()
    finally:
        bench.close()
