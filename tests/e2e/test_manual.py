"""The manual pages: well formed, true of what the programs take, and their examples work as they are typed."""

import os
import re
import shutil
import subprocess

import pytest

import documented
from conftest import BUILD, TOP, in_namespace
from documents import Reader, displays

FOLDER = TOP / "docs/man"
PAGES = sorted(path.name for path in FOLDER.glob("*.[1-9]"))
PROGRAMS = {  # page, and where its command line is read
    "castgate": ("castgate.8", "proxy/app/main.c"),
    "castgate-keys": ("castgate-keys.1", "proxy/tools/keys/options.c"),
    "castgate-member": ("castgate-member.1", "proxy/tools/member/options.c"),
    "castgatectl": ("castgatectl.1", "proxy/tools/ctl/options.c"),
}


def run(*arguments, **more):
    return subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, timeout=60, **more)


def text_of(page):
    return (FOLDER / page).read_text()


@pytest.mark.parametrize("page", PAGES)
def test_page_is_well_formed(page):
    said = run("mandoc", "-Tlint", "-W", "style", FOLDER / page).stdout.splitlines()
    assert not [line for line in said if "referenced manual not found" not in line]  # they are not installed
    for name, section in re.findall(r"\bXr (castgate\S*) (\d)", text_of(page)):
        assert f"{name}.{section}" in PAGES


def test_keys_are_those_of_the_settings():
    done = run(FOLDER / "settings", "--check")
    assert done.returncode == 0, done.stderr


# The command line


def options_of_page(page):
    """What stands behind Fl, which means the page's own program alone."""
    words = [line.split() for line in text_of(page).splitlines() if line.startswith(".")]
    return {"-" + after for line in words for word, after in zip(line, line[1:]) if word in ("Fl", ".Fl")}


def options_of_help(program):
    text = run(BUILD / program, "--help").stdout
    for other in PROGRAMS:
        if other != program:
            text = re.sub(rf"\b{other} --\S+", "", text)
    return set(re.findall(r"(?<![\w-])--?[A-Za-z][A-Za-z-]*", text))


def options_that_are_read(source):
    """Of a table for getopt_long, or of one that spells them out."""
    text = (TOP / source).read_text()
    short = "".join(re.findall(r'getopt_long\(argc, argv, "([^"]*)"', text)).replace(":", "")
    long = re.findall(r'\{"([a-z-]+)", (?:no|required)_argument', text)
    return {f"-{letter}" for letter in short} | {f"--{word}" for word in long} | set(re.findall(r'"(--?[A-Za-z][a-z-]*)"', text))


@pytest.mark.parametrize("program", PROGRAMS)
def test_options_are_those_of_the_program(program):
    page, source = PROGRAMS[program]
    assert options_of_page(page) == options_of_help(program) == options_that_are_read(source)


def items(page, title, macro=""):
    """Of the list in a section, what stands behind .It and that macro."""
    section = re.search(rf'^\.Sh {title}$(.*?)(?=^\.Sh )', text_of(page), re.M | re.S)
    return set(re.findall(rf"^\.It {macro}(.*)$", section[1], re.M)) if section else set()


@pytest.mark.parametrize("program", PROGRAMS)
def test_variables_are_those_that_the_program_reads(program):
    page, source = PROGRAMS[program]
    if program == "castgate":
        sources = [path for path in (TOP / "proxy").rglob("*.c") if "tools" not in path.parts]
    else:
        sources = (TOP / source).parent.rglob("*.c")
    texts = [path.read_text() for path in sources]
    read = {name for text in texts if re.search(r"\b(get|set)env\(", text) for name in re.findall(r'"([A-Z][A-Z_]+)"', text)}
    assert items(page, "ENVIRONMENT", "Ev ") == read


@pytest.mark.parametrize("page, source", [("castgate.8", "proxy/io/loop.c"), ("castgate-member.1", "proxy/tools/member.c")])
def test_signals_are_those_that_the_program_catches(page, source):
    caught = set(re.findall(r"\bSIG(?:HUP|INT|TERM|USR[12])\b", (TOP / source).read_text()))
    assert set(re.findall(r"\bSIG\w+", " ".join(items(page, "SIGNALS")))) == caught


@pytest.mark.parametrize(
    "program, words, status",
    [
        ("castgate", "-h", 0),
        ("castgate", "-c idle.json --status", 1),
        ("castgate", "--nothing", 2),
        ("castgate-keys", "-h", 0),
        ("castgate-keys", "finish nowhere", 1),
        ("castgate-keys", "finish", 2),
        ("castgate-member", "-h", 0),
        ("castgate-member", "--keys nowhere", 1),
        ("castgate-member", "--nothing", 2),
        ("castgatectl", "-h", 0),
        ("castgatectl", "export --token-file nowhere", 2),
        ("castgatectl", "export --token-file token --url http://127.0.0.1:9", 4),
    ],
)
def test_statuses_are_those_of_the_page(tmp_path, program, words, status):
    (tmp_path / "idle.json").write_text('{"state": "state"}')
    (tmp_path / "token").write_text("t\n")
    (tmp_path / "token").chmod(0o600)
    done = run(BUILD / program, *words.split(), cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert str(status) in items(PROGRAMS[program][0], "EXIT STATUS")


# Examples


def test_every_command_is_typed_by_a_test():
    assert {page for page in PAGES if any(display.commands for display in displays(page))} == set(documented.MANUAL_TYPED_BY)
    assert {test.partition("::")[2] for test in documented.MANUAL_TYPED_BY.values()} <= set(globals())


@pytest.fixture
def type_examples(tmp_path):
    """Types all commands of a page's displays into one shell, where the programs are on the path; gives what they printed."""
    reader = Reader(tmp_path, PATH=f"{BUILD}:{os.environ['PATH']}")

    def type_them(page):
        ran = reader.type("".join(display.commands for display in displays(page)))
        assert ran.status == 0, ran.output
        return ran.output

    return type_them


@in_namespace
def test_settings_examples(type_examples, tmp_path):
    type_examples("castgate.json.5")
    assert '"meters"' in (tmp_path / "effective.json").read_text()


@in_namespace
def test_gateway_examples(type_examples, tmp_path):
    output = type_examples("castgate.8")
    assert output.count("Castgate-Member: ") == 3
    assert re.search("^result +3 answered of 3 expected", output, re.M)
    assert '"ready":true' in output and "3 answered; ended by all" in output
    assert len(re.findall("^member-1[123] .* by multicast$", output, re.M)) == 3
    assert (tmp_path / "copy.db.items").is_file() and (tmp_path / "token").read_text().startswith("cg_")
    stored = {re.sub(r"-\d+$", "-N", path.name.removesuffix("-journal")) for path in (tmp_path / "state").iterdir()}
    assert not stored - set(re.findall(r"\bPa (\S+)", text_of("castgate.8")))
    log = (tmp_path / "castgate.log").read_text()
    assert "event=reload" in log and "event=stopping" in log
    assert "differs" not in output and "same as recorded" in output


@in_namespace
def test_ctl_examples(type_examples):
    output = type_examples("castgatectl.1")
    assert "2 answered, 0 of them with an error, 0 missing" in output and '"datagrams": 1' in output
    assert output.count("+ mappings/lamps") == 3 and output.count("- mappings/lamps") == 1  # diff, apply, and after the undo
    assert '"name": "lamps"' in output


@in_namespace
def test_keys_examples(type_examples, tmp_path):
    type_examples("castgate-keys.1")
    assert sorted(path.name for path in (tmp_path / "keys").glob("member-*")) == ["member-11.json", "member-14.json"]
    assert '"alg_signature": -7' in (tmp_path / "doors/gateway.json").read_text()


@in_namespace
def test_member_examples(type_examples):
    output = type_examples("castgate-member.1")
    assert output.count("ready ") == 2 and '"member":1' in output


@in_namespace
@pytest.mark.skipif(os.geteuid() != 0, reason="a plugin must not belong to the user that the gateway runs as")
def test_plugin_examples(tmp_path):
    """With what is installed, and the source that the page shows."""
    run("cmake", "--install", BUILD, "--prefix", tmp_path / "installed", check=True)
    reader = Reader(tmp_path, PATH=f"{BUILD}:{os.environ['PATH']}", PKG_CONFIG_PATH=str(tmp_path / "installed/share/pkgconfig"))
    source, *shown = displays("castgate-plugin.3")
    (tmp_path / "count.c").write_text(source.text)
    ran = reader.type("".join(display.commands for display in shown))
    assert ran.status == 0 and "\n5\n" in ran.output, ran.output
    shutil.rmtree(tmp_path / "installed")


def test_plugin_page_names_all_of_the_header():
    header = re.sub(r"/\*.*?\*/", "", (TOP / "proxy/include/castgate/plugin.h").read_text(), flags=re.S)
    fields = re.findall(r"^    [^()]*?(\w+);", header, re.M)
    names = {*fields, *re.findall(r"\(\*(\w+)\)", header), *re.findall(r"\bCASTGATE_[A-Z_]+\b", header)}
    unsaid = names - {"CASTGATE_PLUGIN_H", "CASTGATE_PLUGIN_SYMBOL"} - set(re.findall(r"\w+", text_of("castgate-plugin.3")))
    assert not unsaid


@pytest.mark.parametrize("prefix", ["/usr", "/opt/x"])
def test_pages_are_installed(tmp_path, prefix):
    run("cmake", "--install", BUILD, "--prefix", prefix, check=True, env={**os.environ, "DESTDIR": str(tmp_path)})
    for page in PAGES:
        text = (tmp_path / prefix[1:] / f"share/man/man{page[-1]}" / page).read_text()
        assert re.search(r"^\.Os castgate \d+\.\d+\.\d+$", text, re.M)
    shutil.rmtree(tmp_path / prefix[1:])
