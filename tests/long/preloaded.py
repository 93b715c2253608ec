"""Programs with a library loaded before them (tests/long/preload)."""

import contextlib
import mmap
import os
import re
import struct
import subprocess
from pathlib import Path

from conftest import BUILD

PRELOAD = BUILD / "tests/preload"


@contextlib.contextmanager
def environment(**variables):
    """For what is started meanwhile."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Shortage:
    """What preload/shortage.c does in the programs that are started in its environment."""

    def __init__(self, folder):
        self.file = Path(folder) / "order"
        self.file.write_bytes(bytes(32))
        with open(self.file, "r+b") as file:
            self.map = mmap.mmap(file.fileno(), 32)

    def environment(self):
        return environment(LD_PRELOAD=PRELOAD / "shortage.so", CASTGATE_TEST_SHORTAGE=self.file,
                           ASAN_OPTIONS="verify_asan_link_order=0")

    def _put(self, at, value):
        self.map[at:at + 8] = struct.pack("q", value)

    def _get(self, at):
        return struct.unpack("q", self.map[at:at + 8])[0]

    def order(self, nth, more=0):
        """The nth allocation from now on fails, and `more` behind it."""
        self.cancel()
        self._put(24, 0)
        self._put(8, more)
        self._put(0, nth)

    def cancel(self):
        self._put(0, 0)
        self._put(8, 0)

    @property
    def made(self):
        return self._get(16)

    @property
    def failed(self):
        """How many have failed since the latest order."""
        return self._get(24)

    def trace(self):
        """Where the first one that failed came from: the functions of the program, innermost first."""
        trace = self.file.with_name(self.file.name + ".trace")
        frames = re.findall(r"^(\S+)\(([^)]*)\)", trace.read_text(), re.M) if trace.exists() else []
        named = []
        for module, place in frames:
            if place.startswith("+") and Path(module).is_relative_to(BUILD):
                out = subprocess.run(["addr2line", "-f", "-e", module, place[1:]], capture_output=True, text=True).stdout
                place = out.split("\n")[0]
            named.append(f"{Path(module).name}:{place}")
        return " < ".join(named)
