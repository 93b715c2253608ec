"""The OSCORE library as it is installed for others, and its two example programs, built from installed files alone."""

import os
import subprocess

import pytest

from conftest import BUILD, Program

PARTS = "group.c", "net.c", "numbers.c"
STRICT = "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror"


class Installed:
    """Where `cmake --install --component dev` has put the library."""

    def __init__(self, prefix):
        subprocess.run(["cmake", "--install", BUILD, "--prefix", prefix, "--component", "dev"], check=True, capture_output=True)
        [found] = prefix.rglob("castgate-oscore.pc")
        self.pc_folder = str(found.parent)
        self.examples = prefix / "share/castgate/examples/oscore"
        self.library = found.parent.parent / "libcastgate-oscore.a"

    def ask(self, *words):
        done = subprocess.run(["pkg-config", *words], env={**os.environ, "PKG_CONFIG_PATH": self.pc_folder}, check=True,
                              capture_output=True, text=True)
        return done.stdout.split()

    def compile(self, compiler, *words, packages=("castgate-oscore",), link=True):
        libraries = self.ask("--libs", *packages) if link else ["-c"]
        done = subprocess.run([compiler, *words, *self.ask("--cflags", *packages), *libraries], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    return Installed(tmp_path_factory.mktemp("installed"))


@pytest.fixture(scope="session")
def examples(installed, tmp_path_factory):
    """The folder with the two programs."""
    folder = tmp_path_factory.mktemp("examples")
    for name in "client", "member":
        sources = [installed.examples / source for source in (f"{name}.c", *PARTS)]
        installed.compile("gcc", *STRICT, *sources, "-o", folder / name, packages=("castgate-oscore", "jansson"))
    return folder


def begin_numbers(keys):
    """Files of sequence numbers beside the files of all who have keys there, which are new."""
    for file in keys.folder.glob("*.json"):
        file.with_name(file.name + ".numbers").write_text("%013d\n" % 0)


@pytest.fixture
def start_member(examples, keys, group, tmp_path):
    """start_member(Sender ID, word, …): the example member, which says that it is ready."""
    started = []

    def start(name, *words, group=group, address=None):
        address = address or f"127.1.0.{int(name) - 10}"
        file, log = keys.folder / f"member-{name}.json", tmp_path / f"member-{name}-{len(started)}.log"
        program = Program([examples / "member", file, "lo", group.address, address, group.port, *words], log,
                          stdout=subprocess.PIPE, text=True)
        started.append(program)
        assert program.process.stdout.readline() == "ready\n", program.log()
        return program

    yield start
    for program in started:
        program.process.kill()
        program.process.wait()
        program.process.stdout.close()


__all__ = ["PARTS", "STRICT", "begin_numbers", "examples", "installed", "start_member"]
