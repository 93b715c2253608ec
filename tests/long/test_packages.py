"""The Debian packages, built in a Debian 12 and a Debian 13 and lived with on machines of these, under their systemd: installed, upgraded,
downgraded, removed, purged. Members that go on running take no sequence number twice, so an answer of all says that numbers went on."""

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from documents import blocks
from machines import Machine
from roots import TOP, Root, build_packages, cached, copied

OLD, NEW = "0.0.9", "0.1.0"
SUITES = {"bookworm": 12, "trixie": 13}
PATIENCE = 60  # seconds


@dataclass
class Built:
    suite: str
    folder: Path

    def file(self, version=NEW, package="castgate"):
        (file,) = self.folder.glob(f"{package}_{version}-1+deb{SUITES[self.suite]}_*.deb")
        return file


def build(suite, sources, folder):
    """Both packages by what packaging/README.md has people type, and once more as an older version."""
    files = subprocess.run(["git", "-C", TOP, "ls-files", "-z"], check=True, capture_output=True).stdout
    archive = subprocess.run(["tar", "-C", TOP, "--null", "-T", "-", "-c"], input=files, check=True, capture_output=True).stdout
    subprocess.run(["tar", "-C", sources, "-x"], input=archive, check=True)
    root = cached(suite, *build_packages(), "file", "systemd")
    (commands,) = (block.commands for block in blocks("packaging/README.md", "sh"))
    older = f"(cd build-packages && cpack -G DEB -R {OLD})\ncp build-packages/*.deb /out"
    root.run("sh", "-ec", commands + older, binds={"/src": sources, "/out": folder}, folder="/src")


@pytest.fixture(scope="module", params=SUITES)
def built(request, tmp_path_factory):
    made = Built(request.param, tmp_path_factory.mktemp(f"packages-{request.param}"))
    sources = tmp_path_factory.mktemp("sources")
    build(made.suite, sources, made.folder)
    shutil.rmtree(sources)
    return made


def test_installed_by_apt(built, tmp_path):
    """With what it depends on, where no systemd runs: user, folders and an empty store are there, nothing was started."""
    root = copied(built.suite, tmp_path / "root")
    for package in ("castgate", "castgate-dev"):
        shutil.copy(built.file(package=package), root.path / "tmp")
    root.install(*(f"/tmp/{built.file(package=package).name}" for package in ("castgate", "castgate-dev")))
    said = root.run("stat", "-c", "%n %a %U %G", "/etc/castgate", "/etc/castgate/castgate.json", "/var/lib/castgate", "/var/lib/castgate/castgate.db").stdout
    assert said.splitlines() == ["/etc/castgate 750 root castgate", "/etc/castgate/castgate.json 644 root root",
                                 "/var/lib/castgate 700 castgate castgate", "/var/lib/castgate/castgate.db 600 castgate castgate"]
    assert root.run("castgate", "-T", user="castgate").returncode == 0
    assert root.run("dpkg", "--audit").stdout == "" and root.run("dpkg", "--verify", "castgate", "castgate-dev").stdout == ""
    root.run("systemd-analyze", "verify", "castgate.service")
    root.run("systemd-analyze", "security", "--offline=true", "--threshold=20", "castgate.service")
    shutil.rmtree(root.path)


def test_lintian(built, tmp_path):
    """Of the Debian that the packages are for."""
    root = cached(built.suite, "lintian")
    files = [f"/out/{built.file(package=package).name}" for package in ("castgate", "castgate-dev")]
    said = root.run("lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", *files, binds={"/out": built.folder}, check=False)
    assert said.returncode == 0, said.stdout


class Host(Machine):
    """A machine whose packages come from files that it has already, as it has no network."""

    packages: Built

    def install(self, version):
        return self.shell(f"apt-get install -y --allow-downgrades /packages/{self.packages.file(version).name} 2>&1")

    def castgate(self, script):
        """As the gateway's user."""
        return self.run("setpriv", "--reuid=castgate", "--regid=castgate", "--clear-groups", "sh", "-ec", script).stdout

    def show(self, name):
        return self.run("systemctl", "show", "--value", "-p", name, "castgate").stdout.strip()

    def get(self, path):
        """At once: a service that is started serves."""
        return json.loads(self.run("curl", "-sS", "-H", "Accept: application/json", f"http://127.0.0.1:8080{path}").stdout)

    def answered(self):
        return self.get("/floor3/status")["summary"]["answered"]

    def reserved(self):
        """Up to where sequence numbers are given out, of the only key."""
        with contextlib.closing(sqlite3.connect(f"file:{self.root.path}/var/lib/castgate/castgate.db?mode=ro", uri=True)) as db:
            ((number,),) = db.execute("SELECT next FROM sender").fetchall()
        return number

    def log(self):
        return self.run("journalctl", "--no-pager", "-o", "cat", "-u", "castgate").stdout


@pytest.fixture(scope="module")
def image(built, tmp_path_factory):
    """What a machine begins with: systemd, curl, and the files of all packages that castgate depends on."""
    root = copied(built.suite, tmp_path_factory.mktemp("image") / "root", "systemd", "curl")
    (root.path / "packages").mkdir()
    for version in (OLD, NEW):
        shutil.copy(built.file(version), root.path / "packages")
    root.run("apt-get", "update")
    root.run("apt-get", "install", "-y", "--download-only", "--no-install-recommends", f"/packages/{built.file().name}")
    yield root
    shutil.rmtree(root.path)


@pytest.fixture
def host(built, image, tmp_path):
    subprocess.run(["cp", "-a", "--reflink=auto", image.path, tmp_path / "root"], check=True)
    machine = Host(Root(tmp_path / "root"))
    machine.packages = built
    with machine:
        yield machine
    shutil.rmtree(tmp_path / "root")


@pytest.fixture
def floor(host):
    """host with castgate and a security group of three members, which run to the end."""
    host.install(OLD)
    host.castgate("castgate-keys new /var/lib/castgate/keys --members 3 --addresses 127.1.0.1:5683")
    members = subprocess.Popen(host.command("castgate-member", "--keys", "/var/lib/castgate/keys/group.json", "--numbers", "/run/numbers", "--count", "3"),
                               stdout=subprocess.PIPE, text=True)
    assert members.stdout.readline() == "ready 3\n"
    host.run("tee", "/etc/castgate/castgate.json", input=(TOP / "docker/settings/castgate.json").read_text())
    host.castgate("castgate-keys claim /var/lib/castgate/keys/gateway.json --state /var/lib/castgate")
    host.run("systemctl", "restart", "castgate")
    assert host.answered() == 3
    yield host
    members.kill()
    members.wait()


def test_a_fresh_install(host):
    """It serves, on loopback alone, and asks nobody until it is told to."""
    said = host.install(NEW)
    assert host.show("ActiveState") == "active" and host.run("systemctl", "is-enabled", "castgate").stdout == "enabled\n", said
    assert host.show("StatusText") == "serving 0 mappings"
    listening = host.shell("cat /proc/net/tcp /proc/net/tcp6")
    assert set(re.findall(r": ([0-9A-F]+):1F9[01] \S+ 0A", listening)) == {"0100007F"}, listening
    assert "level=error" not in host.log()


def test_a_life(floor):
    """Upgrade, downgrade, remove and install again: the state of before is in use, the settings stay, the numbers go on."""
    seen = [floor.reserved()]
    for step in (lambda: floor.install(NEW), lambda: floor.install(OLD), lambda: floor.install(NEW),
                 lambda: floor.run("apt-get", "remove", "-y", "castgate") and floor.install(NEW)):
        process = floor.show("MainPID")
        step()
        assert floor.show("MainPID") not in ("0", process), floor.log()
        assert floor.answered() == 3
        seen.append(floor.reserved())
    assert seen == sorted(set(seen)), seen


def test_removed_and_purged(floor):
    floor.run("apt-get", "remove", "-y", "castgate")
    assert floor.show("ActiveState") in ("inactive", "failed")
    assert floor.shell("cd /; ls etc/castgate/castgate.json var/lib/castgate/castgate.db").count("\n") == 2
    said = floor.run("apt-get", "purge", "-y", "castgate").stdout
    assert "must not claim it as new: rekey the group" in " ".join(said.split()), said
    assert floor.shell("ls -d /etc/castgate /var/lib/castgate 2>&1 || true").count("No such file") == 2
    floor.install(NEW)
    assert floor.show("ActiveState") == "active" and floor.show("StatusText") == "serving 0 mappings"


def test_a_lost_state_is_not_made_again(floor):
    """Neither by an upgrade nor by a reinstallation: nothing is sent, and the log says what to do."""
    floor.run("systemctl", "stop", "castgate")
    floor.shell("mv /var/lib/castgate /root/lost; install -d -o castgate -g castgate -m 700 /var/lib/castgate; cp -a /root/lost/keys /var/lib/castgate")
    floor.run("systemctl", "start", "castgate")
    floor.install(NEW)
    assert floor.get("/floor3/status")["status"] == 503
    floor.run("apt-get", "install", "-y", "--reinstall", f"/packages/{floor.packages.file().name}")
    assert floor.get("/floor3/status")["status"] == 503
    assert floor.shell("ls /var/lib/castgate").find("castgate.db") < 0 and "--init-state" in floor.log()


def test_reload(host):
    """It takes until the settings are in use, or are refused, as systemctl status then tells."""
    host.install(NEW)
    settings = json.loads((TOP / "conf/castgate.json").read_text())
    mapping = {**settings["mappings"][0], "enabled": True}
    settings["mappings"] = [mapping, {**mapping, "name": "again", "path": "/again"}]
    host.run("tee", "/etc/castgate/castgate.json", input=json.dumps(settings))
    host.run("systemctl", "reload", "castgate")
    wait_for_status(host, "serving 2 mappings")
    host.run("tee", "/etc/castgate/castgate.json", input="{")
    host.run("systemctl", "reload", "castgate")
    wait_for_status(host, "the settings in use stay as they are: /etc/castgate/castgate.json: ")
    assert host.show("ActiveState") == "active"


def wait_for_status(host, beginning):
    """At once where systemd knows that a reload goes on (notify-reload), else soon."""
    end = time.monotonic() + (0 if host.show("Type") == "notify-reload" else PATIENCE)
    while not host.show("StatusText").startswith(beginning):
        assert time.monotonic() < end, host.show("StatusText")
        time.sleep(0.1)


def test_one_that_hangs_is_started_again(host):
    host.install(NEW)
    host.shell("mkdir /etc/systemd/system/castgate.service.d; printf '[Service]\\nWatchdogSec=2\\nTimeoutStopSec=2\\nTimeoutAbortSec=2\\n' "
               ">/etc/systemd/system/castgate.service.d/soon.conf; systemctl daemon-reload; systemctl restart castgate")
    process = host.show("MainPID")
    host.shell(f"kill -STOP {process}")
    end = time.monotonic() + PATIENCE
    while host.show("MainPID") in ("0", process) or host.show("ActiveState") != "active":
        assert time.monotonic() < end, host.log()
        time.sleep(0.2)
    assert host.show("NRestarts") == "1"


def test_a_port_that_is_taken_is_waited_for(host):
    """More often than systemd has a service started that ends at once."""
    host.shell("systemd-run --unit=other systemd-socket-activate -l 127.0.0.1:8080 sleep infinity")
    host.install(NEW)
    end = time.monotonic() + PATIENCE
    while int(host.show("NRestarts")) < 6:
        assert time.monotonic() < end, host.log()
        time.sleep(0.2)
    host.run("systemctl", "stop", "other")
    while host.show("ActiveState") != "active":
        assert time.monotonic() < end, host.log()
        time.sleep(0.2)


def test_a_state_folder_that_is_a_link(host):
    """systemd takes none, but the package does: to a disk that is not there it is left as it is, and what is behind it is purged, too."""
    (host.root.path / "var/lib/castgate").symlink_to("/srv/castgate")
    host.install(NEW)
    assert host.run("dpkg", "--audit").stdout == "" and host.shell("readlink /var/lib/castgate") == "/srv/castgate\n"
    host.shell("install -d -o castgate -g castgate -m 700 /srv/castgate")
    host.castgate("castgate --init-state")
    host.run("apt-get", "purge", "-y", "castgate")
    assert host.shell("ls -A /srv/castgate; ls -d /var/lib/castgate 2>&1 || true").startswith("ls: cannot access")


def test_a_state_folder_that_is_a_mount(host):
    """It is purged as far as it can be: the mount is the host's, not the package's."""
    host.install(NEW)
    host.shell("systemctl stop castgate; mkdir /srv/castgate; cp -a /var/lib/castgate/. /srv/castgate; mount --bind /srv/castgate /var/lib/castgate; "
               "systemctl start castgate")
    said = host.run("apt-get", "purge", "-y", "castgate").stdout
    assert "must not claim it as new" in " ".join(said.split()), said
    assert host.shell("ls -A /srv/castgate; dpkg -l castgate 2>&1 | grep -c ^[a-z]c || true") == "0\n"


def test_the_credential_that_opens_stored_secrets(host):
    """The key of stored secrets comes from /etc/credstore by itself."""
    host.install(NEW)
    make = "t=$(cat /var/lib/castgate/admin.token); curl -sS -o /dev/null -w '%{http_code}' -H \"Authorization: Bearer $t\" -H 'Content-Type: application/json' "
    make += "-d '{\"name\": \"NAME\", \"members\": 2}' http://127.0.0.1:8081/admin/v1/security-groups"
    assert host.shell(make.replace("NAME", "without")) == "409"
    host.shell("mkdir -p /etc/credstore; umask 077; od -An -N32 -tx1 /dev/urandom | tr -d ' \\n' >/etc/credstore/castgate.seal; systemctl restart castgate")
    assert host.shell(make.replace("NAME", "with")) == "201", host.log()


def test_a_certificate_whose_key_is_a_credential(host):
    """As the drop-in of conf/README.md has it: the file itself is root's alone."""
    host.install(NEW)
    (drop_in,) = (block.text for block in blocks("conf/README.md", "ini"))
    key = re.search(r"LoadCredential=tls.key:(.*)", drop_in)[1]
    files = {"key": host.root.path / key[1:], "certificate": host.root.path / "etc/castgate/tls.pem"}
    files["key"].parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=gateway", "-keyout",
                    files["key"], "-out", files["certificate"]], check=True, capture_output=True)
    files["key"].chmod(0o600)
    files["certificate"].chmod(0o644)
    settings = json.loads((TOP / "conf/castgate.json").read_text())
    settings["http"]["tls"] = {"certificate": "/etc/castgate/tls.pem", "key": "/run/credentials/castgate.service/tls.key"}
    host.run("tee", "/etc/castgate/castgate.json", input=json.dumps(settings))
    host.shell("mkdir /etc/systemd/system/castgate.service.d")
    host.run("tee", "/etc/systemd/system/castgate.service.d/tls.conf", input=drop_in)
    host.shell("systemctl daemon-reload; systemctl restart castgate")
    assert host.shell("curl -sSk -o /dev/null -w '%{http_code}' https://127.0.0.1:8080/nothing") == "404", host.log()
