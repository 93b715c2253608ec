"""Node-RED, as npm has it, runs the recipe's flow. It is fetched once a run, and asked as its buttons are pressed."""

import os
import subprocess
import urllib.request

import pytest

from conftest import Program, in_namespace
from probe import wait_for
from test_recipes import AUTHORIZATION, TOKEN, block, floor3  # noqa: F401, the fixture

VERSION = "4.0.9"
PORT = 1880


@pytest.fixture
def node_red(tmp_path):
    """Its folder, with the flow and the token where the recipe has them."""
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", tmp_path, f"node-red@{VERSION}"], check=True, capture_output=True,
                   timeout=600)
    (tmp_path / "flows.json").write_text(block("node-red", "json"))
    return tmp_path


def press(button):
    with urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{PORT}/inject/{button}", method="POST"), timeout=10) as reply:
        return reply.status == 200


def can_press(button):
    try:
        return press(button)
    except OSError:
        return False


@in_namespace
def test_flow_switches_the_lights(node_red, floor3):  # noqa: F811
    gate = floor3()
    program = Program([node_red / "node_modules/.bin/node-red", "-u", node_red, "-p", PORT, node_red / "flows.json"], node_red / "log",
                      env={**os.environ, "CASTGATE_TOKEN": TOKEN}, stdout=subprocess.DEVNULL)

    def lights():
        return {one["body"] for one in gate.get_json("/floor3/light", headers=AUTHORIZATION)["answers"]}

    try:
        wait_for(lambda: can_press("castgate-on"), timeout=120, pause=0.5)
        wait_for(lambda: lights() == {"on"})
        press("castgate-off")
        wait_for(lambda: lights() == {"off"})
    finally:
        program.stop()
