"""A Debian of roots.py as a machine: its systemd as the first process, in namespaces of its own, with nothing but loopback for a network. So
units, packages and their scripts are tried for real. Only root can; the kernel must have a cgroup2 hierarchy mounted.

    with Machine(root) as machine:
        machine.run("systemctl", "start", "castgate")
"""

import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path

PATIENCE = 300  # seconds

_BOOT = r"""
set -eu
root=$1
mount --make-rprivate /
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for name in null zero full random urandom tty; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mkdir "$root/dev/shm" "$root/dev/pts"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount --make-rshared "$root" # as systemd does where it is not in a container: services' credentials are mounted by a process aside
exec env -i container=castgate-test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot "$root" /lib/systemd/systemd --system systemd.unit=multi-user.target
"""


def _hierarchy():
    for line in Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(place)
    raise AssertionError("no cgroup2 hierarchy is mounted")


class Machine:
    def __init__(self, root):
        """`root` has the package systemd; it belongs to the machine until that ends."""
        self.root = root
        self.cgroup = _hierarchy() / f"castgate-machine-{os.getpid()}"
        self.process = None

    def __enter__(self):
        for unit in ("console-getty.service", "getty.target", "systemd-modules-load.service", "sys-kernel-debug.mount", "dev-hugepages.mount",
                     "proc-sys-fs-binfmt_misc.automount"):
            mask = self.root.path / "etc/systemd/system" / unit
            mask.unlink(missing_ok=True)
            mask.symlink_to("/dev/null")
        (self.root.path / "usr/sbin/policy-rc.d").unlink(missing_ok=True)
        self.cgroup.mkdir()
        own = ["sh", "-c", f'echo $$ >{self.cgroup}/cgroup.procs; exec "$@"', "sh"]
        apart = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--cgroup", "--uts", "--ipc", "--net"]
        self.process = subprocess.Popen([*own, *apart, "sh", "-c", _BOOT, "boot", str(self.root.path)], stdin=subprocess.DEVNULL)
        try:
            self._wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(IndexError, ProcessLookupError):
            os.kill(self._first(), signal.SIGKILL)  # and with it all of its namespace
        self.process.kill()
        self.process.wait()
        end = time.monotonic() + PATIENCE
        for folder in sorted(self.cgroup.rglob("*/"), reverse=True) + [self.cgroup]:
            while folder.is_dir() and time.monotonic() < end:
                with contextlib.suppress(OSError):  # processes that are ending
                    folder.rmdir()
                    break
                time.sleep(0.1)

    def _first(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def _wait_until_up(self):
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, "the first process has ended"
            with contextlib.suppress(IndexError, AssertionError):
                if self.run("systemctl", "is-system-running", "--wait", check=False).stdout.strip() in ("running", "degraded"):
                    return
            time.sleep(0.2)
        raise AssertionError("it has not come up")

    def command(self, *arguments):
        """What to give to Popen."""
        enter = ["nsenter", f"--target={self._first()}", "--mount", "--pid", "--cgroup", "--uts", "--ipc", "--net", "--root", "--wd"]
        environment = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]
        return [*enter, "--", *environment, *(str(argument) for argument in arguments)]

    def run(self, *arguments, check=True, input=None):
        done = subprocess.run(self.command(*arguments), input=input, stdin=None if input else subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
        assert not check or done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}"
        return done

    def shell(self, script, check=True):
        return self.run("sh", "-ec", script, check=check).stdout
