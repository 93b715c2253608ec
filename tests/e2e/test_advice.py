"""What messages tell their readers to do exists: every command and option that a text in the programs names is one that the program's help
lists, and so takes."""

import re
import subprocess

import pytest

from conftest import BUILD, TOP

LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")
KEYS_COMMAND = re.compile(r"castgate-keys ([a-z][a-z-]*)")


def texts(*patterns):
    """All string literals in these sources, put together where several make one, and by file."""
    for path in sorted(path for pattern in patterns for path in TOP.glob(pattern)):
        source = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.S)
        source = re.sub(r'"\s*\n\s*"', "", source)
        for literal in LITERAL.finditer(source):
            yield path.relative_to(TOP), literal.group(1)


def help_of(program, option="--help"):
    return subprocess.run([BUILD / program, option], capture_output=True, text=True, timeout=20, check=True).stdout


OTHERS = {"--cap-add"}  # docker's
SOURCES = ["proxy/**/*.[ch]", "proxy/**/*.def", "plugins/**/*.[ch]"]


def test_commands_of_castgate_keys():
    known = set(re.findall(r"^(?:usage:)? +castgate-keys ([a-z-]+) ", help_of("castgate-keys"), re.M))
    assert {"new", "add", "rekey", "new-sender-id", "finish", "claim"} <= known
    named = {(str(path), command) for path, text in texts(*SOURCES) for command in KEYS_COMMAND.findall(text)}
    assert len(named) > 5 and {one for one in named if one[1] not in known} == set()


@pytest.mark.parametrize("folder, programs", [
    ("proxy/tools/member", ["castgate-member"]),
    ("proxy/tools/keys", ["castgate-keys"]),
    (None, ["castgate", "castgate-keys"]),
])
def test_options(folder, programs):
    known = OTHERS | {option for program in programs for option in OPTION.findall(help_of(program))}
    sources = [f"{folder}.c", f"{folder}/*.c"] if folder else SOURCES
    named = {(str(path), option) for path, text in texts(*sources) for option in OPTION.findall(text)
             if folder or not str(path).startswith("proxy/tools")}
    assert len(named) > 5 and {one for one in named if one[1] not in known} == set()


def test_who_must_not_send_is_told_both_ways_out():
    """Errors of keys that are spent, or not known to be new, lead to commands."""
    ways = [text for path, text in texts("proxy/**/*.[ch]") if "new Sender ID" in text and "tools" not in path.parts]
    assert ways and all("castgate-keys rekey" in way and "castgate-keys new-sender-id" in way for way in ways)
