"""The container's image is built, and what docker/README.md says is done with it: real containers, by podman (engine.py). The small form,
without an image, is tests/e2e/test_docker.py."""

import json
import os
import re
import threading
from contextlib import contextmanager

import pytest

from conftest import TOP, in_namespace
from documents import blocks
from engine import BASE, Engine
from probe import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs namespaces and mounts")

RUN = ("docker run -d --name castgate --network host --read-only --cap-drop ALL --security-opt no-new-privileges"
       " -v castgate:/var/lib/castgate -v {settings}:/etc/castgate:ro castgate")
KEYS = ("docker run --rm -v castgate:/var/lib/castgate --entrypoint castgate-keys castgate new /var/lib/castgate/keys --members 3"
        " --addresses 127.1.0.1:5683")
INIT = "docker run --rm -v castgate:/var/lib/castgate castgate --init-state --new-keys"


@pytest.fixture(scope="module")
def built():
    """An engine that has the image."""
    engine = Engine(TOP / "build-containers")
    engine.build()
    return engine


@contextmanager
def inside(engine):
    """What the test does with containers happens here; see engine.py."""
    engine.enter()
    engine.clear()
    try:
        yield engine
    finally:
        engine.clear()


@contextmanager
def watched(engine, name):
    """What docker's daemon does by itself and podman leaves to systemd: the health check, again and again."""
    done = threading.Event()

    def look():
        while not done.wait(0.5):
            engine.attempt(f"podman healthcheck run {name}")

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def commands(heading):
    """What README.md says to type below this heading."""
    part = re.search(rf"^## {heading}\n.*?(?=^## |\Z)", (TOP / "docker/README.md").read_text(), re.M | re.S).group()
    return re.findall(r"^```sh\n(.*?)^```$", part, re.M | re.S)


def inspect(engine, what, place):
    return engine.type(f"podman inspect {what} --format '{{{{{place}}}}}'").strip()


def answered(engine):
    """How many members a running gateway hears."""
    reply = engine.type("curl -sS --retry 5 --retry-connrefused --retry-delay 1 -H 'Accept: application/json' http://127.0.0.1:8080/floor3/status")
    return json.loads(reply)["summary"]["answered"]


def refused(engine):
    """What it says where it cannot send."""
    return engine.type("curl -sS --retry 5 --retry-connrefused --retry-delay 1 http://127.0.0.1:8080/floor3/status")


# ---- Three groups ----


@in_namespace
def test_three_groups(built):
    """The first `up` ends with nine answers. Later ones find keys and state; with one volume lost nothing starts."""
    with inside(built) as engine:
        engine.serve()
        start, more, end = commands("Three groups, to try it with")
        with watched(engine, "docker_castgate_1"):
            shown = engine.type(start)
            assert "All nine members answered" in shown and shown.count("verified=source") == 9
            shown = engine.type(more)
            assert '"expected":3' in shown and '"answered":3' in shown and "3 answered, 0 of them with an error, 0 missing" in shown

            engine.type("docker compose -f docker/compose.yaml down")
            assert "All nine members answered" in engine.type(start)
            assert "init: keys and state are there" in engine.type("podman logs docker_init_1")
        for volume in ("castgate-state", "castgate-members"):
            engine.type(f"docker compose -f docker/compose.yaml down; podman volume export castgate-state >{engine.home}/state.tar;"
                        f" podman volume rm {volume}")
            assert engine.attempt("docker compose -f docker/compose.yaml up -d").status != 0
            assert "is not made anew" in engine.type("podman logs docker_init_1")
            assert "castgate_1" not in engine.type("podman ps --format '{{.Names}}'")
            engine.type("docker compose -f docker/compose.yaml down")
            if volume == "castgate-state":  # put back, as the message says
                engine.type(f"podman volume import castgate-state {engine.home}/state.tar")
        engine.type(end)
        assert "castgate" not in engine.type("podman volume ls --format '{{.Name}}'")


# ---- One group ----


@in_namespace
def test_one_group(built, tmp_path):
    """README.md's commands, and the health check. The gateway writes to its volume only, and ends well when it is told to."""
    with inside(built) as engine:
        run, device = commands("One group, command by command")
        shown = engine.type(run)
        assert shown.count("verified=source") == 3 and '"ready":true' in shown
        engine.type(device.replace(">member-11.json", f">{tmp_path}/member-11.json"))
        assert "private_key" in json.loads((tmp_path / "member-11.json").read_text())["self"]
        engine.type(commands("State")[0])

        engine.type("podman healthcheck run castgate")
        assert inspect(engine, "castgate", ".HostConfig.ReadonlyRootfs") == "true"
        written = re.findall("^[ACD] (.*)$", engine.type("docker diff castgate"), re.M)
        assert set(written) <= {"/etc", "/etc/castgate", "/etc/castgate/castgate.json"}  # where the settings are mounted
        rights = dict(re.findall(r"^(\w+):\s+(\S+)", engine.type("docker exec castgate cat /proc/1/status"), re.M))
        assert {rights[kind] for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
        assert rights["NoNewPrivs"] == "1" and rights["Uid"] == rights["Gid"] == "5683"

        engine.type("docker kill -s HUP castgate")
        wait_for(lambda: "event=reload" in engine.type("docker logs castgate 2>&1"))
        engine.type("docker stop --time 60 castgate")  # who does not end by SIGTERM is killed, which is status 137
        assert inspect(engine, "castgate", ".State.ExitCode") == "0"
        engine.type("docker stop --time 60 members")
        assert inspect(engine, "members", ".State.ExitCode") == "0"


@in_namespace
def test_settings_are_checked(built, tmp_path):
    with inside(built) as engine:
        engine.type(KEYS)
        (tmp_path / "castgate.json").write_text('{"state": "/var/lib/castgate", "limits": {"exchanges": -1}}')
        tmp_path.chmod(0o755)
        ran = engine.attempt(f"docker run --rm -v castgate:/var/lib/castgate -v {tmp_path}:/etc/castgate:ro castgate -T")
        assert ran.status != 0 and "/limits/exchanges" in ran.output


@in_namespace
def test_nothing_is_sent_without_a_store(built):
    """On a volume that nobody has initialised, and on one that is lost, the gateway says so, is unhealthy, and makes no store."""
    with inside(built) as engine:
        engine.type(KEYS)
        engine.type(RUN.format(settings=TOP / "docker/settings"))
        assert "castgate.db is missing" in refused(engine)
        assert engine.attempt("podman healthcheck run castgate").status == 1
        assert "event=store" in engine.type("docker logs castgate 2>&1")
        assert "castgate.db\n" not in engine.type("docker exec castgate ls /var/lib/castgate")

        engine.type("docker stop castgate && " + INIT + " && docker start castgate")
        engine.type("docker run -d --name members --network host --no-healthcheck -v castgate:/var/lib/castgate --entrypoint castgate-member castgate"
                    " --keys /var/lib/castgate/keys/group.json --count 3")
        assert answered(engine) == 3
        engine.type("podman healthcheck run castgate")


@in_namespace
def test_key_files_of_the_host(built, tmp_path):
    """Those that others may read are for gateways that accept them only; a folder of the host belongs to user 5683."""
    with inside(built) as engine:
        settings = json.loads((TOP / "docker/settings/castgate.json").read_text())
        settings["security_groups"] = {"floor3": "/run/secrets/floor3"}
        folder, secret = tmp_path / "settings", tmp_path / "floor3"
        folder.mkdir()
        tmp_path.chmod(0o755)
        engine.type(KEYS)
        engine.type(f"docker run --rm -v castgate:/var/lib/castgate --entrypoint cat castgate /var/lib/castgate/keys/gateway.json >{secret}")
        check = f"docker run --rm -v {folder}:/etc/castgate:ro -v {secret}:/run/secrets/floor3:ro castgate -T"
        for group, mode in ((0, 0o444), (5683, 0o440)):
            os.chown(secret, 0, group)
            secret.chmod(mode)
            (folder / "castgate.json").write_text(json.dumps(settings))
            ran = engine.attempt(check)
            assert ran.status != 0 and "/run/secrets/floor3" in ran.output and "key_files_may_be_shared" in ran.output
            (folder / "castgate.json").write_text(json.dumps({**settings, "key_files_may_be_shared": True}))
            engine.type(check)
        (folder / "castgate.json").write_text(json.dumps(settings))
        os.chown(secret, 5683, 5683)
        secret.chmod(0o400)
        engine.type(check)

        init = f"docker run --rm -v {{}}:/var/lib/castgate -v {folder}:/etc/castgate:ro -v {secret}:/run/secrets/floor3:ro castgate --init-state"
        engine.type(f"install -d -m 700 {tmp_path}/others && install -d -o 5683 -g 5683 -m 700 {tmp_path}/own")
        assert engine.attempt(init.format(tmp_path / "others")).status != 0
        engine.type(init.format(tmp_path / "own"))
        assert (tmp_path / "own/castgate.db").stat().st_uid == 5683


@in_namespace
def test_small_buffer(built, tmp_path):
    """What the host allows is all that the container gets; the gateway says how much that is."""
    with inside(built) as engine:
        allowed = int(engine.type("cat /proc/sys/net/core/rmem_max"))
        settings = json.loads((TOP / "docker/settings/castgate.json").read_text())
        settings["group"]["receive_buffer"] = 2 * allowed
        tmp_path.chmod(0o755)
        (tmp_path / "castgate.json").write_text(json.dumps(settings))
        engine.type(f"{KEYS} && {INIT} && {RUN.format(settings=tmp_path)}")
        wait_for(lambda: "event=receive-buffer" in engine.type("docker logs castgate 2>&1"))
        assert f"the receive buffer is {allowed} bytes rather than {2 * allowed}" in engine.type("docker logs castgate 2>&1")
        assert engine.attempt("docker run --rm --network host --sysctl net.core.rmem_max=8388608 castgate -V").status != 0


# ---- The image ----


def lines(engine, image, command):
    """What a command says in the image, to root, who may look everywhere."""
    return set(engine.type(f"podman run --rm --user 0 --entrypoint '' {image} {command}").splitlines())


@in_namespace
def test_image(built, tmp_path):
    """It has what runs, and nothing else: no more packages than libraries need, no headers, no sources, nobody's rights."""
    with inside(built) as engine:
        assert inspect(engine, "castgate", ".Config.User") == "5683:5683"
        packages = "dpkg-query -W -f '${Package}\\n'"
        added = lines(engine, "castgate", packages) - lines(engine, BASE, packages)
        assert [name for name in added if not name.startswith("lib") or name.endswith("-dev")] == []

        files = lines(engine, "castgate", "find / -xdev -type f")
        programs = {f"/usr/bin/{name}" for name in ("castgate", "castgatectl", "castgate-keys", "castgate-member")}
        assert {name for name in files if "castgate" in name} == {*programs, "/etc/castgate/castgate.json"}
        assert [name for name in files if re.search(r"^/(src|build|image)/|\.[hac]$|^/var/lib/apt/lists/.*Packages|\.deb$", name)] == []
        assert lines(engine, "castgate", "find / -xdev -type f -perm /6000") == set()
        engine.type(f"podman run --rm --entrypoint cat castgate /usr/bin/castgate >{tmp_path}/castgate")
        assert ".debug" not in engine.type(f"readelf -S {tmp_path}/castgate")

        size = {image: int(inspect(engine, image, ".Size")) for image in ("castgate", BASE)}
        assert size["castgate"] - size[BASE] < 30e6
