"""What the Debian packages of this build consist of. Whether machines can live with them, tests/long/test_packages.py tries."""

import re
import subprocess

import pytest

from conftest import BUILD


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """{name: .deb}, made quickly: neither stripped nor compressed; by somebody whose files are for nobody else."""
    folder = tmp_path_factory.mktemp("packages")
    quick = ["-D", "CPACK_DEBIAN_COMPRESSION_TYPE=none", "-D", "CPACK_STRIP_FILES=OFF"]
    done = subprocess.run(["cpack", "-G", "DEB", "-B", str(folder), *quick], cwd=BUILD, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, umask=0o077)
    assert done.returncode == 0, done.stdout
    return {file.name.partition("_")[0]: file for file in folder.glob("*.deb")}


def dpkg_deb(*arguments):
    return subprocess.run(["dpkg-deb", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=60).stdout


def listed(package):
    """{path: (mode, owner)}, without folders."""
    lines = (line.split(maxsplit=5) for line in dpkg_deb("-c", package).splitlines())
    return {path.removeprefix("."): (mode, owner) for mode, owner, _, _, _, path in lines if not mode.startswith("d")}


def test_files(packages):
    assert set(packages) == {"castgate", "castgate-dev"}
    runtime, dev = listed(packages["castgate"]), listed(packages["castgate-dev"])
    programs = {path for path in runtime if path.startswith("/usr/bin/")}
    assert programs == {"/usr/bin/castgate", "/usr/bin/castgate-keys", "/usr/bin/castgate-member", "/usr/bin/castgatectl"}
    for path, what in {**runtime, **dev}.items():
        assert what == ("-rwxr-xr-x" if path in programs else "-rw-r--r--", "root/root"), (path, what)
    assert {path for path in runtime if not path.startswith("/usr/")} == {"/etc/castgate/castgate.json"}
    assert {"/usr/lib/systemd/system/castgate.service", "/usr/lib/sysusers.d/castgate.conf", "/usr/lib/sysctl.d/10-castgate.conf"} <= set(runtime)
    assert {"/usr/include/castgate/plugin.h", "/usr/share/pkgconfig/castgate-plugin.pc", "/usr/share/castgate/example/example.c"} <= set(dev)
    assert not set(runtime) & set(dev)


@pytest.mark.parametrize("package", ["castgate", "castgate-dev"])
def test_what_debian_expects(packages, package):
    files = listed(packages[package])
    documents = f"/usr/share/doc/{package}"
    assert {f"{documents}/copyright", f"{documents}/changelog.gz", f"{documents}/changelog.Debian.gz"} <= set(files)
    assert {line.split()[0] for line in dpkg_deb("-c", packages[package]).splitlines() if line.startswith("d")} == {"drwxr-xr-x"}
    assert not [path for path in files if "/man/" in path and not path.endswith(".gz")]
    version = dpkg_deb("-f", packages[package], "Version").strip()
    assert re.fullmatch(r"0\.1\.0-1(\+deb\d+)?", version)
    sums = dpkg_deb("--info", packages[package], "md5sums")
    assert {"/" + line.split(maxsplit=1)[1] for line in sums.splitlines()} == set(files)


def test_scripts(packages, tmp_path):
    dpkg_deb("-e", packages["castgate"], tmp_path)
    scripts = {"postinst", "prerm", "postrm"}
    assert {file.name for file in tmp_path.iterdir()} == {"control", "conffiles", "md5sums", *scripts}
    for script in scripts:
        subprocess.run(["dash", "-n", tmp_path / script], check=True)
        assert (tmp_path / script).read_text().startswith("#!/bin/sh\n")
    assert (tmp_path / "conffiles").read_text() == "/etc/castgate/castgate.json\n"
