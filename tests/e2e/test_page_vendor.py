"""The libraries of the admin page are those of their publishers, byte for byte, each with its licence."""

import hashlib
import json
import pathlib

import pytest

VENDOR = pathlib.Path(__file__).parents[2] / "web" / "vendor"
ROWS = json.loads((VENDOR / "vendor.json").read_text())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["file"])
def test_file_is_what_was_published(row):
    assert hashlib.sha256((VENDOR / row["file"]).read_bytes()).hexdigest() == row["sha256"]
    assert row["version"] in row["source"] and row["source"].startswith("https://registry.npmjs.org/")
    assert row["licence"] and all((VENDOR / name).stat().st_size > 500 for name in row["licence_files"])


def test_no_other_file_is_there():
    known = {row["file"] for row in ROWS} | {name for row in ROWS for name in row["licence_files"]} | {"vendor.json"}
    assert {path.name for path in VENDOR.iterdir()} == known
