"""A thousand lives of a process that takes sequence numbers and is killed (tests/unit/io/test_store_kill.c), and of one that
changes what is stored (tests/unit/store/test_items_kill.c)."""

import re
import subprocess

import pytest
from conftest import BUILD


@pytest.mark.parametrize("program", ["io-store_kill", "store-items_kill"])
def test_a_thousand_lives_repeat_and_lose_nothing(program):
    done = subprocess.run([BUILD / "tests/unit" / program, "1000"], capture_output=True, text=True, timeout=3000)
    print(done.stdout[-2000:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"PASSED.* 1 test", done.stdout + done.stderr)
