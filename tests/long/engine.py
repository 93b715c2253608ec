"""Containers for test_container.py: podman, with images, containers and volumes of its own below one folder, so that nothing of this
machine's is seen or changed, and without control groups, which a machine for tests may not let anybody touch. What documents say to
docker, a program of that name says to podman; `docker compose` is Debian's docker-compose, which speaks to podman's API.

What is hard: everything has to happen in one mount namespace (podman's layers are mounted there) and, for the host's network, in one
network namespace (conftest.in_namespace). Both belong to the test's thread, and to all that it starts."""

import os
import resource
import shutil
import subprocess
import time
import zlib
from pathlib import Path

from conftest import TOP
from documents import Ran
from links import own_mounts
from roots import copied

BASE = "docker.io/library/debian:12-slim"
FILES = min(65536, resource.getrlimit(resource.RLIMIT_NOFILE)[1])  # who may not raise limits cannot give more than the own one

STORAGE = """[storage]
driver = "overlay"
graphroot = "{home}/storage"
runroot = "{run}/storage"
"""
CONTAINERS = """[containers]
cgroups = "disabled"
default_ulimits = ["nofile={files}:{files}", "nproc=1000:1000"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "{run}/libpod"
"""
DOCKER = """#!/bin/bash
# Limits may be as high as ours, and where one is given podman sets all of them. Its read-only containers have a /tmp, docker's have none.
if [ "$1" = compose ]; then # -f docker/compose.yaml ...
    exec docker-compose -f {top}/docker/compose.yaml -f {home}/limits.yaml "${{@:4}}"
fi
words=()
for word in "$@"; do
    case $word in
    nofile=65536) words+=(nofile={files} --ulimit nproc=1000) ;;
    --read-only) words+=(--read-only --read-only-tmpfs=false) ;;
    *) words+=("$word") ;;
    esac
done
exec podman "${{words[@]}}"
"""
LIMITS = "services: {{castgate: {{ulimits: {{nofile: {files}, nproc: 1000}}}}}}\n"


class Engine:
    def __init__(self, home):
        """`home` lasts from one run to the next, so that the image's layers are made once."""
        self.home, self.run = home, Path(f"/run/castgate-containers-{zlib.crc32(bytes(home)):x}")
        programs = home / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(exist_ok=True)
        places = {"home": home, "run": self.run, "files": FILES, "top": TOP}
        for path, text in ((home / "storage.conf", STORAGE), (home / "containers.conf", CONTAINERS), (home / "limits.yaml", LIMITS),
                           (programs / "docker", DOCKER)):
            path.write_text(text.format(**places))
        (programs / "docker").chmod(0o755)
        self.socket = self.run / "api.sock"
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
                            "CONTAINERS_CONF": str(home / "containers.conf"), "BUILDAH_ISOLATION": "chroot", "BUILDAH_FORMAT": "docker",
                            "DISABLE_HC_SYSTEMD": "true", "DOCKER_HOST": f"unix://{self.socket}", "no_proxy": "*"}
        self.service = None

    def attempt(self, commands, timeout=120):
        """As in a shell at the top of the sources."""
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", commands], cwd=TOP, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout)
        return Ran(done.returncode, done.stdout)

    def type(self, commands, **how):
        """The same, and it must go well. What was printed."""
        ran = self.attempt(commands, **how)
        assert ran.status == 0, ran.output
        return ran.output

    def pull_or_make_base(self):
        """Debian's slim image; where no registry can be reached, the same release from Debian's own archive."""
        if self.attempt(f"podman image exists {BASE} || podman pull {BASE}", timeout=300).status == 0:
            return
        root = copied("bookworm", self.home / "root")
        left_out = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt")
        (root.path / "etc/dpkg/dpkg.cfg.d/slim").write_text("".join(f"path-exclude /{folder}/*\n" for folder in left_out[:3]))
        without = " ".join(f"--exclude='./{folder}/*'" for folder in left_out)
        self.type(f"tar -C {root.path} {without} --one-file-system -c . | podman import - {BASE}", timeout=300)
        shutil.rmtree(root.path)

    def build(self):
        """By the README's own command."""
        self.pull_or_make_base()
        self.type("docker build -t castgate -f docker/Dockerfile .", timeout=3000)

    def enter(self):
        """For the thread that calls, see above."""
        own_mounts()
        # crun refuses machines that have both kinds of control groups, even where it is told to use none.
        subprocess.run("if mountpoint -q /sys/fs/cgroup/unified; then umount /sys/fs/cgroup/unified; fi", shell=True, check=True)

    def serve(self):
        """Its API, for docker-compose."""
        self.service = subprocess.Popen(["podman", "system", "service", "--time=0", f"unix://{self.socket}"], env=self.environment,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30
        while not self.socket.exists():
            assert time.monotonic() < end and self.service.poll() is None, "podman's API does not start"
            time.sleep(0.05)

    def clear(self):
        """No container and no volume is left, but the image."""
        self.attempt("podman rm --all --force --time 0 && podman volume prune --force")
        if self.service:
            self.service.terminate()
            self.service.wait(timeout=30)
            self.service = None
        self.socket.unlink(missing_ok=True)
