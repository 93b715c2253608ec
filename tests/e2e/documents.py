"""Runs what documents tell their readers to type. A shell gets the commands of all blocks of a document in order, as if they were pasted
one after the other, so that what one makes the next can use; what they start is ended with them."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass

import pytest

from conftest import TOP

PROMPTS = ("$ ", "> ")
PATIENCE = 120  # seconds, for a whole document


@dataclass
class Block:
    language: str
    text: str

    @property
    def commands(self):
        """What is typed: of a console, the lines behind its prompts, the shell's second one included."""
        if self.language == "console":
            return "".join(line[2:] + "\n" for line in self.text.splitlines() if line.startswith(PROMPTS))
        return self.text

    @property
    def output(self):
        return [line for line in self.text.splitlines() if not line.startswith(PROMPTS)]


def blocks(document, *languages):
    """The blocks of these languages in a file below the top folder."""
    found = re.findall(r"^```(\S*)\n(.*?)^```$", (TOP / document).read_text(), re.M | re.S)
    return [Block(*one) for one in found if not languages or one[0] in languages]


def displays(page):
    """The literal displays of a manual page below docs/man, as what a console shows."""
    found = re.findall(r"^\.Bd -literal.*?\n(.*?)^\.Ed$", (TOP / "docs/man" / page).read_text(), re.M | re.S)
    return [Block("console", unescaped(one)) for one in found]


def unescaped(text):
    """Without roff's escapes."""
    names = {"e": "\\", "(aq": "'", "(ga": "`", "(ha": "^", "(ti": "~", "(dq": '"', "&": "", "-": "-"}
    return re.sub(r"\\(\(..|.)", lambda escape: names[escape[1]], text)


@dataclass
class Ran:
    status: int
    output: str


class Reader:
    """Somebody who follows a document: the folder is theirs and their home, `~/castgate` are the sources."""

    def __init__(self, folder, **environment):
        self.folder = folder
        (folder / "castgate").symlink_to(TOP)
        self.environment = {**os.environ, "HOME": str(folder), "TMPDIR": str(folder), "no_proxy": "*", **environment}
        self._lend_sudo()

    def _lend_sudo(self):
        """Tests run as root, who needs no sudo and may have none."""
        programs = self.folder / "bin"
        programs.mkdir()
        (programs / "sudo").write_text('#!/bin/sh\nexec "$@"\n')
        (programs / "sudo").chmod(0o755)
        self.environment["PATH"] = f"{programs}:{self.environment['PATH']}"

    def type(self, commands, where=None, inside=()):
        """In one shell, which ends at the first command that fails; and with it what it has started. `inside` begins it."""
        output = self.folder / "output"
        with open(output, "wb") as out:
            shell = subprocess.Popen([*inside, "bash", "-e", "-o", "pipefail", "-c", commands], cwd=where or self.folder, env=self.environment,
                                     stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                status = shell.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                pytest.fail(f"not done after {PATIENCE} seconds:\n{output.read_text(errors='replace')}")
            finally:
                end_group(shell.pid)
                shell.wait()
        return Ran(status, output.read_text(errors="replace"))


def end_group(group):
    """The processes of a group, asked first, and none of them left."""
    for how in (signal.SIGTERM, signal.SIGKILL):
        end = time.monotonic() + 10
        while time.monotonic() < end:
            try:
                os.killpg(group, how)
            except ProcessLookupError:
                return
            time.sleep(0.05)


def as_seen(line):
    """A line of output without what differs from run to run, its columns' widths included."""
    line = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", line)
    line = re.sub(r"\b[0-9a-f]{16}\b|\b[0-9a-f]{8}-[0-9a-f]{12}\b", "ID", line)
    line = re.sub(r"\bi:[0-9a-f]{4}\b", "i:MID", re.sub(r"\b0x[0-9a-f]{8}\b", "ETAG", line))
    return re.sub(" +", " ", re.sub(r"\b\d+ ms\b", "MS", line)).rstrip()


def looks_like(line, shown):
    """Whether a line is the one that the document shows: numbers and their columns may be others, and "…" stands for anything."""
    parts = [re.sub(r"[0-9]+", r"[0-9]+", re.escape(part)) for part in as_seen(shown).split("…")]
    return re.fullmatch(".*".join(parts), as_seen(line)) is not None


def shows(output, expected):
    """The first line that the document shows and the output lacks; None when all are there, in this order."""
    lines = iter(output.splitlines())
    for shown in filter(str.strip, expected):
        if shown.strip() != "…" and not any(looks_like(line, shown) for line in lines):
            return shown
    return None
