"""Protected groups for tests: keys, members, a claimed state folder, and mappings. Everything with the real programs; what is said about
messages on the wire is read here, independently of the C code."""

import hashlib
import json
import shutil
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import coap
from conftest import BUILD, Group, Program
from probe import wait_for

GROUP_FLAG, KID_CONTEXT_FLAG, KID_FLAG = 0x20, 0x10, 0x08


class Keys:
    """A folder of castgate-keys."""

    def __init__(self, folder, members, port, *options, name="lights", first="127.1.0.1"):
        self.folder, self.name = Path(folder), name
        self.run("new", self.folder, "--members", members, "--name", name, "--addresses", f"{first}:{port}", *options)

    @staticmethod
    def run(*arguments, check=True):
        done = subprocess.run([BUILD / "castgate-keys", *map(str, arguments)], capture_output=True, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr
        return done

    def __getattr__(self, name):  # keys.gateway, keys.group, keys.checker: the files
        path = self.folder / f"{name}.json"
        if not path.exists():
            raise AttributeError(name)
        return path

    def load(self, name="group"):
        return json.loads((self.folder / f"{name}.json").read_text())

    def copy(self, to):
        """The same keys in another folder, to be changed there."""
        other = object.__new__(Keys)
        other.folder, other.name = Path(to), self.name
        shutil.copytree(self.folder, to)
        return other

    def rekeyed(self, to, *arguments):
        """The next epoch, in a folder of its own."""
        other = self.copy(to)
        self.run("rekey", other.folder, *arguments)
        self.run("finish", other.folder)
        return other

    @property
    def secrets(self):
        """Everything in it that nobody else may see, as bytes."""
        group = self.load()
        texts = [group["common"]["master_secret"], group["common"]["master_salt"], group["gateway"]["private_key"]]
        return [bytes.fromhex(text) for text in texts]


class ProtectedMembers(Program):
    def __init__(self, keys, group, count, bind, arguments, log):
        self.keys, self.group, self.count = keys, group, count
        super().__init__([BUILD / "castgate-member", "--keys", keys.group, "--group", group.uri, "--count", count,
                          "--bind", bind, "--interface", "lo", *arguments], log, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line == f"ready {count}\n", f"said {line!r}:\n{self.log()}"
        a, b, c, first = map(int, bind.split("."))
        self.addresses = [(f"{a}.{b}.{c}.{first + i}", group.port) for i in range(count)]


def mapping(group, keys, **more):
    return {"name": keys.name, "path": f"/{keys.name}", "group": group.uri, "security": keys.name, "timeout": 2,
            "membership": "complete", "finish": "all",
            "clients": ["anonymous", {"name": "tester", "methods": ["GET", "PUT", "POST", "DELETE"]}], **more}


TOKEN = "a-token-for-tests"
TESTER = {"tester": {"token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}}
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def settings(state, *pairs, **more):
    """Of (group, keys) or (group, keys, {mapping's particulars})."""
    mappings = [mapping(group, keys, **(particulars[0] if particulars else {})) for group, keys, *particulars in pairs]
    return {"state": str(state), "clients": TESTER, "group": {"interface": "lo", "nstart": 100},
            "security_groups": {keys.name: str(keys.gateway) for _, keys, *_ in pairs}, "mappings": mappings, **more}


def make_state(folder, *keys):
    """A state folder in which these keys are claimed."""
    folder = Path(folder)
    file = folder.with_name(folder.name + ".json")
    file.write_text(json.dumps({"state": str(folder)}))
    subprocess.run([BUILD / "castgate", "-c", file, "--init-state"], check=True, timeout=60)
    for one in keys:
        Keys.run("claim", one.gateway, "--state", folder)
    return folder


class Oscore:
    """The OSCORE option of a message (RFC 8613 §6.1, RFC 10021 §4.1)."""

    def __init__(self, message):
        value = message.one(coap.OSCORE)
        assert value is not None, message
        flags, at = (value[0], 1) if value else (0, 0)
        length = flags & 7
        self.group = bool(flags & GROUP_FLAG)
        self.piv, at = value[at:at + length], at + length
        self.kid_context = None
        if flags & KID_CONTEXT_FLAG:
            self.kid_context, at = value[at + 1:at + 1 + value[at]], at + 1 + value[at]
        self.kid = value[at:] if flags & KID_FLAG else None

    @property
    def nonce(self):
        """What must never come twice."""
        return self.kid, self.kid_context, self.piv


@contextmanager
def served(gateway, group, folder):
    """A gateway that is ready, with a protected group of two, its members, and its keys."""
    keys = Keys(folder / "keys", 2, group.port)
    fleet = ProtectedMembers(keys, group, 2, "127.1.0.1", [], folder / "members.log")
    state = make_state(folder / "state", keys)
    gate = gateway({**settings(state, (group, keys)), "state": str(state)})
    wait_for(lambda: gate.request("/readyz", to=gate.admin).status == 200)
    yield gate, keys
    assert fleet.stop() == 0, fleet.log()


def kill(program):
    program.process.send_signal(signal.SIGKILL)
    program.process.wait()


def wait_until(what, timeout=20):
    end = time.monotonic() + timeout
    while not (found := what()):
        assert time.monotonic() < end, "did not happen in time"
        time.sleep(0.02)
    return found


__all__ = ["AUTHORIZED", "Group", "Keys", "Oscore", "ProtectedMembers", "kill", "make_state", "mapping", "served", "settings", "wait_until"]
