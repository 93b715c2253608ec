"""axe-core, which finds what a page keeps from people with screen readers and others. It is no part of the program: run-tests fetches it
once, from npm's registry, by its hash, into the build folder (`tests/e2e/axe.py` by hand), since tests themselves have no network."""

import base64
import hashlib
import io
import os
import sys
import tarfile
import urllib.request
from pathlib import Path

VERSION = "4.14.1"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
ADDRESS = f"https://registry.npmjs.org/axe-core/-/axe-core-{VERSION}.tgz"
TOP = Path(__file__).resolve().parents[2]
FILE = Path(os.environ.get("CASTGATE_BUILD", TOP / "build")) / f"axe-core-{VERSION}.js"


def fetch():
    with urllib.request.urlopen(ADDRESS, timeout=60) as reply:
        package = reply.read()
    if base64.b64encode(hashlib.sha512(package).digest()).decode() != SHA512:
        sys.exit(f"{ADDRESS} is not what it was")
    with tarfile.open(fileobj=io.BytesIO(package)) as files:
        text = files.extractfile("package/axe.min.js").read()
    beside = FILE.with_suffix(".part")
    beside.write_bytes(text)
    beside.rename(FILE)


def violations(page, **options):
    """What it finds on the page as it stands, each as one line."""
    assert FILE.exists(), f"{FILE} is not there: tests/e2e/axe.py fetches it, which needs the network"
    if not page.run("return 'axe' in window"):
        page.run(FILE.read_text())
    found = page.browser.execute_async_script("""
        const [options, done] = arguments;
        axe.run(document, {resultTypes: ["violations"], ...options}).then(
            ({violations}) => done(violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(" ")} ${node.failureSummary}`))),
            (error) => done([String(error)]));""", options)
    return found


if __name__ == "__main__" and not FILE.exists():
    fetch()
