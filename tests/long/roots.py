"""Debian systems in folders, made by debootstrap, for what depends on the distribution: libraries' versions, packages, images. One is made
once and kept ($CASTGATE_ROOTS, by default castgate-roots in the temporary folder); a test that changes it takes a copy. Only root can.

    cached("trixie", *build_packages()).run("gcc", "--version")
    copied("bookworm", tmp_path / "root").install("curl")

A command runs in the folder as if it were /, with /proc and /dev, in a mount namespace of its own and in the caller's network: nothing is
left mounted, and the process that Popen knows is the command itself."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
MIRROR = "http://deb.debian.org/debian"
PATIENCE = 1800  # seconds for what the network or a compiler takes

_ENTER = r"""
set -eu
root=$1 user=$2; shift 2
mount --rbind "$root" "$root" # what is / for whoever is inside is then a mount, and can be made private
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
while [ "$1" != -- ]; do
    mkdir -p "$root$2"
    mount --rbind "$1" "$root$2"
    shift 2
done
shift
exec chroot --userspec="$user:" "$root" "$@"
"""


class Root:
    def __init__(self, path):
        self.path = Path(path)

    def command(self, *arguments, binds=None, user="root", folder="/"):
        """What to give to Popen. `binds` shows folders of this system in the root: {"/src": TOP}. The environment is a plain one."""
        shown = [str(part) for inside, outside in (binds or {}).items() for part in (outside, inside)]
        # By way of env, which needs no shell there; its -C is the working folder.
        environment = ["env", "-i", "-C", folder, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8",
                       "DEBIAN_FRONTEND=noninteractive"]
        return ["unshare", "--mount", "sh", "-c", _ENTER, "enter", str(self.path), user, *shown, "--", *environment,
                *(str(argument) for argument in arguments)]

    def run(self, *arguments, check=True, input=None, timeout=PATIENCE, **where):
        """Runs it to its end; `stdout` of what comes back has both outputs, and so has the failure's message."""
        done = subprocess.run(self.command(*arguments, **where), input=input, stdin=None if input else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
        assert not check or done.returncode == 0, f"{arguments} in {self.path} ended with {done.returncode}:\n{done.stdout}"
        return done

    def install(self, *packages):
        """Names, or .deb files at absolute paths inside, with what they depend on. What it says."""
        self.run("apt-get", "update")
        said = self.run("apt-get", "install", "-y", "--no-install-recommends", *packages).stdout
        self.run("apt-get", "clean")
        return said


def build_packages(*blocks):
    """What conf/debian-packages lists: its first block, and further ones by name ("tests", "long"). Of alternatives the first."""
    wanted, block = [], ""
    for line in (TOP / "conf/debian-packages").read_text().splitlines():
        if line.startswith("# ") and line.endswith(":") and " " not in line[2:]:
            block = line[2:-1]
        elif line and not line.startswith("#") and block in ("", *blocks):
            wanted.append(line.partition("|")[0])
    return wanted


def cached(suite, *packages):
    """The Debian of that name with these packages. Others use it, too: nothing may change in it."""
    folder = Path(os.environ.get("CASTGATE_ROOTS", Path(tempfile.gettempdir()) / "castgate-roots"))
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(" ".join(packages).encode()).hexdigest()[:12] if packages else "minbase"
    path = folder / f"{suite}-{digest}"
    with _locked(folder / f"{path.name}.lock"):
        if not path.exists():
            with _made_whole(path) as new:
                _make(suite, packages, new)
    return Root(path)


def copied(suite, path, *packages):
    """The same as a folder of the test's own."""
    subprocess.run(["cp", "-a", "--reflink=auto", cached(suite, *packages).path, path], check=True, timeout=PATIENCE)
    return Root(path)


def _make(suite, packages, path):
    if packages:
        copied(suite, path).install(*packages)
        return
    made = subprocess.run(["debootstrap", "--variant=minbase", suite, path, MIRROR], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
    assert made.returncode == 0, made.stdout
    # As in containers: packages start no services, and dpkg need not wait for the disk after each file.
    (path / "etc/dpkg/dpkg.cfg.d/unsafe-io").write_text("force-unsafe-io\n")
    policy = path / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    Root(path).run("apt-get", "clean")


@contextlib.contextmanager
def _locked(path):
    with open(path, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _made_whole(path):
    """A folder to fill, which gets its name once it is complete."""
    new = path.with_name(path.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    yield new
    new.rename(path)
