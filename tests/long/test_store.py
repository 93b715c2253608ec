"""A thousand lives of a process that takes sequence numbers and is killed (tests/unit/io/test_store_kill.c)."""

import re
import subprocess

from conftest import BUILD


def test_no_number_comes_twice_over_a_thousand_lives():
    done = subprocess.run([BUILD / "tests/unit/io-store_kill", "1000"], capture_output=True, text=True, timeout=3000)
    print(done.stdout[-2000:])
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"PASSED.* 1 test", done.stdout + done.stderr)
