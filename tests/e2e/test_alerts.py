"""A member's own request reaches the gateway, is accepted once and answered under the group's protection; everything else does nothing
and is counted. R15, R24, R57."""

import json
import re
import signal
import socket
import subprocess

import pytest

import coap
from conftest import BUILD, free_udp_port
from probe import log_lines, wait_for
from protected import Keys, make_state, settings

FROM = "11"


class Post:
    """A gateway that takes alerts of a group, and its members' way to send them."""

    def __init__(self, gateway, group, folder, *options):
        self.keys = Keys(folder / "keys", 2, group.port, *options)
        self.state = make_state(folder / "state", self.keys)
        self.start, self.group, self.port = gateway, group, free_udp_port()
        self.open()

    def open(self, **more):
        alerts = {"listen": [f"coap://127.0.0.1:{self.port}"], "groups": [self.keys.name]}
        self.settings = {**settings(self.state, (self.group, self.keys)), "alerts": alerts, **more}
        self.gate = self.start(self.settings)
        wait_for(lambda: self.gate.request("/readyz", to=self.gate.admin).status == 200)

    def alert(self, *arguments, keys=None, path="/alarm", sender=FROM):
        return subprocess.run([BUILD / "castgate-member", "--alert", f"coap://127.0.0.1:{self.port}{path}", "--from", sender,
                               "--keys", (keys or self.keys).group, *arguments], capture_output=True, text=True, timeout=120)

    def reload(self, to):
        before = len(log_lines(self.gate, "reload"))
        self.gate.reload(to)
        wait_for(lambda: len(log_lines(self.gate, "reload")) > before)

    def count(self, fate):
        text = self.gate.request("/metrics", to=self.gate.admin).body.decode()
        found = re.findall(rf'^castgate_alerts_total{{group="[^"]*",fate="{fate}"}} (\d+)$', text, re.M)
        return sum(map(int, found))


@pytest.fixture
def post(gateway, group, tmp_path):
    return Post(gateway, group, tmp_path)


def accepted(done):
    return done.returncode == 0 and done.stdout.splitlines()[-1] == "2.04"


def test_an_alert_is_accepted_after_one_challenge(post):
    first = post.alert("--body", "smoke in room 3")
    assert accepted(first), first
    assert first.stdout.splitlines() == ["4.01 (challenge: sent again)", "2.04"]
    assert post.alert().stdout.splitlines() == ["2.04"]
    assert (post.count("accepted"), post.count("challenged")) == (2, 1)
    line = log_lines(post.gate, "alert")[0]
    assert (line["group"], line["path"], line["method"], line["bytes"]) == ("lights", "/alarm", "POST", "15")
    assert "smoke" not in post.gate.log()


def test_a_replay_gets_no_answer(post):
    done = post.alert("--replay", "3")
    assert accepted_before_replays(done)
    assert done.stdout.splitlines()[-3:] == ["replay: nobody answered"] * 3
    assert (post.count("accepted"), post.count("replayed")) == (1, 3)


def accepted_before_replays(done):
    return done.returncode == 0 and "2.04" in done.stdout.splitlines()


def test_a_flipped_bit_does_nothing(post):
    assert accepted(post.alert())
    done = post.alert("--flip")
    assert (done.returncode, done.stdout.splitlines()) == (1, ["4.00 (not protected) Decryption failed"])
    assert (post.count("accepted"), post.count("forged")) == (1, 1)


def test_another_group_does_nothing(post, group, tmp_path):
    other = Keys(tmp_path / "other", 2, group.port, name="other")
    done = post.alert("--body", "long enough to be answered with words", keys=other)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["4.01 (not protected) Security context not found"]
    assert (post.count("accepted"), post.count("foreign")) == (0, 1)


def test_group_mode_is_not_taken_where_the_group_has_pairwise_mode(post):
    done = post.alert("--mode", "group")
    assert done.returncode == 1
    assert done.stdout.startswith("4.02 (not protected)")
    assert (post.count("accepted"), post.count("wrong-mode")) == (0, 1)


def test_group_mode_alone(gateway, group, tmp_path):
    post = Post(gateway, group, tmp_path, "--no-pairwise")
    assert accepted(post.alert("--body", "smoke"))
    flipped = post.alert("--flip")
    assert flipped.stdout.splitlines() == ["4.00 (not protected) Decryption failed"]
    assert accepted(post.alert())
    assert (post.count("accepted"), post.count("forged"), post.count("challenged")) == (2, 1, 1)


def test_a_restart_costs_one_challenge(post):
    assert accepted(post.alert())
    assert post.gate.stop() == 0
    post.open()
    first = post.alert()
    assert accepted(first) and first.stdout.count("challenge") == 1
    assert post.alert().stdout.splitlines() == ["2.04"]


def test_a_rekey_has_windows_of_its_own_and_no_evicted_members(post, tmp_path):
    assert accepted(post.alert()) and accepted(post.alert(sender="12"))
    before = post.keys.copy(tmp_path / "before")
    Keys.run("rekey", post.keys.folder, "--evict", "12")
    Keys.run("claim", post.keys.folder / "gateway.next.json", "--state", post.state)
    Keys.run("finish", post.keys.folder)
    post.gate.process.send_signal(signal.SIGHUP)
    wait_for(lambda: log_lines(post.gate, "keys-activated"))
    assert post.alert(keys=before).returncode == 1
    assert post.alert(keys=before, sender="12").returncode == 1
    assert accepted(post.alert())
    assert (post.count("accepted"), post.count("challenged"), post.count("foreign")) == (3, 3, 2)


def test_what_is_not_protected_is_refused(post):
    with coap.Endpoint() as client:
        client.send(("127.0.0.1", post.port), "/alarm", method=coap.POST, type=coap.CON, payload=b"fire", mid=7)
        answer = client.receive().message
    assert (answer.type, answer.code_text, answer.mid) == (coap.ACK, "4.01", 7)
    assert (post.count("accepted"), post.count("unprotected")) == (0, 1)


def test_a_reload_decides_whose_alerts_are_taken(post):
    assert accepted(post.alert())
    usual = post.gate.settings
    post.reload({**usual, "alerts": {**usual["alerts"], "groups": []}})
    assert post.alert().returncode == 1
    post.reload(usual)
    assert post.alert().stdout.splitlines() == ["2.04"]  # the window is still known
    assert post.count("accepted") == 2


def test_where_it_listens_is_checked(gateway, group, tmp_path):
    keys = Keys(tmp_path / "keys", 2, group.port)
    base = settings(make_state(tmp_path / "state", keys), (group, keys))

    def mistakes(listen, groups=("lights",), **more):
        file = tmp_path / "castgate.json"
        file.write_text(json.dumps({**base, "alerts": {"listen": listen, "groups": list(groups)}, **more}))
        done = subprocess.run([BUILD / "castgate", "-c", file, "-T"], capture_output=True, text=True, timeout=60)
        return None if done.returncode == 0 else done.stderr

    assert mistakes(["coap://192.0.2.1:5685"]) is None  # not on loopback, as it is protected
    assert "/alerts/listen/0" in mistakes(["coap://224.0.1.187:5685"])
    assert "/alerts/listen/0" in mistakes(["coaps://127.0.0.1:5685"])
    assert "coap.listen" in mistakes(["coap://127.0.0.1:5683"])
    assert "coap.listen" in mistakes(["coap://0.0.0.0:5700"], coap={"listen": ["coap://127.0.0.1:5700"]})
    assert "/alerts/listen/1" in mistakes(["coap://127.0.0.1:5685", "coap://127.0.0.1:5685"])
    assert "/alerts/groups/0" in mistakes(["coap://127.0.0.1:5685"], groups=["nobody"])
    assert "/alerts/groups/1" in mistakes(["coap://127.0.0.1:5685"], groups=["lights", "lights"])
    shown = subprocess.run([BUILD / "castgate", "-c", tmp_path / "castgate.json", "-T"], capture_output=True, text=True, timeout=60)
    assert shown.returncode != 0
    assert mistakes(["coap://127.0.0.1:5685"]) is None
    shown = subprocess.run([BUILD / "castgate", "-c", tmp_path / "castgate.json", "-T"], capture_output=True, text=True, timeout=60)
    assert json.loads(shown.stdout)["alerts"] == {"listen": ["coap://127.0.0.1:5685"], "groups": ["lights"], "window": 0}


def test_an_empty_message_and_a_response_are_rejected(post):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.settimeout(5)
        plain.connect(("127.0.0.1", post.port))
        for first in (b"\x40\x00\x12\x34", b"\x40\x45\x12\x34"):  # a ping, a response to nothing
            plain.send(first)
            assert plain.recv(100) == b"\x70\x00\x12\x34"
