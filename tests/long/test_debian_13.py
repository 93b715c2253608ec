"""With Debian 13's compilers and libraries (libmicrohttpd 1.0, OpenSSL 3.5, libuv 1.50, GnuTLS 3.8, libcurl 8.14; as peers libcoap 4.3.4, Python
3.13): castgate builds there without a warning, unit tests and corpora pass under the sanitizers, and so do the end to end tests that lean on a
library or on the system. CASTGATE_E2E has others to be run instead, as pytest takes them: `CASTGATE_E2E=tests/e2e` is all."""

import os
import shutil

import pytest

from roots import build_packages, cached
from sources import take_sources

E2E = os.environ.get("CASTGATE_E2E", " ".join(f"tests/e2e/test_{name}.py" for name in (
    "http_status hostile_http sse browser tls openapi "     # libmicrohttpd, GnuTLS
    "coap_dtls coap_observe interop protected keys "        # OpenSSL, libsodium, libcoap as a peer
    "life store kill names ctl "                            # libuv, SQLite, libcurl
    "install sbom service system page_axe page_mappings").split()))  # cmake, systemd, Chromium

UNITS = r"""
one() { timeout 600 "$@" >"/tmp/$$" 2>&1 || { echo "FAIL $1"; tail -n 50 "/tmp/$$"; exit 1; }; }
export -f one
find /build/tests/unit -maxdepth 1 -type f -executable -print0 | sort -z | xargs -0 -P "$(nproc)" -I {} bash -c 'one {}'
find /build/tests/fuzz -maxdepth 1 -name 'replay_*' -printf '%f\0' | sort -z |
    xargs -0 -P "$(nproc)" -I {} bash -c 'name={}; one /build/tests/fuzz/$name /src/tests/fuzz/corpus/${name#replay_}'
"""

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can have another system in a folder")


class Debian13:
    """The root with sources of its own, to be built in; what is written elsewhere is lost with it."""

    def __init__(self, folder):
        self.root = cached("trixie", *build_packages("tests"))
        self.binds = {inside: folder / inside.strip("/") for inside in ("/src", "/build", "/tmp", "/root", "/run")}
        for outside in self.binds.values():
            outside.mkdir()
        take_sources(self.binds["/src"])

    def run(self, *command, **more):
        return self.root.run(*command, binds=self.binds, folder="/src", timeout=7200, **more)


@pytest.fixture(scope="module")
def debian_13(tmp_path_factory):
    folder = tmp_path_factory.mktemp("debian-13")
    yield Debian13(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_it_builds_without_a_warning(debian_13, compiler):
    build = f"/tmp/release-{compiler}"
    debian_13.run("cmake", "--preset", f"{compiler}-release", "-B", build, "-DCASTGATE_TESTS=OFF", "-DCASTGATE_BENCH=OFF")
    debian_13.run("cmake", "--build", build)


def test_unit_tests_and_corpora_pass(debian_13):
    debian_13.run("cmake", "--preset", "gcc-debug", "-B", "/build")
    debian_13.run("cmake", "--build", "/build")
    debian_13.run("bash", "-euo", "pipefail", "-c", UNITS)


def test_end_to_end_tests_pass(debian_13):
    """Against an optimised build, as ./run-tests has it, where documents look for it."""
    debian_13.run("cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DCASTGATE_WERROR=ON")
    debian_13.run("cmake", "--build", "build")
    debian_13.run("python3", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "4", "--tb", "short", *E2E.split())
