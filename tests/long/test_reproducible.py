"""The same sources make the same bytes: whatever the folders, the time, the user, their umask, language and time zone, and the number of jobs."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

import pytest

from sources import take_sources

NOBODY = 65534
EVERYWHERE = {"PATH": os.environ["PATH"], "SOURCE_DATE_EPOCH": "1764403200"}

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="builds as another user, too, which root alone can")


@pytest.fixture
def folder():
    """One that everybody may come to, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="castgate-reproducible-") as name:
        os.chmod(name, 0o755)
        yield Path(name)


def build(sources, folder, root, jobs, user, umask, **environment):
    def run(*command):
        done = subprocess.run(command, env={**EVERYWHERE, **environment, "DESTDIR": str(root)}, user=user, group=user, extra_groups=[],
                              umask=umask, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1800)
        assert done.returncode == 0, done.stdout[-5000:]

    run("cmake", "-S", sources, "-B", folder, "-G", "Ninja", "-DCMAKE_INSTALL_PREFIX=/usr", "-DCMAKE_BUILD_TYPE=RelWithDebInfo")
    run("cmake", "--build", folder, "--parallel", str(jobs))
    run("cmake", "--install", folder)


def what_is_in(root):
    """{name: mode and digest}. cmake makes folders as the umask has it."""
    return {str(path.relative_to(root)): (oct(path.lstat().st_mode), hashlib.sha256(path.read_bytes()).hexdigest())
            for path in root.rglob("*") if path.is_file()}


def test_the_same_sources_install_the_same_bytes(folder):
    one, other = folder / "one", folder / "some" / "where" / "else"
    for place in one, other:
        take_sources(place / "sources")
        (place / "build").mkdir()
        (place / "root").mkdir()
    build(one / "sources", one / "build", one / "root", 2, 0, 0o022, LC_ALL="C", TZ="UTC", HOME="/root", USER="root")
    # By somebody else, within the sources, as people do it.
    for place in other / "sources", other / "root":
        os.chown(place, NOBODY, NOBODY)
    build(other / "sources", other / "sources" / "build", other / "root", 3, NOBODY, 0o077, LC_ALL="C.UTF-8", TZ="Pacific/Auckland",
          HOME=str(other), USER="nobody")

    installed, again = what_is_in(one / "root"), what_is_in(other / "root")
    assert {"usr/bin/castgate", "usr/share/doc/castgate/castgate.spdx.json"} <= installed.keys()
    assert {name: (installed.get(name), again.get(name)) for name in installed.keys() | again.keys()
            if installed.get(name) != again.get(name)} == {}
    told = [path for path in (one / "root").rglob("*") if path.is_file() and os.fsencode(folder) in path.read_bytes()]
    assert not told, "nobody needs to know where it was built"
