"""castgate --discover: what answers in a group, as a table, as JSON and as settings to paste; by a gateway of its own and beside the one
that runs (R45: a discovery job lists members and their links)."""

import json
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

import coap
from conftest import BUILD, Program, free_tcp_port, in_namespace, plain_mapping
from probe import running, wait_for
from protected import served
from test_control import connect, path_of, read_reply

LIBCOAP = shutil.which("coap-server-openssl") or shutil.which("coap-server")


def discover(file, *words, status=0):
    ran = subprocess.run([BUILD / "castgate", "-c", file, "--discover", *map(str, words)], capture_output=True, text=True,
                         timeout=120, errors="strict")
    assert ran.returncode == status, ran.stdout + ran.stderr
    return ran


def document(file, *words, status=0):
    return json.loads(discover(file, *words, "--json", status=status).stdout)


def write(tmp_path, settings, name="discover.json"):
    file = tmp_path / name
    file.write_text(json.dumps({"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"]}, "admin": {"listen": []},
                                "coap": {"listen": []}, "state": "alone", "group": {"interface": "lo"}, **settings}))
    return file


def fast(fleet, **more):
    """Members answer at once, so that nothing but the time that they may take is waited for."""
    return plain_mapping(fleet, **{"leisure": 1, **more})


def pasted(text):
    """What stands between the heading and the end of the object."""
    _, found, rest = text.partition("\nsettings to paste")
    assert found, text
    return json.JSONDecoder().raw_decode(rest[rest.index("{"):])[0]


def assert_taken(file, tmp_path, mappings):
    settings = json.loads(file.read_text())
    settings["mappings"] = settings.get("mappings", []) + mappings
    merged = tmp_path / "pasted.json"
    merged.write_text(json.dumps(settings))
    ran = subprocess.run([BUILD / "castgate", "-c", merged, "-T"], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return merged


def test_plain_members_and_what_is_proposed(members, tmp_path, gateway):
    """R45. The settings that are proposed are taken as they are, and a gateway with them answers."""
    fleet = members(3)
    file = write(tmp_path, {"mappings": [fast(fleet)]})
    ran = discover(file, "lights")
    lines = ran.stdout.splitlines()
    assert lines[0] == f"group {fleet.group.uri}, mapping lights"
    assert sum(line.split()[0] in fleet.texts for line in lines if line.strip()) == 3
    assert sum("the same as 127." in line for line in lines) == 2
    assert any(line.split()[-2:] == ["/light", "light"] for line in lines)
    assert "3 answered; ended by all" in lines
    mappings = pasted(ran.stdout)["mappings"]
    light = next(mapping for mapping in mappings if mapping["name"] == "light")
    assert light["group"] == f"{fleet.group.uri}/light" and sorted(light["members"]) == sorted(fleet.texts)
    assert light["security"] == "none" and light["methods"] == ["GET"]
    merged = assert_taken(file, tmp_path, mappings)
    gate = gateway(json.loads(merged.read_text()))
    assert gate.get_json("/light")["summary"]["answered"] == 3


def test_a_group_that_no_mapping_has(members, tmp_path):
    fleet = members(2)
    file = write(tmp_path, {"group": {"interface": "lo"}})
    ran = discover(file, fleet.group.uri, "--seconds", 20)
    assert f"group {fleet.group.uri}, which no mapping has" in ran.stdout
    mappings = pasted(ran.stdout)["mappings"]
    assert mappings[0]["name"] == "group-224.0.1.187" and mappings[0]["group"] == f"{fleet.group.uri}/"
    assert sorted(mappings[0]["members"]) == sorted(fleet.texts)
    assert_taken(file, tmp_path, mappings)


def test_beside_a_gateway(gateway, members):
    """By the gateway that runs, which serves on meanwhile; links as JSON, and the filter."""
    fleet = members(2)
    gate = gateway({"mappings": [fast(fleet)]})
    wait_for(lambda: path_of(gate).exists())
    found = document(gate.file, "--filter", "rt=light")
    assert [node["links"] for node in found["nodes"]] == [[{"target": "/light", "ct": [0], "rt": ["light"], "obs": True}]] * 2
    assert found["summary"]["answered"] == 2 and found["summary"]["ended_by"] == "all"
    assert {node["mapping"] for node in found["nodes"]} == {"lights"}
    assert "exchange" in gate.log() and gate.get_json("/lights/status")["summary"]["answered"] == 2


def test_members_that_are_verified(gateway, group, tmp_path):
    """A protected group: found by whom its keys name, and proposed under the same security group."""
    with served(gateway, group, tmp_path) as (gate, _):
        wait_for(lambda: path_of(gate).exists())
        ran = discover(gate.file, "lights", "--seconds", 5)
        found = document(gate.file, "lights", "--seconds", 5)
        assert len(found["nodes"]) == 2 and all(node["verified"] == "source" and node["kid"] for node in found["nodes"])
        mappings = pasted(ran.stdout)["mappings"]
        assert {mapping["security"] for mapping in mappings} == {gate.settings["mappings"][0]["security"]}
        assert not any("members" in mapping for mapping in mappings)
        assert_taken(gate.file, gate.file.parent, mappings)


def test_keys_that_may_not_send(group, tmp_path, gateway):
    """Without a store nothing that is protected goes out, and that is said."""
    with served(gateway, group, tmp_path) as (gate, _):
        settings = {**json.loads(gate.file.read_text()), "state": "nowhere"}
        gate.stop()
        file = gate.file.parent / "other.json"
        file.write_text(json.dumps(settings))
        ran = discover(file, "lights", status=1)
        assert "0 answered" in ran.stdout and "--init-state" in ran.stdout


def test_nobody(group, tmp_path):
    file = write(tmp_path, {"mappings": [{"name": "lights", "path": "/lights", "group": group.uri, "security": "none", "leisure": 0}]})
    ran = discover(file, "--seconds", 4, status=1)
    assert ran.stdout.startswith("0 answered") and "paste" not in ran.stdout


@pytest.mark.parametrize("words, says", [
    (["nonsense"], "there is no mapping and no security group of this name"),
    (["coap://127.0.0.1"], ""),
    (["--seconds", "0"], "1 to 3600"),
    (["--seconds", "3601"], "1 to 3600"),
    (["lights", "more"], "--discover [GROUP]"),
])
def test_wrong_use(words, says, group, tmp_path):
    file = write(tmp_path, {"mappings": [{"name": "lights", "path": "/lights", "group": group.uri, "security": "none"}]})
    ran = discover(file, *words, status=2)
    assert ran.stdout == "" and says in ran.stderr


def test_its_options_go_with_nothing_else(tmp_path):
    file = write(tmp_path, {})
    for words in (["-T", "--json"], ["--filter", "rt=x"], ["--check", "lights", "--seconds", "3"]):
        ran = subprocess.run([BUILD / "castgate", "-c", file, *words], capture_output=True, text=True, timeout=60)
        assert ran.returncode == 2 and "go with --discover only" in ran.stderr


def test_whoever_is_tired_of_waiting_sees_what_came(gateway, members):
    """Ctrl-C, beside a gateway: its answer comes at once, with what there is."""
    fleet = members(2)
    gate = gateway({"mappings": [plain_mapping(fleet, leisure=60, max_timeout=120)]})
    wait_for(lambda: path_of(gate).exists())
    seeker = subprocess.Popen([BUILD / "castgate", "-c", gate.file, "--discover", "--seconds", "100"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    wait_for(lambda: running(gate) == 1)
    time.sleep(1)
    begun = time.monotonic()
    seeker.send_signal(signal.SIGINT)
    text, _ = seeker.communicate(timeout=30)
    assert seeker.returncode == 0 and "2 answered; ended by deadline" in text
    assert time.monotonic() - begun < 20


def test_whoever_goes_away_ends_it(gateway, members):
    fleet = members(2)
    gate = gateway({"mappings": [plain_mapping(fleet, leisure=60, max_timeout=120)]})
    with connect(gate) as one:
        one.sendall(b'{"command":"discover","seconds":100}\n')
        wait_for(lambda: running(gate) == 1)
    wait_for(lambda: running(gate) == 0)


def test_what_is_asked_of_the_socket(gateway, members):
    """It refuses what it does not understand, and jobs beyond those that may wait."""
    fleet = members(1)
    gate = gateway({"mappings": [plain_mapping(fleet, leisure=60, max_timeout=120)]})
    for line in (b'{"command":"discover","where":7}\n', b'{"command":"discover","where":"a\\u0000b"}\n',
                 b'{"command":"discover","where":"nonsense"}\n'):
        with connect(gate) as one:
            one.sendall(line)
            assert read_reply(one)["ok"] is False
    waiting = [connect(gate) for _ in range(6)]
    for one in waiting:
        one.sendall(b'{"command":"discover","seconds":100}\n')
    assert "come again later" in read_reply(waiting[-1])["error"]
    for one in waiting:
        one.close()
    wait_for(lambda: running(gate) == 0)


CORE_LINKS = ('</rd>;rt="core.rd";ct=40,</rd-lookup/ep>;rt="core.rd-lookup-ep";ct=40,'
              '<coap://127.1.0.77/ace-group/sec1>;ct=65000;rt="core.osc.gm";if="ace.group";sec-gp="sec1";app-gp="floor4";hkdf=5;gp_enc_alg=10,'
              '</t>;rt=temp;title="\\\x1b[31mred\\\x07"')
ENTRIES = ('</rd/1>;ep="floor3";et="core.rd-group";base="coap://239.3.3.3",</rd/2>;ep="floor4";et="core.rd-group";base="coap://239.4.4.4",'
           '</rd/3>;ep="node-1";base="coap://198.51.100.7"')


class Directory(threading.Thread):
    """A member with a Resource Directory, which tells of a Group Manager, too."""

    def __init__(self, group, links=CORE_LINKS):
        super().__init__(daemon=True)
        self.links, self.asked, self.over = links, [], False
        self.own = self.bound("127.1.0.77", group.port)
        self.joined = self.bound(group.address, group.port)
        self.joined.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(group.address) + socket.inet_aton("127.0.0.1"))

    @staticmethod
    def bound(address, port):
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        return one

    def answer(self, request):
        first_page = not any(value in (b"page=%d" % page) for page in range(1, 9) for value in request.all(coap.URI_QUERY))
        text = {"/.well-known/core": self.links, "/rd-lookup/ep": ENTRIES if first_page else ""}.get(request.path)
        self.asked.append(request.path)
        return (0x45, [(coap.CONTENT_FORMAT, b"\x28")], text.encode("latin-1")) if text is not None else (0x84, [], b"")

    def run(self):
        while not self.over:
            for one in select.select([self.own, self.joined], [], [], 0.1)[0]:
                data, source = one.recvfrom(2048)
                request = coap.Message.parse(data)
                if request.type == coap.CON and request.code == coap.EMPTY:
                    self.own.sendto(coap.Message(coap.RST, coap.EMPTY, request.mid).emit(), source)
                if request.code != coap.GET or one is self.joined and request.path != "/.well-known/core":
                    continue
                code, options, payload = self.answer(request)
                kind = coap.ACK if request.type == coap.CON else coap.NON
                self.own.sendto(coap.Message(kind, code, request.mid, request.token, options, payload).emit(), source)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.join()
        self.own.close()
        self.joined.close()


def test_a_directory_and_a_group_manager(group, tmp_path):
    """R46: a Resource Directory is found and its groups are imported, to be pasted. R59: a link with core.osc.gm is a pending security
    group, and the group that it protects is not proposed as a plain one. What a title does to a terminal it does not do to this one."""
    file = write(tmp_path, {"mappings": [{"name": "all", "path": "/all", "group": group.uri, "security": "none", "leisure": 1}]})
    with Directory(group) as directory:
        ran = discover(file, "--seconds", 20)
        found = document(file, "--seconds", 20)
    assert "/rd-lookup/ep" in directory.asked
    entries = {entry["name"]: entry for entry in found["entries"]}
    assert entries["floor3"]["base"] == "coap://239.3.3.3" and entries["floor3"]["is_group"]
    assert not entries["node-1"]["is_group"] and not entries["node-1"]["may_be_fetched"]
    assert [(one["name"], one["application"]) for one in found["security_groups"]] == [("sec1", "floor4")]
    assert re.search("^ +sec1 +join at coap://127.1.0.77/ace-group/sec1, for floor4, says 127.1.0.77", ran.stdout, re.M)
    assert "hkdf=5 gp_enc_alg=10" in ran.stdout and re.search("^ +floor3 +group +coap://239.3.3.3 ", ran.stdout, re.M)
    mappings = pasted(ran.stdout)["mappings"]
    assert {mapping["name"]: mapping["group"] for mapping in mappings} == {"temp": f"{group.uri}/t", "floor3": "coap://239.3.3.3/"}
    assert_taken(file, tmp_path, mappings)
    assert "\x1b" not in ran.stdout and "\x07" not in ran.stdout and "?[31mred?" in ran.stdout


def test_hostile_links(group, tmp_path):
    """What is no list of links is said to be none, and what came before it is shown."""
    links = '</a>;rt=x,<coap://user@127.0.0.1/>;rt=y,<javascript:alert(1)>;rt=z,</b>;rt="' + "q" * 400 + '",</c>;broken="'
    file = write(tmp_path, {"mappings": [{"name": "all", "path": "/all", "group": group.uri, "security": "none", "leisure": 1}]})
    with Directory(group, links):
        found = document(file, "--seconds", 20)
        text = discover(file, "--seconds", 20).stdout
    assert found["nodes"][0]["state"] == "unreadable"
    assert [link["target"] for link in found["nodes"][0]["links"]][:3] == ["/a", "coap://user@127.0.0.1/", "javascript:alert(1)"]
    assert "(what follows there is no list of links)" in text
    assert {mapping["group"] for mapping in pasted(text)["mappings"]} == {f"{group.uri}/a", f"{group.uri}/b"}


@in_namespace
@pytest.mark.skipif(LIBCOAP is None, reason="libcoap's server is not installed")
def test_libcoap(tmp_path):
    """A server that was not written here, and all CoAP nodes of the link."""
    server = Program([LIBCOAP, "-A", "0.0.0.0", "-g", "224.0.1.187", "-G", "lo"], tmp_path / "server.log", stdout=subprocess.DEVNULL)
    try:
        file = write(tmp_path, {"group": {"interface": "lo"}})
        wait_for(lambda: ":1633 " in Path("/proc/thread-self/net/udp").read_text())
        found = document(file, "coap://224.0.1.187", "--seconds", 20)
        links = {link["target"]: link for node in found["nodes"] for link in node["links"]}
        assert links["/time"]["rt"] == ["ticks"] and links["/time"]["if"] == ["clock"]
        text = discover(file, "coap://224.0.1.187", "--seconds", 20).stdout
        assert "Internal Clock" in text and "\"group\": \"coap://224.0.1.187/time\"" in text
        assert_taken(file, tmp_path, pasted(text)["mappings"])
    finally:
        server.stop(signal.SIGKILL)
