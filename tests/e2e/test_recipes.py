"""The recipes, word for word: with the program where Debian has it, else the request that it would make."""

import hashlib
import json
import re
import subprocess

import pytest
import yaml

from conftest import Program, in_namespace, plain_mapping
from documents import blocks
from probe import wait_for

NAME = "castgate.example"
TOKEN = "0123456789abcdef"
AUTHORIZATION = {"Authorization": f"Bearer {TOKEN}"}


def block(page, language):
    return blocks(f"docs/recipes/{page}.md", language)[0].text


@pytest.fixture
def floor3(gateway, members):
    """floor3(settings): the mapping of the recipes, at the address that they use."""

    def start(settings=None):
        one = gateway({"http": {"listen": ["127.0.0.1:8080"]}, "admin": {"listen": ["127.0.0.1:8081"]},
                       "clients": {"dashboard": {"token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest()}},
                       "mappings": [plain_mapping(members(3), "floor3", timeout=5, unsafe_methods=True, clients=["dashboard"])],
                       **(settings or {})})
        wait_for(lambda: one.request("/readyz", to=one.admin).status == 200)
        return one

    return start


@pytest.fixture
def certificate(tmp_path):
    """Where the recipes' /etc/ssl is."""
    key, crt = tmp_path / "castgate.key", tmp_path / "castgate.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={NAME}",
                    "-addext", f"subjectAltName=DNS:{NAME}", "-keyout", key, "-out", crt], check=True, capture_output=True)
    (tmp_path / "castgate.pem").write_text(crt.read_text() + key.read_text())
    return tmp_path


@pytest.fixture
def proxy(tmp_path):
    """proxy(arguments): starts one and ends it."""
    started = []

    def start(*arguments):
        started.append(Program(arguments, tmp_path / "proxy.log"))

    yield start
    for one in started:
        one.stop()


def curl(certificate, *arguments):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--cacert", certificate / "castgate.crt", "--resolve", f"{NAME}:443:127.0.0.1",
                           "--retry", "20", "--retry-connrefused", "--retry-delay", "1", "-H", f"Authorization: Bearer {TOKEN}", *arguments],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def check_proxied(certificate, page):
    """What the page has people type gets what it would get without the proxy."""
    commands = re.findall(r"^curl .*$", block(page, "sh"), re.M)
    assert commands
    for command in commands:
        more = re.findall(r"-H '([^']*)'", command)
        reply = curl(certificate, "-i", *(word for header in more for word in ("-H", header)), command.split()[-1])
        assert reply.startswith(("HTTP/1.1 200", "HTTP/2 200")), reply
        if "event-stream" in command:
            assert reply.count("event: answer") == 3 and "event: summary" in reply
        else:
            assert re.search("castgate-summary: answered=3,", reply, re.I), reply


@in_namespace
def test_nginx(floor3, proxy, certificate, tmp_path):
    floor3(json.loads(block("nginx", "json")))
    server = block("nginx", "nginx").replace("/etc/ssl", str(certificate))
    (tmp_path / "nginx.conf").write_text(f"""daemon off; pid {tmp_path}/nginx.pid; error_log stderr; user root; events {{}}
        http {{ access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
        uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s; {server} }}""")
    proxy("nginx", "-c", tmp_path / "nginx.conf", "-p", tmp_path)
    check_proxied(certificate, "nginx")


@in_namespace
def test_haproxy(floor3, proxy, certificate, tmp_path):
    gate = floor3(json.loads(block("haproxy", "json")))
    (tmp_path / "haproxy.cfg").write_text("global\n    maxconn 100\n\n" + block("haproxy", "haproxy").replace("/etc/ssl", str(certificate)))
    proxy("haproxy", "-f", tmp_path / "haproxy.cfg")
    check_proxied(certificate, "haproxy")
    assert gate.stop() == 0
    wait_for(lambda: "503" in curl(certificate, "--retry", "0", "-o", tmp_path / "body", "-w", "%{http_code}", f"https://{NAME}/floor3/status"))


class HomeAssistant(yaml.SafeLoader):
    """Its YAML has references to secrets.yaml."""


SECRETS = {key: value.replace("TOKEN", TOKEN) for key, value in yaml.safe_load(blocks("docs/recipes/home-assistant.md", "yaml")[1].text).items()}
HomeAssistant.add_constructor("!secret", lambda loader, node: SECRETS[loader.construct_scalar(node)])


def path_of(url):
    assert url.startswith("http://127.0.0.1:8080/")
    return url.removeprefix("http://127.0.0.1:8080")


@in_namespace
def test_home_assistant(floor3):
    """The settings parse, and what rest_command and the sensor make of them switches and counts."""
    gate = floor3()
    settings = yaml.load(block("home-assistant", "yaml"), HomeAssistant)
    action = yaml.safe_load(blocks("docs/recipes/home-assistant.md", "yaml")[2].text)["actions"][0]
    command = settings["rest_command"][action["action"].removeprefix("rest_command.")]
    body = command["payload"].replace("{{ state }}", action["data"]["state"])
    done = gate.request(path_of(command["url"]), command["method"].upper(), {**command["headers"], "Content-Type": command["content_type"]}, body.encode())
    assert done.status == 200 and done.summary["answered"] == 3
    sensor = settings["sensor"][0]
    assert sensor["value_template"] == "{{ value_json.summary.answered }}"
    found = gate.request(path_of(sensor["resource"]), headers=sensor["headers"]).json()
    assert found["summary"]["answered"] == 3 and set(sensor["json_attributes"]) <= set(found)
    assert [one["body"] for one in gate.get_json("/floor3/light", headers=AUTHORIZATION)["answers"]] == ["on"] * 3


@in_namespace
def test_node_red(floor3):
    """The flow is whole, and its request does what it is for; tests/long has Node-RED itself do it."""
    gate = floor3()
    nodes = {node["id"]: node for node in json.loads(block("node-red", "json"))}
    assert all(wire in nodes for node in nodes.values() for wires in node.get("wires", []) for wire in wires)
    headers = json.loads(re.search(r"msg\.headers = (\{.*?\});", nodes["castgate-head"]["func"]).group(1)
                         .replace("'Bearer ' + env.get('CASTGATE_TOKEN')", f"'Bearer {TOKEN}'").replace("'", '"'))
    put = nodes["castgate-put"]
    done = gate.request(path_of(put["url"]), put["method"], headers, nodes["castgate-on"]["payload"].encode())
    assert done.status == 200 and done.json()["summary"]["answered"] == 3
    assert [one["body"] for one in gate.get_json("/floor3/light", headers=AUTHORIZATION)["answers"]] == ["on"] * 3
