"""The document that describes the admin side, as it is served, has nothing that Redocly's lint warns of. npm fetches that once a run, as
redocly/package-lock.json pins it: by version and integrity."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

PINNED = Path(__file__).with_name("redocly")


@pytest.fixture
def lint(tmp_path):
    for file in PINNED.iterdir():
        shutil.copy(file, tmp_path)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=tmp_path, check=True, capture_output=True, timeout=600)

    def run(document):
        (tmp_path / "openapi.json").write_bytes(document)
        return subprocess.run(["node_modules/.bin/redocly", "lint", "openapi.json", "--format=json"], cwd=tmp_path, capture_output=True,
                              text=True, timeout=300, env={**os.environ, "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"})

    return run


def test_nothing_of_the_document_is_warned_of(gateway, lint):
    gate = gateway({})
    result = lint(gate.request("/admin/v1/openapi.json", to=gate.admin).body)
    assert result.stdout, result.stderr
    found = json.loads(result.stdout)
    assert found["problems"] == [] and result.returncode == 0, json.dumps(found["problems"], indent=1)


def test_what_is_wrong_is_found(gateway, lint):
    gate = gateway({})
    document = json.loads(gate.request("/admin/v1/openapi.json", to=gate.admin).body)
    document.pop("info")
    assert json.loads(lint(json.dumps(document).encode()).stdout)["totals"]["errors"] == 1
