"""Prometheus' rules and Grafana's board (conf/): they are valid, fire when they should, and ask for nothing that there is not."""

import json
import re
import shutil
import subprocess
import time

import pki
import pytest
from conftest import TOP, free_tcp_port, plain_mapping

RULES, BOARD = TOP / "conf/prometheus/castgate.rules.yml", TOP / "conf/grafana/castgate.json"


def promtool(*arguments):
    program = shutil.which("promtool")
    assert program, "no promtool: conf/debian-packages names what the tests need"
    return subprocess.run([program, *arguments], cwd=RULES.parent, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("arguments", [("check", "rules", "castgate.rules.yml"), ("test", "rules", "castgate.rules.test.yml")])
def test_promtool_likes_the_rules(arguments):
    done = promtool(*arguments)
    assert done.returncode == 0 and "SUCCESS" in done.stdout, done.stdout + done.stderr


def scrape(gate):
    reply = gate.request("/metrics", to=gate.admin)
    assert reply.status == 200
    return reply.body.decode()


def asked_for(text):
    """Names of series, without those that the rules themselves record."""
    return {re.sub("_(bucket|sum|count)$", "", name) for name in re.findall(r"\bcastgate_[a-z_]+", text)}


def test_rules_and_board_ask_for_what_there_is(gateway, members):
    gate = gateway({"mappings": [plain_mapping(members(1))]})
    assert gate.request("/lights/status").status == 200
    there = set(re.findall(r"^# TYPE (castgate_[a-z_]+)", scrape(gate), re.MULTILINE))
    board = " ".join(target["expr"] for panel in json.loads(BOARD.read_text())["panels"] for target in panel["targets"])
    expressions = " ".join(re.findall(r"expr: (.*?)(?=\n *(?:for|labels|- |$))", RULES.read_text(), re.DOTALL))
    assert asked_for(board) and asked_for(expressions)
    assert asked_for(board) - there == set() and asked_for(expressions) - there == set()
    records = set(re.findall(r"record: (\S+)", RULES.read_text()))
    assert set(re.findall(r"\bcastgate:[a-z0-9:]+", board)) <= records


def test_the_clock_is_told(gateway, members):
    gate = gateway({"mappings": [plain_mapping(members(1))]})
    before = int(time.time())
    told = int(re.search(r"^castgate_clock_seconds (\d+)$", scrape(gate), re.MULTILINE)[1])
    assert before <= told <= time.time()


def test_a_certificates_end_is_told(gateway, members, tmp_path):
    """Before it comes: a year ahead nobody is warned yet."""
    certificate, key = pki.Authority(tmp_path / "ca").issue("server", "serverAuth", seconds=400 * 86400)
    own = {"certificate": str(certificate), "key": str(key)}
    gate = gateway({"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"], "tls": own}, "mappings": [plain_mapping(members(1))],
                    "credentials": {"far": {**own, "ca": str(certificate)}}})
    told = re.findall(r"^castgate_certificate_expires_seconds(\S*) (\d+)$", scrape(gate), re.MULTILINE)
    assert [labels for labels, _ in told] == ['{listener="http"}', '{credentials="far"}']
    assert all(abs(int(end) - time.time() - 400 * 86400) < 3600 for _, end in told)
