"""The container's files. There need be no docker: what its README has people type, and what compose.yaml starts, runs in fake_docker.py,
and each file is held against what it is made for. tests/long/test_container.py has real containers."""

import fnmatch
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from conftest import BUILD, TOP, in_namespace
from documents import Reader, blocks

DOCKERFILE = (TOP / "docker/Dockerfile").read_text()
COMPOSE = yaml.safe_load((TOP / "docker/compose.yaml").read_text())
BUILD_IMAGE = "docker build -t castgate -f docker/Dockerfile .\n"


@pytest.fixture
def docker(tmp_path):
    """A reader with docker."""
    image = tmp_path / "docker/image"
    subprocess.run(["cmake", "--install", str(BUILD), "--prefix", "/usr"], env={**os.environ, "DESTDIR": str(image)}, check=True,
                   capture_output=True)
    reader = Reader(tmp_path, FAKE_DOCKER=str(tmp_path / "docker"), FAKE_DOCKER_SOURCES=str(TOP))
    (tmp_path / "bin/docker").symlink_to(TOP / "tests/e2e/fake_docker.py")
    yield reader
    shutil.rmtree(image)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs mounts")
@in_namespace
def test_readme(docker, tmp_path):
    """Keys that the container makes are its user's, who reads them and runs; the health check says so."""
    commands = "".join(block.commands for block in blocks("docker/README.md", "sh") if "docker compose" not in block.commands)
    commands = commands.replace(">member-11.json", f">{tmp_path}/member-11.json")
    ran = docker.type(commands + "docker healthcheck castgate\n", TOP)
    assert ran.status == 0, ran.output
    assert ran.output.count("Castgate-Member: ") == 3
    assert ran.output.count('"ready":true') == 2
    member = tmp_path / "member-11.json"
    assert "private_key" in json.loads(member.read_text())["self"] and member.stat().st_mode & 0o777 == 0o600
    keys = tmp_path / "docker/volumes/castgate/keys"
    assert keys.stat().st_mode & 0o777 == 0o700 and keys.stat().st_uid == 5683


@pytest.mark.skipif(os.geteuid() != 0, reason="needs mounts")
@in_namespace
def test_health_check_fails_without_a_gateway(docker):
    ran = docker.type(BUILD_IMAGE +
                      "docker run --rm -v castgate:/var/lib/castgate --entrypoint castgate-keys castgate new /var/lib/castgate/keys --members 1\n"
                      "docker run -d --name castgate -v castgate:/var/lib/castgate --entrypoint sleep castgate 60\n"
                      "docker healthcheck castgate", TOP)
    assert ran.status == 1 and "no gateway runs" in ran.output, ran.output


def ignored(path):
    """Whether .dockerignore keeps it out: of the lines that match it or a folder above it, the last one decides."""
    out = False
    for line in (TOP / ".dockerignore").read_text().splitlines():
        pattern = line.lstrip("!")
        if line.startswith("#") or not line:
            continue
        parts = [str(parent) for parent in path.parents][:-1] + [str(path)]
        if any(fnmatch.fnmatchcase(part, pattern.removeprefix("**/")) or fnmatch.fnmatchcase(part, pattern) for part in parts):
            out = not line.startswith("!")
    return out


def sources():
    """All files but those of git and of builds, which are many."""
    for folder, folders, files in os.walk(TOP):
        if folder == str(TOP):
            folders[:] = [name for name in folders if not ignored(Path(name)) or name == "tests"]
        yield from ((Path(folder) / name).relative_to(TOP) for name in files)


def test_build_context(tmp_path):
    """What is left of the sources can be configured as the Dockerfile does it, and has no keys, tests or builds."""
    kept = [path for path in sources() if not ignored(path)]
    for path in kept:
        (tmp_path / "src" / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / path, tmp_path / "src" / path)
    command = re.search(r"cmake -S /src -B /build[^\\&]*", DOCKERFILE).group()
    command = command.replace("/src", str(tmp_path / "src")).replace("/build", str(tmp_path / "build"))
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    out = (".git/config", "build/castgate", "build-gcc-debug/x.o", "tests/e2e/conftest.py", "docker/settings/gateway.json",
           "docker/settings/keys/gateway.json", "docker/settings/token", "tests/vectors/__pycache__/x.pyc")
    assert [name for name in out if not ignored(Path(name))] == []


def libraries(program):
    text = subprocess.run(["objdump", "-p", str(BUILD / program)], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"NEEDED +lib(\S+?)\.so", text))


def test_image_has_the_libraries():
    """The packages of the image, by the libraries that the programs say they need."""
    packages = set(re.findall(r"\blib[a-z0-9.+-]+(?=[ \n])", DOCKERFILE[DOCKERFILE.rindex("FROM "):]))
    in_packages = {"crypto": "ssl", "ssl": "ssl"}
    needed = {in_packages.get(name, name) for program in ("castgate", "castgatectl", "castgate-keys", "castgate-member") for name in libraries(program)}
    needed -= {"c", "m", "ubsan", "asan"}
    lacking = {name for name in needed if not any(re.match(rf"lib{re.escape(name)}-?[0-9.]", package) for package in packages)}
    assert lacking == set()


def test_image_is_built_with_all_that_building_needs():
    """The packages with headers that run-demo installs, no more and no fewer."""
    listed = (TOP / "conf/debian-packages").read_text().partition("# tests:")[0]
    assert set(re.findall(r"\S+-dev\b", DOCKERFILE)) == set(re.findall(r"^\S+-dev$", listed, re.M))


def as_run(name, *options):
    """A service of compose.yaml as a `docker run`."""
    service = COMPOSE["services"][name]
    volumes = [one.replace("./", f"{TOP}/docker/") for one in service["volumes"]]
    volumes = [re.sub("^[a-z]+", lambda name: COMPOSE["volumes"][name.group()]["name"], one) for one in volumes]
    entrypoint, *words = service.get("entrypoint", []) + service.get("command", []) or [None]
    words = ["docker", "run", *options, "--name", name, *(word for volume in volumes for word in ("-v", volume)),
             *(["--entrypoint", entrypoint] if entrypoint else []), service["image"], *words]
    return shlex.join(words) + "\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs mounts")
@in_namespace
def test_compose(docker, tmp_path):
    """Its services in their order: all nine members answer. With the state lost nothing is made anew, with both volumes there nothing either."""
    services = COMPOSE["services"]
    members = [name for name, service in services.items() if "castgate-member" in service.get("entrypoint", [])]
    waits = {name: {on: how["condition"] for on, how in service.get("depends_on", {}).items()} for name, service in services.items()}
    made = "service_completed_successfully"
    assert waits == {"init": {}, **{name: {"init": made} for name in members}, "request": {"castgate": "service_healthy"},
                     "castgate": {"init": made, **{name: "service_started" for name in members}}}
    init = as_run("init", "--rm")
    ran = docker.type(BUILD_IMAGE + init + "".join(as_run(name, "-d") for name in (*members, "castgate")) +
                      "until docker healthcheck castgate; do sleep 0.1; done\n" + as_run("request", "--rm") + init, TOP)
    assert ran.status == 0 and "All nine members answered" in ran.output and "keys and state are there" in ran.output, ran.output
    shutil.rmtree(tmp_path / "docker/volumes/castgate-state")
    ran = docker.type(init, TOP)
    assert ran.status == 1 and "is not made anew" in ran.output
    assert list((tmp_path / "docker/volumes/castgate-state").iterdir()) == []


def test_compose_starts_the_same():
    """As the README's docker run: its network, its volume's place, and what it may not; and the others may no more."""
    service = COMPOSE["services"]["castgate"]
    line = re.search(r"^docker run -d --name castgate [^\0]*? castgate$", (TOP / "docker/README.md").read_text(), re.M).group()
    assert f"--network {service['network_mode']} " in line and f"--restart {service['restart']} " in line
    assert all(f"--ulimit {name}={value}" in line for name, value in service["ulimits"].items())
    places = {one.partition(":")[2] for one in service["volumes"]}
    assert places == set(re.findall(r"-v [^ ]*?:(\S+?)\"? ", line)) == {"/etc/castgate:ro", "/var/lib/castgate"}
    for one in COMPOSE["services"].values():
        assert one["read_only"] is True and one["cap_drop"] == ["ALL"] and one["security_opt"] == ["no-new-privileges:true"]
    assert all(f" {words} " in line for words in ("--read-only", "--cap-drop ALL", "--security-opt no-new-privileges"))
    assert (TOP / "docker" / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
