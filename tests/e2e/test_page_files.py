"""The page's files, as the program serves what stands in web/: every one, in both forms, and never more than a slow line
takes at once."""

import gzip
import hashlib
import re

import pytest

from conftest import TOP

WEB = TOP / "web"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
         ".mjs": "text/javascript; charset=utf-8", ".svg": "image/svg+xml", ".png": "image/png",
         ".ico": "image/vnd.microsoft.icon"}
TRANSFERRED_MAX = 150_000  # bytes
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'")


def files():
    found = sorted(path for path in WEB.rglob("*") if path.suffix in TYPES and path.is_file())
    return [path for path in found if not {"test", "tests", "node_modules"} & set(path.relative_to(WEB).parts)]


def served(file):
    """As it stands, but for what comments had lines of their own, which are empty then."""
    if file.suffix not in (".js", ".css") or "vendor" in file.parts:
        return file.read_bytes()
    return re.sub(rb"^ *//.*$|^ */\*.*\*/$", b"", file.read_bytes(), flags=re.MULTILINE)


def ask(gate, path, method="GET", **fields):
    headers = {name.replace("_", "-"): value for name, value in fields.items()}
    return gate.request(path, method, headers, to=gate.admin)


@pytest.fixture
def gate(gateway):
    return gateway({"group": {"interface": "lo"}, "mappings": []})


def test_every_file_is_served_as_it_stands(gate):
    assert WEB / "index.html" in files()
    for file in files():
        path = f"/{file.relative_to(WEB)}"
        plain, packed = ask(gate, path), ask(gate, path, Accept_Encoding="gzip, br")
        assert (plain.status, packed.status) == (200, 200), path
        assert plain.body == served(file) and "Content-Encoding" not in plain.headers
        if packed.headers.get("Content-Encoding") == "gzip":
            assert gzip.decompress(packed.body) == plain.body and len(packed.body) < len(plain.body)
        else:
            assert packed.body == plain.body
        for reply in plain, packed:
            assert reply.headers["Content-Type"] == TYPES[file.suffix]
            assert reply.headers["Content-Security-Policy"] == POLICY
            assert reply.headers["Cache-Control"] == "no-cache" and reply.headers["Vary"] == "Accept-Encoding"
            assert reply.headers["X-Content-Type-Options"] == "nosniff" and reply.headers["Referrer-Policy"] == "no-referrer"
            assert reply.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert hashlib.sha256(plain.body).hexdigest()[:16] in reply.headers["ETag"]


def test_a_file_that_is_known_is_not_sent_again(gate):
    for file in files():
        path = f"/{file.relative_to(WEB)}"
        for encoding in "gzip", "identity":
            tag = ask(gate, path, Accept_Encoding=encoding).headers["ETag"]
            again = ask(gate, path, Accept_Encoding=encoding, If_None_Match=tag)
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)


def test_the_page_fits_a_slow_line(gate):
    replies = {file: ask(gate, f"/{file.relative_to(WEB)}", Accept_Encoding="gzip") for file in files()}
    assert sum(len(reply.body) for reply in replies.values()) <= TRANSFERRED_MAX, \
        {str(file): len(reply.body) for file, reply in replies.items()}


def test_the_root_is_the_page(gate):
    assert ask(gate, "/").body == ask(gate, "/?anything").body == (WEB / "index.html").read_bytes()
    head = ask(gate, "/", "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert int(head.headers["Content-Length"]) == (WEB / "index.html").stat().st_size


def test_nothing_else_is_served(gate):
    for path in "/nothing.js", "/web/index.html", "/../README.md", "/vendor", "/..%2fREADME.md", "/README.md", "//":
        assert ask(gate, path).status == 404, path
    for method in "POST", "PUT", "DELETE", "PATCH":
        reply = ask(gate, "/", method)
        assert (reply.status, reply.headers["Allow"]) == (405, "GET, HEAD")


def test_a_link_from_elsewhere_opens_the_page_and_nothing_else(gate):
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(gate, "/", **link).status == 200
    assert ask(gate, "/", **link | {"Sec_Fetch_Mode": "no-cors"}).status == 403
    assert ask(gate, "/admin/v1/mappings", **link).status == 403
