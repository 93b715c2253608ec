"""aiocoap, as its repository has it: its servers are watched and found, its client watches, and its Resource Directory is asked."""

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

import coap
from conftest import BUILD, Group, free_tcp_port, free_udp_port, in_namespace, plain_mapping
from links import new_lan  # noqa: F401, the fixture
from oscore import Context
from probe import Tap, metrics, running, wait_for
from protected import Keys
from test_discover import assert_taken, discover, document, pasted, write
from test_observe import Watch

SOURCE = os.environ.get("CASTGATE_AIOCOAP", "https://github.com/chrysn/aiocoap")
RELEASE, COMMIT = "0.4.17", "b47f6882e6b3518fbcd040a3400589e17dd59d8f"
NODE = Path(__file__).with_name("aiocoap_node.py")
CLIENT = Path(__file__).parent.parent / "interop" / "aiocoap_client.py"
GROUP = "coap://224.0.1.187"
COUNT = 3
LINKS = 63  # of a node: 60 shelves, the light, the list itself, and who made it

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture(scope="session")
def aiocoap(tmp_path_factory):
    """The checkout. What is fetched is hashed by git on its way, so that the commit's name vouches for all of it."""
    folder = tmp_path_factory.mktemp("aiocoap")

    def git(*words):
        return subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, text=True, timeout=600).stdout.strip()

    git("init", "-q")
    git("fetch", "-q", "--depth", "1", f"file://{SOURCE}" if SOURCE.startswith("/") else SOURCE, f"refs/tags/{RELEASE}")
    assert git("rev-parse", "FETCH_HEAD^{commit}") == COMMIT
    git("checkout", "-q", COMMIT)
    assert git("status", "--porcelain") == ""
    return folder


@pytest.fixture
def python(aiocoap):
    """python(words): a command line with the checkout, and with nothing but UDP and OSCORE whatever else is installed."""
    return lambda *words: ["env", f"PYTHONPATH={aiocoap}", "PYTHONDONTWRITEBYTECODE=1", "AIOCOAP_SERVER_TRANSPORT=udp6",
                           "AIOCOAP_CLIENT_TRANSPORT=oscore:udp6", sys.executable, *words]


@pytest.fixture
def nodes(python, new_lan, tmp_path):  # noqa: F811
    """nodes(count): hosts with a server of aiocoap each; the link and their addresses."""

    def start(count=COUNT):
        lan = new_lan()
        with open(tmp_path / "nodes.log", "wb") as log:
            ips = [lan.host(python(NODE, "serve"), stderr=log) for _ in range(count)]
        for ip in ips:
            wait_for(lambda: ask(ip, "/light"))
        return lan, ips

    return start


def ask(ip, path, *arguments, **more):
    with coap.Endpoint("10.9.0.254", interface="br0") as endpoint:
        return endpoint.request((ip, 5683), path, *arguments, timeout=0.5, **more)


def put(ip, value):
    assert ask(ip, "/light", coap.PUT, payload=value.encode()).code_text == "2.04"


def settings(ips, **more):
    return {"coap": {"listen": [f"coap://127.0.0.1:{free_udp_port()}"]}, "group": {"interface": "br0", "nstart": 10, "probing_rate": 100000},
            "mappings": [{"name": "lights", "path": "/lights", "group": GROUP, "security": "none", "timeout": 3, "finish": "all",
                          "membership": "complete", "members": [f"{ip}:5683" for ip in ips], "clients": ["anonymous"], **more}]}


def registrations(tap):
    return [order for order in (packet.message.uint(coap.OBSERVE) for packet in tap.packets()) if order is not None]


@in_namespace
def test_its_servers_are_watched_over_http(nodes, gateway):
    """R39: changes arrive, also after the observation was renewed, which makes aiocoap count from 0 again."""
    _, ips = nodes()
    with Tap(Group("224.0.1.187", 5683), interface="br0") as tap:
        gate = gateway(settings(ips))
        watch = Watch(gate, "/lights/light").until_latest("off", "off", "off")
        assert watch.headers["preference-applied"] == "observe"
        for value in ("on", "dim", "bright"):
            put(ips[1], value)
            watch.until_latest("off", value, "off")
        assert watch.heard[-1]["member"] == f"{ips[1]}:5683" and all(answer["notification"] for answer in watch.heard)
        wait_for(lambda: len(registrations(tap)) >= 2, timeout=40)  # Max-Age is over
        watch.until(lambda w: len(w.heard) == 9)  # each says the same, by a number that it has had
        for ip, value in (ips[1], "off"), (ips[0], "on"), (ips[1], "on"):
            put(ip, value)
            watch.until(lambda w: w.latest[f"{ip}:5683"] == value, seconds=5)
        watch.close()
        wait_for(lambda: registrations(tap)[-1] == 1)
    wait_for(lambda: running(gate) == 0)


class Client:
    """aiocoap's client, which observes until it is told to cancel."""

    def __init__(self, command, log):
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen(command, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr)
        self.heard = []

    def until(self, what, seconds=20):
        end = time.monotonic() + seconds
        while not what(self.heard):
            assert select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0], self.heard
            line = self.process.stdout.readline()
            assert line, self.heard
            self.heard.append(json.loads(line))
        return self

    def until_latest(self, *values):
        def latest(heard):
            return sorted({answer["reply_from"][0]: answer["body"] for answer in heard}.values())
        return self.until(lambda heard: latest(heard) == sorted(values))

    def cancel(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def client(python, tmp_path):
    """client(uri, seconds): aiocoap's client; gone at the end of the test."""
    started = []

    def start(uri, *seconds):
        started.append(Client(python(NODE, "watch", uri, *map(str, seconds)), tmp_path / f"client{len(started)}.log"))
        return started[-1]

    yield start
    for one in started:
        one.close()


@in_namespace
def test_its_client_watches_a_group(nodes, client, gateway):
    """It takes what comes of all on its one token, in the order of the gateway's numbers. It cancels by forgetting (RFC 7641 §3.6)
    and lets what is Non-confirmable pass without a Reset; the other client is told on."""
    _, ips = nodes()
    gate = gateway(settings(ips))
    uri = f"coap://127.0.0.1:{gate.coap[1]}/lights/light"
    with Tap(Group("224.0.1.187", 5683), interface="br0") as tap:
        one = client(uri, 3).until_latest("off", "off", "off")
        other = client(uri, 3).until_latest("off", "off", "off")
        assert registrations(tap).count(0) == 1
        for value in ("on", "dim"):
            put(ips[0], value)
            for each in one, other:
                each.until_latest(value, "off", "off")
        orders = [answer["observe"] for answer in one.heard]
        assert orders == sorted(set(orders)) and {answer["code"] for answer in one.heard} == {"2.05"}
        one.cancel()
        time.sleep(1)
        put(ips[0], "on")
        other.until_latest("on", "off", "off")
        assert not select.select([one.process.stdout], [], [], 1)[0]


@in_namespace
def test_its_client_watches_one_server(nodes, client, gateway):
    _, ips = nodes()
    gate = gateway(settings(ips, stand_in="members"))
    one = client(f"coap://127.0.0.1:{gate.coap[1]}/lights/.member/{ips[1]}:5683/light").until(lambda heard: heard)
    for value in ("on", "dim"):
        put(ips[0], "something else")
        put(ips[1], value)
        one.until(lambda heard: heard[-1]["body"] == value)
    assert [answer["body"] for answer in one.heard] == ["off", "on", "dim"]
    assert not any(answer["reply_from"] for answer in one.heard)


def test_its_client_by_tcp(members, gateway, aiocoap):
    port = free_tcp_port()
    gateway({"coap": {"listen": [f"coap+tcp://127.0.0.1:{port}"]}, "group": {"interface": "lo"},
             "mappings": [plain_mapping(members(COUNT), aggregate=True)]})
    command = ["env", f"PYTHONPATH={aiocoap}", "PYTHONDONTWRITEBYTECODE=1", sys.executable, CLIENT, f"coap+tcp://127.0.0.1:{port}/lights"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.fixture
def shielded(gateway, tmp_path):
    """shielded(URI of a listener, mappings, …): a gateway with a client that protects its requests for it, and that client's credentials."""

    def start(listener, mappings, **more):
        context, state, folder = Context(), tmp_path / "state", tmp_path / "context"
        file, credentials = context.write(tmp_path / "d.oscore.json"), tmp_path / "credentials.json"
        folder.mkdir()
        (folder / "settings.json").write_text(json.dumps({"secret_hex": context.secret.hex(), "salt_hex": context.salt.hex(),
                                                          "sender-id_hex": context.client.hex(), "recipient-id_hex": context.gateway.hex()}))
        credentials.write_text(json.dumps({f"{listener}/*": {"oscore": {"basedir": str(folder)}}}))
        (tmp_path / "state.json").write_text(json.dumps({"state": str(state)}))
        subprocess.run([BUILD / "castgate", "-c", tmp_path / "state.json", "--init-state"], check=True, timeout=60)
        Keys.run("claim", file, "--state", state)
        mappings = [{**mapping, "clients": ["d"]} for mapping in mappings]
        gate = gateway({"coap": {"listen": [listener]}, "state": str(state), "clients": {"d": {"oscore": str(file)}}, "mappings": mappings, **more})
        return gate, credentials

    return start


@pytest.mark.parametrize("scheme,free_port", [("coap", free_udp_port), ("coap+tcp", free_tcp_port)])
def test_its_client_protects_for_the_gateway(members, shielded, aiocoap, scheme, free_port):
    """What it meets first is the Echo that asks for a fresh request; errors are protected, too."""
    listener = f"{scheme}://127.0.0.1:{free_port()}"
    gate, credentials = shielded(listener, [plain_mapping(members(COUNT), aggregate=True)], group={"interface": "lo"})
    command = ["env", f"PYTHONPATH={aiocoap}", "PYTHONDONTWRITEBYTECODE=1", "AIOCOAP_CLIENT_TRANSPORT=oscore:tcpclient:udp6", sys.executable, CLIENT]
    ran = subprocess.run([*command, f"{listener}/lights", credentials], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count("by OSCORE") == 3
    assert (metrics(gate)["castgate_coap_oscore_opened_total"], metrics(gate)["castgate_coap_oscore_challenged_total"]) == (3, 1)


@in_namespace
def test_its_client_watches_a_group_under_oscore(nodes, client, shielded):
    """Each notification is under a number of its own, whichever member it is from."""
    _, ips = nodes()
    listener = f"coap://127.0.0.1:{free_udp_port()}"
    more = settings(ips)
    gate, credentials = shielded(listener, more["mappings"], group=more["group"])
    watcher = client(f"{listener}/lights/light", 3, credentials).until_latest("off", "off", "off")
    for value in ("on", "dim"):
        put(ips[0], value)
        watcher.until_latest(value, "off", "off")
    assert len(watcher.heard) == 5 and {answer["code"] for answer in watcher.heard} == {"2.05"}
    assert metrics(gate)["castgate_coap_oscore_opened_total"] == 1


@in_namespace
def test_its_servers_are_found(nodes, tmp_path):
    """R45: each has more links than a datagram has room for; what follows is fetched by unicast, in blocks."""
    _, ips = nodes()
    file = write(tmp_path, {"group": {"interface": "br0"}})
    found = document(file, GROUP, "--seconds", 30)
    assert {node["from"] for node in found["nodes"]} == {f"{ip}:5683" for ip in ips}
    for node in found["nodes"]:
        links = {link["target"]: link for link in node["links"]}
        assert (node["state"], len(links)) == ("whole", LINKS)
        assert links["/light"]["rt"] == ["light"] and links["/light"]["obs"] is True and links["/storage/shelf-59"]["rt"] == ["shelf"]
    assert found["summary"]["answered"] == COUNT
    mappings = pasted(discover(file, GROUP, "--seconds", 30).stdout)["mappings"]
    light = next(mapping for mapping in mappings if mapping["name"] == "light")
    assert light["group"] == f"{GROUP}/light" and sorted(light["members"]) == [f"{ip}:5683" for ip in ips]
    assert_taken(file, tmp_path, mappings)


@in_namespace
def test_its_resource_directory_is_asked(python, new_lan, tmp_path):  # noqa: F811
    """R46: its paths are none of the standard's examples. The command aiocoap-rd joins no group, so it is begun by our program."""
    with open(tmp_path / "rd.log", "wb") as log:
        rd = new_lan().host(python(NODE, "directory"), stderr=log)
    wait_for(lambda: ask(rd, "/.well-known/core"))
    for query in ("ep=shelves&base=coap://198.51.100.7", "ep=floor3&et=core.rd-group&base=coap://239.3.3.3"):
        options = [(coap.URI_PATH, b""), (coap.CONTENT_FORMAT, b"\x28"), *((coap.URI_QUERY, part.encode()) for part in query.split("&"))]
        assert ask(rd, "/resourcedirectory", coap.POST, options=options, payload=b"</light>;rt=light").code_text == "2.01"
    file = write(tmp_path, {"group": {"interface": "br0"}})
    found = document(file, GROUP, "--seconds", 30)
    entries = {entry["name"]: entry for entry in found["entries"]}
    assert entries["floor3"]["base"] == "coap://239.3.3.3" and entries["floor3"]["is_group"]
    assert entries["shelves"]["base"] == "coap://198.51.100.7" and not entries["shelves"]["is_group"]
    mappings = pasted(discover(file, GROUP, "--seconds", 30).stdout)["mappings"]
    assert "coap://239.3.3.3/" in {mapping["group"] for mapping in mappings}
    assert_taken(file, tmp_path, mappings)
