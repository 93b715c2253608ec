"""What documents tell their readers to type works, as it is pasted."""

import re
from pathlib import Path

import pytest

import documented
from conftest import TOP, in_namespace
from documents import Reader, as_seen, blocks, shows
from probe import parse_multipart_core


@pytest.fixture
def reader(tmp_path):
    return Reader(tmp_path)


def all_commands(page):
    return "".join(block.commands for block in blocks(page, "sh", "console"))


def all_output(page):
    """What the page shows of its commands' output."""
    return [line for block in blocks(page, "console") for line in block.output]


@in_namespace
def test_readme(reader):
    """From the demo to the backup, in one shell, where the sources are."""
    ran = reader.type(all_commands("README.md"), TOP)
    assert ran.status == 0, ran.output
    assert "10 of 10 members answered, 10 verified." in ran.output
    assert ran.output.count("Castgate-Member: ") == 10 + 2 * 3  # the demo's; status and light as multipart/mixed
    assert len(re.findall(r'"answered": ?3,.*"ended_by": ?"all"', ran.output)) == 2  # JSON, and the stream's summary
    assert "event: summary" in ran.output
    assert re.search("^result +3 answered of 3 expected", ran.output, re.M)
    assert '"ready":true' in ran.output and "castgate_datagram_fates_total" in ran.output


def test_every_command_is_typed_by_a_test():
    """What pages have people type, in blocks of a shell; documented.py lists it, and what is only shown."""
    assert {page for page in documented.pages() if blocks(page, "sh", "console")} == set(documented.TYPED_BY)
    for page, test in documented.TYPED_BY.items():
        file, name = test.split("::")
        text = (Path(__file__).parent / file).read_text()
        assert f"def {name}(" in text and Path(page).stem in text, f"{page}: no {test}"
    lines = [(page, line) for page in documented.pages() for line in documented.not_typed(page)]
    reasons = list(documented.SHOWN_ONLY)
    assert [one for one in lines if not any(one[0] == page and one[1].startswith(start) for page, start in reasons)] == []
    assert [(page, start) for page, start in reasons if not any(one[0] == page and one[1].startswith(start) for one in lines)] == []


def test_every_page_is_reached_from_the_manuals_contents():
    """By links that lead to files."""
    contents = (TOP / "docs/README.md").read_text()
    for page in (page for page in documented.pages() if page.startswith("docs/") and page != "docs/README.md"):
        folder, _, name = page.removeprefix("docs/").rpartition("/")
        link = f"({page.removeprefix('docs/')})" if folder != "recipes" or name == "README.md" else "(recipes/README.md)"
        assert link in contents, page
    for page in documented.pages():
        for link in re.findall(r"\]\(([^)#:]+)[^)]*\)", (TOP / page).read_text()):
            assert ((TOP / page).parent / link).exists(), f"{page}: {link}"


def readme_gateway():
    """The README's commands that start a gateway and its members."""
    (commands,) = (block.commands for block in blocks("README.md", "sh") if "castgate-keys new" in block.commands)
    return commands + "until grep -q event=ready castgate.log; do sleep 0.1; done\n"


@in_namespace
def test_http_page(reader):
    """Every command of it, behind the README's, gets what it is there for."""
    commands = all_commands("docs/http.md")
    ran = reader.type(readme_gateway() + "echo === http.md\n" + commands, TOP)
    assert ran.status == 0, ran.output
    output = ran.output.partition("=== http.md")[2]
    assert '</floor3>;rt="castgate.mapping"' in output and '</light>;ct=0;rt="light"' in output
    assert re.findall(r"^(\d{3})$", output, re.M) == ["200", "204"]
    assert re.search("^Allow: GET, HEAD, PUT, OPTIONS\r?$", output, re.M)
    assert "event: summary" in output and re.search('"notification":true,"body":"on"', output)
    problems = re.findall(r'"type":"urn:castgate:problem:([^"]*)"', output)
    assert problems == ["not-found", "unauthorized", "forbidden", "unsupported-media-type", "multicast-timeout"]


@in_namespace
def test_alerts_page(reader):
    """The fire by hand: two alerts of who may, each followed by both commands; none by what is replayed, forged, or of who may not."""
    ran = reader.type(all_commands("docs/alerts.md"), TOP)
    assert ran.status == 0, ran.output
    assert re.search(r"^fire +2 +4 +0 +0 +0 +(doors: answered, 3|extinguishers: answered, 2) answered, 0 failed, 0 missing$", ran.output, re.M), ran.output
    assert re.findall(r'"member":"(sensor-1\d)"', ran.output) == ["sensor-11", "sensor-11", "sensor-13"]
    assert "4.00 (not protected)" in ran.output


@in_namespace
def test_coap_page(reader):
    """Every command of it, behind the README's gateway, shows what the page says, and all.cbor has all members' answers."""
    ran = reader.type(readme_gateway() + all_commands("docs/coap.md") + "echo === all\nod -An -v -tx1 all.cbor | tr -d ' \\n'; echo\n", TOP)
    assert ran.status == 0, ran.output
    assert shows(ran.output, all_output("docs/coap.md")) is None, ran.output
    counts, ended_by, answers = parse_multipart_core(bytes.fromhex(re.search(r"[0-9a-f]{100,}", ran.output.partition("=== all")[2])[0]))
    assert (counts["answered"], ended_by, len(answers)) == (3, "all", 3)


def test_http_page_has_every_problem():
    """With its status, as the table of errors has it."""
    rows = re.findall(r'^CG_ERR\(\w+, +"([^"]+)", +CG_CODE\([^)]*\), +(\d+),', (TOP / "proxy/base/err.def").read_text(), re.M)
    told = dict(re.findall(r"^\| `([^`]+)` \| (\d{3}) \|", (TOP / "docs/http.md").read_text(), re.M))
    assert told == dict(rows)


@in_namespace
def test_admin_api_page(reader):
    """A day of administration by hand: made, patched, refused, split, undone, exported and imported."""
    ran = reader.type(all_commands("docs/admin-api.md"), reader.folder)
    assert ran.status == 0, ran.output
    problems = re.findall(r'"type":"urn:castgate:problem:([^"]*)"', ran.output)
    assert problems == ["needs-if-match", "stale", "invalid", "conflict"], ran.output
    assert '"pointer":"#/timeout"' in ran.output
    assert re.search('"gains": ?\\[\\{"client": ?"anna"', ran.output) and '"loses":[{"client":"anonymous"' in ran.output
    assert re.findall(r'^\{"revision":(\w+)\}$', ran.output, re.M) == ["3", "5", "9", "null"], ran.output
    assert '"depends":[' in ran.output
    assert '"counts":{"running":0,' in ran.output and "event: warnings" in ran.output and "event: figures" in ran.output
    assert '"settings_file_sets":["/' in ran.output


@in_namespace
def test_administration_page(reader):
    """R5, R11: a day of administration by castgatectl alone, typed as it stands, says what the page says that it does."""
    shown = blocks("docs/administration.md", "sh", "console")
    ran = reader.type("".join(block.commands for block in shown), reader.folder)
    assert ran.status == 0, ran.output
    said = [as_seen(line) for line in ran.output.splitlines()]
    told = [as_seen(line) for block in shown if block.language == "console" for line in block.output]
    missing = [line for line in told if said.count(line) < told.count(line)]
    assert not missing, f"{missing}\n{ran.output}"


# Names of namespaces are files of the host's: this reader has a folder of its own for them.
NAMED_NAMESPACES = ("unshare", "-m", "sh", "-c", 'mkdir -p /run/netns && mount -t tmpfs tmpfs /run/netns && exec "$@"', "sh")



def check_page(reader, page, *inside):
    """Its commands, in one shell, show what the page says that they do, in that order."""
    ran = reader.type(all_commands(page), TOP, inside)
    assert ran.status == 0, ran.output
    assert shows(ran.output, all_output(page)) is None, ran.output


@in_namespace
def test_deployment_page(reader):
    """R42: a querier that falls silent, a firewall and a router stop a group, each in its own way, and what the page says has it go on."""
    check_page(reader, "docs/deployment.md", *NAMED_NAMESPACES)


@in_namespace
def test_cloud_page(reader):
    """A token, a certificate, neither, and streams, from another host, directly and through nginx."""
    check_page(reader, "docs/cloud.md", *NAMED_NAMESPACES)


@in_namespace
def test_chains_page(reader):
    """Three gateways in a chain, with each of its links cut in turn."""
    check_page(reader, "docs/chains.md", *NAMED_NAMESPACES)


@in_namespace
def test_troubleshooting_page(reader):
    """R60: each fault that is put in shows as the page says."""
    check_page(reader, "docs/troubleshooting.md")


@in_namespace
def test_security_page(reader):
    """R1, R2, R19: what is refused by default, a copy that does not send, answers without names."""
    check_page(reader, "docs/security.md")


@in_namespace
def test_sizing_page(reader):
    """What it measures is of all members."""
    check_page(reader, "docs/sizing.md")


@in_namespace
def test_discovery_page(reader):
    """R45: the table, and settings to paste."""
    check_page(reader, "docs/discovery.md")
