"""What `cmake --install` puts where: everything follows the prefix, and each file finds the others there."""

import os
import re
import shutil
import subprocess

import pytest

from conftest import BUILD
from documents import Reader, blocks, shows


def install(prefix, root=None):
    """Into `root`, as if that were /; without one into the prefix itself."""
    environment = {**os.environ, **({"DESTDIR": str(root)} if root else {})}
    subprocess.run(["cmake", "--install", str(BUILD), "--prefix", str(prefix)], env=environment, check=True, capture_output=True)


def values(text, key):
    return re.findall(rf"^{key}=(.*)$", text, re.M)


@pytest.mark.parametrize("prefix", ["/usr", "/opt/x"])
def test_unit_follows_the_prefix(tmp_path, prefix):
    install(prefix, tmp_path)
    unit = (tmp_path / prefix[1:] / "lib/systemd/system/castgate.service").read_text()
    (program,) = (line.split()[0] for line in values(unit, "ExecStart"))
    assert program == f"{prefix}/bin/castgate" and os.access(tmp_path / program[1:], os.X_OK)
    (document,) = values(unit, "Documentation")
    assert document.startswith("file:///") and (tmp_path / document[8:]).is_file()
    assert "@CASTGATE" not in unit


@pytest.mark.parametrize("prefix", ["/usr", "/opt/x"])
def test_pkg_config_follows_the_prefix(tmp_path, prefix):
    install(prefix, tmp_path)
    text = (tmp_path / prefix[1:] / "share/pkgconfig/castgate-plugin.pc").read_text()
    places = {key: values(text, key)[0] for key in ("includedir", "plugindir", "exampledir")}
    assert all(place.startswith(prefix + "/") for place in places.values())
    assert (tmp_path / places["includedir"][1:] / "castgate/plugin.h").is_file()
    assert (tmp_path / places["exampledir"][1:] / "example.c").is_file()
    assert (tmp_path / places["plugindir"][1:]).is_dir()


def test_links_of_installed_pages(tmp_path):
    """They lead to what is installed, but for what only the sources have, as its line says."""
    install("/usr", tmp_path)
    pages = list((tmp_path / "usr/share/doc/castgate").rglob("*.md"))
    links = [(page, line, link) for page in pages for line in page.read_text().splitlines() for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", line)]
    assert {link for _, _, link in links} >= {"conf/README.md", "../packaging/README.md", "deployment.md"}
    assert [(page.name, link) for page, line, link in links if not (page.parent / link).exists() and "sources" not in line] == []


def test_systemd_takes_the_unit(tmp_path):
    """It also looks whether the programs are there."""
    install(tmp_path / "castgate")
    unit = tmp_path / "castgate/lib/systemd/system/castgate.service"
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert "castgate" not in done.stdout + done.stderr and done.returncode == 0, done.stderr
    (tmp_path / "castgate/bin/castgate").unlink()
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "is not executable" in done.stderr


def test_systemd_makes_the_user(tmp_path):
    install("/usr", tmp_path)
    (tmp_path / "etc").mkdir(exist_ok=True)
    subprocess.run(["systemd-sysusers", f"--root={tmp_path}"], check=True, capture_output=True, timeout=60)
    users = (tmp_path / "etc/passwd").read_text()
    assert re.search(r"^castgate:x:\d+:\d+:[^:]*:/var/lib/castgate:\S*nologin$", users, re.M), users


@pytest.fixture
def plugin_author(tmp_path):
    install(tmp_path / "installed")
    reader = Reader(tmp_path, PKG_CONFIG_PATH=str(tmp_path / "installed/share/pkgconfig"))
    yield reader
    shutil.rmtree(tmp_path / "installed")


@pytest.mark.skipif(os.geteuid() != 0, reason="a plugin must not belong to the user that the gateway runs as")
def test_plugin_tutorial(plugin_author, tmp_path):
    """To the letter, with installed files alone: copied, built, shown by run-demo, installed."""
    document = blocks("plugins/example/README.md", "sh", "console")
    ran = plugin_author.type("".join(block.commands for block in document))
    assert ran.status == 0, ran.output
    (console,) = (block for block in document if block.language == "console")
    assert shows(ran.output, console.output) is None, ran.output
    assert (tmp_path / "installed/lib/castgate/csv.so").is_file()


@pytest.mark.skipif(os.geteuid() != 0, reason="a plugin must not belong to the user that the gateway runs as")
@pytest.mark.parametrize("text, why", [("int castgate;", "no symbol castgate_plugin"), (None, "no file")])
def test_demo_says_why_a_plugin_is_not_loaded(plugin_author, tmp_path, text, why):
    if text is not None:
        (tmp_path / "odd.c").write_text(text)
        subprocess.run(["gcc", "-shared", "-fPIC", "-o", tmp_path / "odd.so", tmp_path / "odd.c"], check=True)
    ran = plugin_author.type("~/castgate/run-demo --once --plugin odd.so")
    assert ran.status == 1 and why in ran.output, ran.output
