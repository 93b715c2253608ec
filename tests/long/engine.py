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
from pathlib import Path

from conftest import TOP
from links import own_mounts

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
# A limit may be as high as ours, and podman sets all of them when one is given.
words=()
if [ "$1" = compose ]; then
    shift
    exec docker-compose "$@"
fi
for word in "$@"; do
    if [ "$word" = nofile=65536 ]; then words+=(nofile={files} --ulimit nproc=1000); else words+=("$word"); fi
done
exec podman "${{words[@]}}"
"""
COMPOSE = """#!/bin/bash
# The service that has limits gets those that can be had here.
exec /usr/bin/docker-compose -f {top}/docker/compose.yaml -f {home}/limits.yaml "${{@:3}}"
"""
LIMITS = "services: {{castgate: {{ulimits: {{nofile: {files}, nproc: 1000}}}}}}\n"

class Engine:
    def __init__(self, home):
        """`home` lasts from one run to the next, so that the image's layers are made once."""
        self.home, self.run = home, Path("/run/castgate-test-containers")
        programs = home / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        places = {"home": home, "run": self.run, "files": FILES, "top": TOP}
        for path, text in ((home / "storage.conf", STORAGE), (home / "containers.conf", CONTAINERS), (home / "limits.yaml", LIMITS),
                           (programs / "docker", DOCKER), (programs / "docker-compose", COMPOSE)):
            path.write_text(text.format(**places))
        for program in programs.iterdir():
            program.chmod(0o755)
        self.socket = home / "api.sock"
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CONTAINERS_STORAGE_CONF": str(home / "storage.conf"),
                            "CONTAINERS_CONF": str(home / "containers.conf"), "BUILDAH_ISOLATION": "chroot", "BUILDAH_FORMAT": "docker", "DISABLE_HC_SYSTEMD": "true",
                            "DOCKER_HOST": f"unix://{self.socket}", "no_proxy": "*"}
        self.service = None

    def type(self, commands, timeout=120, check=True, where=TOP):
        """As in a shell at the top of the sources. Returns what was printed; the status, too, where it may be another than 0."""
        done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", commands], cwd=where, env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout)
        if check:
            assert done.returncode == 0, done.stdout
            return done.stdout
        return done.returncode, done.stdout

    def pull_or_make_base(self):
        """Debian's slim image; where no registry can be reached, the same release from Debian's own archive."""
        if self.type(f"podman image exists {BASE}", check=False)[0] == 0:
            return
        if self.type(f"podman pull {BASE}", timeout=300, check=False)[0] == 0:
            return
        root = self.home / "root"
        shutil.rmtree(root, ignore_errors=True)
        self.type(f"debootstrap --variant=minbase bookworm {root}", timeout=900)
        left_out = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt/lists", "var/cache/apt")
        (root / "etc/dpkg/dpkg.cfg.d/slim").write_text("".join(f"path-exclude /{folder}/*\n" for folder in left_out[:3]))
        without = " ".join(f"--exclude='./{folder}/*'" for folder in left_out)
        self.type(f"tar -C {root} {without} --one-file-system -c . | podman import - {BASE}", timeout=300)
        shutil.rmtree(root)

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
        self.type("podman rm --all --force --time 0 && podman volume prune --force", check=False)
        if self.service:
            self.service.terminate()
            self.service.wait(timeout=30)
            self.service = None
        self.socket.unlink(missing_ok=True)
