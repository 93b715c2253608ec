"""The OSCORE library as others use it: from installed files alone, by a compiler and pkg-config. Its two example programs (examples/oscore)
are a member that castgate asks and a client that asks castgate's simulated members. R12 to R14, R23, R27, R56, R57."""

import os
import re
import socket
import subprocess

import pytest

from conftest import BUILD, PATIENCE, TOP, Group, Program, in_namespace
from documents import Reader, blocks, displays, shows
from oscore_library import PARTS, STRICT, begin_numbers, examples, installed, start_member  # noqa: F401, fixtures
from protected import AUTHORIZED, Keys, ProtectedMembers, make_state, settings

# What it may need of libc: no files, sockets, clocks or environments. By write(2) it says why it ends a program that misuses it.
LIBC = set("""abort bcmp calloc free inet_ntop inet_pton malloc memchr memcmp memcpy memmove memset realloc snprintf strchr strcmp strlen
              vsnprintf write""".split())
CRYPTO = re.compile("^(BN|CRYPTO|ECDSA_SIG|ERR|EVP|OPENSSL|OSSL|d2i|i2d)_|^(crypto|sodium|randombytes)_")
INLINE = {"cg_slice_of", "cg_slice_str"}


@pytest.fixture
def keys(tmp_path, group):
    made = Keys(tmp_path / "keys", 3, group.port)
    begin_numbers(made)
    return made


def numbers(keys, name):
    return int((keys.folder / f"member-{name}.json.numbers").read_text())


def test_compiles_with_another_compiler(installed):
    sources = [installed.examples / source for source in ("client.c", "member.c", *PARTS)]
    installed.compile("clang", *STRICT, "-fsyntax-only", *sources, packages=("castgate-oscore", "jansson"), link=False)


@pytest.mark.parametrize("compiler", ["g++", "clang++"])
def test_header_is_read_by_cpp(installed, tmp_path, compiler):
    """And alone: it needs nothing to be included before it."""
    source = tmp_path / "a.cc"
    source.write_text('#include <castgate/oscore.h>\nsize_t a() { return cg_slice_str("a").len + cg_oscore_sender_id_max(nullptr); }\n')
    installed.compile(compiler, "-pedantic", "-Wall", "-Wextra", "-Werror", source, "-o", tmp_path / "a.o", link=False)
    assert "T cg_oscore_sender_id_max" not in nm("-C", tmp_path / "a.o") and "U cg_oscore_sender_id_max" in nm("-C", tmp_path / "a.o")


def nm(*words):
    return subprocess.run(["nm", *words], check=True, capture_output=True, text=True).stdout


def symbols(*words):
    return {line.split()[-1] for line in nm(*words).splitlines() if re.search(r" [A-Za-z] \w+$", line)}


def test_symbols(installed):
    """Its own begin with cg_, and of others' it needs those of two libraries and a few pure ones of libc: whatever build it comes from."""
    own = symbols("-g", "--defined-only", installed.library)
    assert own and all(name.startswith("cg_") for name in own)
    variables = re.findall(r"^(\w+)[.\d]* *\|.*\| *OBJECT\|.*\|\.(?:data|bss)$", nm("-f", "sysv", installed.library), re.M)
    assert set(variables) == {"serials", "fetched", "tell_by"}  # atomic, each of them
    foreign = symbols("-u", installed.library) - own
    plain = {re.sub("^__(.*)_chk$", r"\1", name) for name in foreign} - {"__stack_chk_fail", "__stack", "_GLOBAL_OFFSET_TABLE_"}
    assert {name for name in plain if not CRYPTO.match(name)} <= LIBC


def test_pkg_config_names_what_it_needs(installed):
    assert {"-lcastgate-oscore", "-lcrypto", "-lsodium"} <= set(installed.ask("--static", "--libs", "castgate-oscore"))
    assert installed.ask("--libs", "castgate-oscore")[1:] == ["-lcastgate-oscore", "-lcrypto", "-lsodium"]
    version = re.search(r"project\(castgate VERSION (\S+)", (TOP / "CMakeLists.txt").read_text())[1]
    assert installed.ask("--modversion", "castgate-oscore") == [version]


def test_castgate_asks_example_members(start_member, keys, group, gateway, tmp_path):
    """Signed answers and pairwise ones; after a start each challenges first; a command arrives; no number comes twice over restarts."""
    first, second = start_member("11"), start_member("12", "pairwise")
    start_member("13")
    gate = gateway(settings(make_state(tmp_path / "state", keys), (group, keys)))

    def ask(**more):
        reply = gate.get_json("/lights/light", **more)
        assert (reply["summary"]["answered"], reply["summary"]["rejected"]) == (3, 0), reply
        assert {answer["verified"] for answer in reply["answers"]} == {"source"}
        return sorted(answer["body"] for answer in reply["answers"])

    assert ask() == ["off"] * 3
    gate.get_json("/lights/light", method="PUT", body=b"on", headers=AUTHORIZED)
    assert ask() == ["on"] * 3
    before = numbers(keys, "11"), numbers(keys, "12")
    for member in first, second:
        member.process.kill()
        member.process.wait()
    start_member("11"), start_member("12", "pairwise")
    assert ask() == ["off", "off", "on"]  # the first two know nothing of before, and want to see that they are not replayed to
    assert (numbers(keys, "11"), numbers(keys, "12")) > before


def ask(examples, keys, address, port, path, count, *member):
    """What the example client, member 13, prints, line by line in order."""
    done = subprocess.run([examples / "client", keys.folder / "member-13.json", "lo", address, str(port), path, str(count), *member],
                          capture_output=True, text=True, timeout=60)
    return done.returncode, sorted(done.stdout.splitlines()), done.stderr


@pytest.fixture
def castgate_members(keys, group, tmp_path):
    """castgate_members(mode): castgate's simulated ones, 11 and 12, each with its own file."""
    started = []

    def start(*arguments):
        for name in "11", "12":
            one = Program([BUILD / "castgate-member", "--keys", keys.folder / f"member-{name}.json", "--group", group.uri, "--bind",
                           f"127.1.0.{int(name) - 10}", "--interface", "lo", *arguments], tmp_path / f"{name}.log",
                          stdout=subprocess.PIPE, text=True)
            started.append(one)
            assert one.process.stdout.readline() == "ready 1\n", one.log()

    yield start
    for one in started:
        assert one.stop() == 0, one.log()


@pytest.mark.parametrize("mode", ["group", "pairwise"])
def test_example_client_asks_castgate_members(castgate_members, examples, keys, group, mode):
    castgate_members("--mode", mode)
    for _ in range(2):  # at first they challenge
        status, lines, errors = ask(examples, keys, group.address, group.port, "status", 2)
        assert (status, errors) == (0, "")
        assert [line.split()[:3] for line in lines] == [["11", mode, "2.05"], ["12", mode, "2.05"]]
    status, [line], errors = ask(examples, keys, "127.1.0.2", group.port, "status", 1, "12")
    assert line.startswith(f"12 {mode} 2.05 ") and (status, errors) == (0, "")
    assert numbers(keys, "13") == 3 * 4096


def test_example_client_asks_example_members(start_member, examples, keys, group):
    start_member("11")
    start_member("12", "pairwise")
    ask(examples, keys, group.address, group.port, "light", 2)
    assert ask(examples, keys, group.address, group.port, "light", 2) == (0, ["11 group 2.05 off", "12 pairwise 2.05 off"], "")
    assert ask(examples, keys, "127.1.0.1", group.port, "light", 1, "11") == (0, ["11 pairwise 2.05 off"], "")
    assert ask(examples, keys, group.address, group.port, "dark", 2)[1] == ["11 group 4.04 ", "12 pairwise 4.04 "]


def test_example_member_repeats_its_answer(start_member, examples, keys, group):
    """To a Confirmable request that comes again the same bytes, or a number would be spent and the client would miss its answer."""
    start_member("11")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as between:
        between.bind(("127.0.0.1", 0))
        between.settimeout(PATIENCE)
        words = [examples / "client", keys.folder / "member-13.json", "lo", "127.0.0.1", str(between.getsockname()[1]), "light", "1", "11"]
        with subprocess.Popen(words) as client:
            sealed = bytearray(between.recv(65536))
            client.kill()

        def send(mid):
            message = bytes([sealed[0] & 0xCF, sealed[1], 0, mid]) + sealed[4:]  # as CON: type and MID are not protected
            between.sendto(message, ("127.1.0.1", group.port))
            return between.recv(65536)

        first, again, other = send(1), send(1), send(2)
        assert first == again and first[0] >> 4 & 3 == 2 and first[2:4] == bytes([0, 1])  # an ACK
        assert other[4:] != first[4:]


@in_namespace
def test_examples_on_ipv6(start_member, examples, keys):
    group = Group("ff15::17", 5683)
    start_member("11", group=group, address="::1")
    for mode in "pairwise", "group":  # it challenges first
        assert ask(examples, keys, group.address, group.port, "light", 1) == (0, [f"11 {mode} 2.05 off"], "")


def test_example_client_takes_no_forgery(examples, keys, group, tmp_path):
    """Of two members whose answers are altered it refuses both and waits on."""
    forgers = ProtectedMembers(keys, group, 2, "127.1.0.1", ["--misbehave", "flip"], tmp_path / "forgers.log")
    # They take requests by the gateway's key, which no gateway uses here.
    with subprocess.Popen([examples / "client", keys.gateway, "lo", group.address, str(group.port), "status", "1"],
                          stderr=subprocess.PIPE, text=True) as client:
        assert [client.stderr.readline() for _ in range(2)] == ["client: refused: verification failed\n"] * 2
        assert client.poll() is None  # the first answer that it takes would end it
        client.kill()
    assert forgers.stop() == 0


@pytest.mark.parametrize("text", [None, "", "12\n", "00000000000x1\n", "1099511627775\n"])
def test_examples_send_nothing_without_numbers(examples, keys, group, text):
    """A lost or broken file is no beginning: it says so, and the file stays as it is."""
    file = keys.folder / "member-13.json.numbers"
    file.unlink() if text is None else file.write_text(text)
    status, lines, errors = ask(examples, keys, group.address, group.port, "light", 1)
    assert (status, lines) == (1, []) and "member-13.json.numbers: " in errors
    assert not file.exists() if text is None else file.read_text() == text


@pytest.mark.parametrize("text", ["", "{}", '{"common": {}, "self": {"sender_id": "1"}}'])
def test_examples_say_what_is_wrong_with_keys(examples, keys, group, text):
    (keys.folder / "member-13.json").write_text(text)
    status, lines, errors = ask(examples, keys, group.address, group.port, "light", 1)
    assert (status, lines) == (1, []) and "member-13.json: " in errors and len(errors.splitlines()) == 1


def test_manuals_examples_compile(installed, tmp_path):
    """And every function that it names is there."""
    page = (TOP / "docs/man/castgate-oscore.3").read_text()
    source = tmp_path / "manual.c"
    code = "".join(display.text for display in displays("castgate-oscore.3"))
    source.write_text(re.sub(r"^int ", "static int ", code, flags=re.M) + "int main(void) { return begin == NULL || serve == NULL || ask == NULL || hear == NULL; }\n")
    installed.compile("gcc", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-address", source, "-o", tmp_path / "manual")
    named = set(re.findall(r"\bcg_\w+(?=\()|(?<=^\.F[no] )cg_\w+", page, re.M))
    assert len(named) > 20 and named <= symbols("-g", "--defined-only", installed.library) | INLINE


@in_namespace
def test_tutorial(installed, tmp_path):
    """To the letter."""
    reader = Reader(tmp_path, PKG_CONFIG_PATH=installed.pc_folder, PATH=f"{BUILD}:{os.environ['PATH']}")
    document = blocks("examples/oscore/README.md", "sh", "console")
    ran = reader.type("".join(block.commands for block in document))
    assert ran.status == 0, ran.output
    for block in document:
        if block.language == "console":
            assert shows(ran.output, block.output) is None, ran.output
