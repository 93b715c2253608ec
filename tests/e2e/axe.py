"""axe-core, which finds what a page keeps from people with screen readers and others. It is no part of the program: vendor/ has it as
npm's package axe-core 4.14.1 does (axe.min.js, Mozilla Public License 2.0), so that tests need no network."""

import hashlib
from pathlib import Path

SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
TEXT = (Path(__file__).parent / "vendor/axe-core-4.14.1.min.js").read_bytes()


def violations(page, **options):
    """What it finds on the page as it stands, each as one line."""
    assert hashlib.sha256(TEXT).hexdigest() == SHA256, "axe-core is not what was published"
    if not page.run("return 'axe' in window"):
        page.run(TEXT.decode())
    found = page.browser.execute_async_script("""
        const [options, done] = arguments;
        axe.run(document, {resultTypes: ["violations"], ...options}).then(
            ({violations}) => done(violations.flatMap((one) => one.nodes.map((node) => `${one.id}: ${node.target.join(" ")} ${node.failureSummary}`))),
            (error) => done([String(error)]));""", options)
    return found
