#!/usr/bin/python3
"""As much of docker as docker/README.md uses, for machines without its daemon: a "container" is a mount namespace, in which the installed
files lie over /usr, and the volumes where they belong; its user is the Dockerfile's, without capabilities. What the Dockerfile says
of the image is read from it. State is below $FAKE_DOCKER: image/ (DESTDIR of an installation), volumes/, containers/."""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

HOME = Path(os.environ["FAKE_DOCKER"])
TOP = Path(os.environ["FAKE_DOCKER_SOURCES"])
DOCKERFILE = re.sub(r"\\\n", " ", (TOP / "docker/Dockerfile").read_text())
FINAL = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") + 1:]

ENTER = """
mount --make-rprivate /
mount -t overlay overlay -o "lowerdir=$IMAGE/usr:/usr" /usr
cache=$(mktemp) && cp /etc/ld.so.cache "$cache"
mount -t tmpfs -o mode=755 none /etc && cp "$cache" /etc/ld.so.cache && rm "$cache"
cp -r "$IMAGE/etc/." /etc/
mount -t tmpfs -o mode=755 none /var/lib
mount -t tmpfs -o mode=755 none /dev
mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/urandom c 1 9 && mknod -m 666 /dev/random c 1 8
while read -r from to mode; do mkdir -p "$to" && mount --bind "$from" "$to" && mount -o "remount,bind,$mode" "$to"; done <<<"$MOUNTS"
cd / && exec setpriv --reuid "$ID" --regid "$ID" --clear-groups --bounding-set=-all --inh-caps=-all "$@"
"""


def said(instruction):
    """The argument of the last such line of the final image."""
    return re.findall(rf"^{instruction} +(.*)$", FINAL, re.M)[-1]


def user():
    return said("USER").partition(":")[0]


def volume(name):
    """A new one has the owner and mode of the image's folder."""
    folder = HOME / "volumes" / name
    if not folder.exists():
        folder.mkdir(parents=True)
        owner, mode = re.search(rf"install -d -o (\S+) -g \S+ -m (\d+) {said('VOLUME')}\b", FINAL).groups()
        assert re.search(rf"useradd --uid {user()} .* {owner}\b", FINAL)
        os.chown(folder, int(user()), int(user()))
        folder.chmod(int(mode, 8))
    return folder


def mounts(volumes):
    for one in volumes:
        source, place, *mode = one.split(":")
        source = source if source.startswith("/") else volume(source)
        yield f"{source} {place} {mode[0] if mode else 'rw'}"


def start(command, volumes):
    environment = {**os.environ, "IMAGE": str(HOME / "image"), "ID": user(), "MOUNTS": "\n".join(mounts(volumes))}
    return subprocess.Popen(["unshare", "-m", "bash", "-e", "-c", ENTER, "docker", *command], env=environment)


def run(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("-v", action="append", default=[])
    parser.add_argument("--entrypoint")
    parser.add_argument("--name")
    parser.add_argument("-d", action="store_true")
    for flag in ("--rm", "--read-only", "--no-healthcheck"):
        parser.add_argument(flag, action="store_true")
    for option in ("--network", "--restart", "--cap-drop", "--security-opt", "--ulimit"):
        parser.add_argument(option, action="append")
    parser.add_argument("image")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    given = parser.parse_args(arguments)
    command = [given.entrypoint] if given.entrypoint else json.loads(said("ENTRYPOINT"))
    command += given.words or ([] if given.entrypoint else json.loads(said("CMD")))
    process = start(command, given.v)
    if not given.d:
        return process.wait()
    (HOME / "containers").mkdir(exist_ok=True)
    (HOME / "containers" / given.name).write_text(json.dumps(given.v))
    print(process.pid)
    return 0


def execute(arguments):
    name, *command = arguments
    return start(command, json.loads((HOME / "containers" / name).read_text())).wait()


def healthcheck(arguments):
    """Not docker's: what the daemon does every half minute."""
    return execute([*arguments, *json.loads(said("HEALTHCHECK").partition("CMD")[2])])


def build(arguments):
    assert arguments == shlex.split("-t castgate -f docker/Dockerfile .") and Path.cwd() == TOP
    for copied in re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.M):
        assert (TOP / copied).exists(), copied
    place = re.search(r"^COPY docker/settings/castgate.json (\S+)$", FINAL, re.M).group(1)
    (HOME / "image" / place[1:]).parent.mkdir(parents=True)
    (HOME / "image" / place[1:]).write_bytes((TOP / "docker/settings/castgate.json").read_bytes())
    return 0


if __name__ == "__main__":
    sys.exit({"run": run, "exec": execute, "build": build, "healthcheck": healthcheck}[sys.argv[1]](sys.argv[2:]))
