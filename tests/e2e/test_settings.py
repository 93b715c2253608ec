"""The settings file from outside: what is refused and how it is said, what is printed, what is warned of."""

import hashlib
import json
import os
import resource
import signal
import subprocess

import pytest

from conftest import BUILD, TOP, Group, free_tcp_port
from probe import Tap, log_lines, silent_mapping, wait_for

NONE = {"name": "m", "security": "none", "timeout": 1, "clients": ["anonymous"]}


def run(*arguments, **more):
    return subprocess.run([BUILD / "castgate", *arguments], capture_output=True, text=True, timeout=120, **more)


@pytest.fixture
def check(tmp_path):
    """check(settings): what -T says about them. `settings` is text or a document, which gets a state folder."""
    def start(settings, *arguments):
        (tmp_path / "state").mkdir(exist_ok=True)
        if not isinstance(settings, str):
            settings = json.dumps({"state": "state", **settings})
        file = tmp_path / "castgate.json"
        file.write_text(settings)
        return run("-c", file, *(arguments or ["-T"]))
    return start


def mistakes(result):
    """{pointer: message} of a refusal."""
    assert result.returncode == 2, (result.returncode, result.stderr)
    assert result.stdout == ""
    found = {}
    for line in result.stderr.splitlines():
        _, pointer, message = line.split(": ", 2)
        found[pointer] = message
    return found


# --- what is refused


@pytest.mark.parametrize("group, word", [
    ("coaps://224.0.1.187/", "DTLS"),            # R2
    ("coaps://224.0.1.187:5684/", "DTLS"),       # R2
    ("coap://224.0.1.187:5684/", "5684"),        # R2, R34
    ("coap://[ff05::fd]:5684/", "5684"),         # R34
    ("coap+tcp://224.0.1.187/", "coap"),         # R43
    ("coaps+tcp://224.0.1.187/", "coap"),        # R43
    ("coap+ws://224.0.1.187/", "coap"),          # R43
    ("http://224.0.1.187/", "coap"),
    ("coap://10.0.0.1/", "multicast"),
    ("coap://[2001:db8::1]/", "multicast"),
    ("coap://127.0.0.1/", "multicast"),
    ("coap://224.0.1.187:0/", None),
    ("coap://224.0.1.187:70000/", None),
    ("coap://224.0.1.187/a/../b", None),
    ("coap://224.0.1.187/%zz", None),
    ("coap://224.0.1.187/#x", None),
    ("coap://user@224.0.1.187/", None),
    ("coap://[ff05::fd/", None),
    ("224.0.1.187", None),
    ("", None),
])
def test_group_uris_that_are_refused(check, group, word):
    """R2, R34, R43: the mistake is at the group, and says why."""
    found = mistakes(check({"mappings": [{**NONE, "group": group}]}))
    assert list(found) == ["/mappings/0/group"]
    assert word is None or word in found["/mappings/0/group"], found
    found = mistakes(check({"mappings": [{**NONE, "targets": [{"group": "coap://224.0.1.187"}, {"group": group}]}]}))
    assert list(found) == ["/mappings/0/targets/1/group"]


@pytest.mark.parametrize("group", ["coap://224.0.1.187", "COAP://224.0.1.187:5683/a/b?c", "coap://[ff05::fd]:61616/",
                                   "coap://[ff35:30:2001:db8::23]/light", "coap://239.255.255.250:1"])
def test_group_uris_that_are_taken(check, group):
    assert check({"mappings": [{**NONE, "group": group}]}).returncode == 0


def test_nothing_leaves_for_a_refused_group(gateway, group):
    """R2, R43: the file with the refused group does not start a gateway, and a reload with it does not send anything."""
    gate = gateway({"mappings": [silent_mapping(group)]})
    secure = Group(group.address, 5684)
    with Tap(group) as tap, Tap(secure) as forbidden:
        for uri in (f"coaps://{group.address}:{group.port}", f"coap://{group.address}:5684", f"coap+tcp://{group.address}:{group.port}"):
            bad = {**gate.settings, "mappings": [{**silent_mapping(group), "group": uri, "path": "/other"}]}
            before = gate.log().count("stay as they are")
            gate.reload(bad)
            wait_for(lambda: gate.log().count("stay as they are") > before)
            assert gate.request("/other/x", headers={"Multicast-Timeout": "0"}).status == 404
            assert run("-c", gate.file).returncode == 2
        assert tap.packets() == [] and forbidden.packets() == []


def test_protection_must_be_spelt_out(check):
    """R1: a mapping without a security group is refused unless it says "security": "none"."""
    mapping = {"name": "m", "group": "coap://224.0.1.187", "clients": ["anonymous"]}
    found = mistakes(check({"mappings": [mapping]}))
    assert list(found) == ["/mappings/0/security"] or list(found) == ["/mappings/0"]
    assert "none" in " ".join(found.values())
    assert mistakes(check({"mappings": [{**mapping, "security": "nothing-like-it"}]})).keys() == {"/mappings/0/security"}
    assert mistakes(check({"mappings": [{**mapping, "security": None}]})).keys() == {"/mappings/0/security"}
    assert check({"mappings": [{**mapping, "security": "none"}]}).returncode == 0


def test_a_plain_group_is_for_reading(check):
    """R58: its methods are GET and FETCH, unless it says otherwise; anonymous clients may never do more."""
    mapping = {**NONE, "group": "coap://224.0.1.187"}
    printed = json.loads(check({"mappings": [mapping]}).stdout)
    assert printed["mappings"][0]["methods"] == ["GET", "FETCH"] and printed["mappings"][0]["unsafe_methods"] is False
    assert "/mappings/0/methods" in " ".join(mistakes(check({"mappings": [{**mapping, "methods": ["GET", "PUT"]}]})))
    assert check({"mappings": [{**mapping, "methods": ["GET", "PUT"], "unsafe_methods": True}]}).returncode == 0
    grant = {"name": "anonymous", "methods": ["PUT"]}
    refused = mistakes(check({"mappings": [{**mapping, "unsafe_methods": True, "clients": [grant]}]}))
    assert all(pointer.startswith("/mappings/0/clients/0") for pointer in refused)


def test_several_mistakes_at_once(check):
    """All of them are told, each with its pointer."""
    found = mistakes(check({
        "nonsense": 1, "http": {"listen": ["127.0.0.1"], "strict": "yes"}, "limits": {"exchanges": 0, "answers": 1},
        "clients": {"Bad Name": {"token_sha256": "00"}, "short": {"token_sha256": "00"}},
        "mappings": [{**NONE, "group": "coaps://224.0.1.187"}, {**NONE, "group": "coap://224.0.1.187", "hops": 300, "finish": "never"},
                     {**NONE, "name": "n", "path": "/hc/x", "group": "coap://224.0.1.187", "clients": ["nobody"]}]}))
    for pointer in ("/nonsense", "/http/listen/0", "/http/strict", "/limits/exchanges", "/limits/answers",
                    "/clients/short/token_sha256", "/mappings/0/group", "/mappings/1/hops", "/mappings/1/finish", "/mappings/2/path",
                    "/mappings/2/clients/0"):
        assert pointer in found, (pointer, found)
    assert any(pointer.startswith("/clients/Bad Name") for pointer in found)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\"x\"", "{\"a\":1}{", "{'a': 1}", "\xff\xfe", "{\"state\": \"\\u0000\"}",
                                  "{\"http\": {}, \"http\": {}}", "[" * 100000])
def test_what_is_no_settings_file(check, text):
    result = check(text)
    assert result.returncode == 2 and result.stdout == ""
    assert result.stderr.count("castgate.json") >= 1


def test_no_file(tmp_path):
    result = run("-c", tmp_path / "none.json", "-T")
    assert result.returncode == 2
    assert result.stderr == f"{tmp_path}/none.json: cannot be read: No such file or directory\n"
    assert run("-c", tmp_path).returncode == 2  # a folder


@pytest.mark.parametrize("settings, pointer", [
    ({"http": {"listen": ["0.0.0.0:8080"]}}, "/http/listen/0"),
    ({"http": {"listen": ["192.0.2.1:8080"]}}, "/http/listen/0"),
    ({"http": {"listen": ["[::]:8080"]}}, "/http/listen/0"),
    ({"admin": {"listen": ["0.0.0.0:8081"]}}, "/admin/listen/0"),
    ({"coap": {"listen": ["coap://0.0.0.0"]}}, "/coap/listen/0"),
    ({"coap": {"listen": ["coap://[2001:db8::1]:61616"]}}, "/coap/listen/0"),
])
def test_listeners_off_loopback_need_protection(check, settings, pointer):
    found = mistakes(check(settings))
    assert list(found) == [pointer] and "insecure" in found[pointer]
    section, = settings
    open_to_all = {section: {"listen": [{"address": settings[section]["listen"][0], "insecure": True}]}}
    assert check(open_to_all).returncode == 0


def test_the_same_name_or_path_twice(check):
    one = {**NONE, "group": "coap://224.0.1.187"}
    assert "/mappings/1/name" in mistakes(check({"mappings": [one, {**one, "path": "/other"}]}))
    assert "/mappings/1/path" in mistakes(check({"mappings": [one, {**one, "name": "other", "path": "/m"}]}))
    assert check({"mappings": [one, {**one, "name": "other", "path": "/m", "host": "h.example"}]}).returncode == 0


# --- what is printed


FULL = {
    "http": {"listen": ["127.0.0.1:8080", {"address": "[::1]:8080"}], "hosts": ["gate.example:80"], "strict": True},
    "admin": {"listen": ["127.0.0.1:8081"]},
    "group": {"interface": "lo", "address": "127.0.0.1", "port": 5000, "hops": 4, "receive_buffer": 65536, "nstart": 3},
    "limits": {"exchanges": 10, "exchanges_per_client": 3},
    "clients": {"demo": {"token_sha256": hashlib.sha256(b"secret").hexdigest()}},
    "mappings": [{"name": "a", "group": "coap://224.0.1.187/x/%2F?y=%26", "security": "none", "unsafe_methods": True, "timeout": 2.5,
                  "max_timeout": 90, "finish": "quorum:0.9", "membership": "complete", "repair": {"unicast": True}, "max_answers": 7,
                  "members": ["127.1.0.1", "127.1.0.2:7", {"name": "lamp", "address": "[::1]:9"}], "leisure": 1.25,
                  "budget": {"requests_per_minute": 9}, "clients": ["anonymous", {"name": "demo", "methods": ["GET", "PUT"]}]},
                 {"name": "b", "path": "/b/%c3%a4", "host": "h.example", "targets": [{"group": "coap://[ff02::fd]", "interface": "lo"},
                                                                                   {"group": "coap://224.0.1.188:7"}],
                  "security": "none", "hops": 9},
                 {"name": "c", "group": "coap://224.0.1.189/c", "security": "none", "forward": True}]}


@pytest.mark.parametrize("settings", [{}, FULL, {"mappings": []}, {"group": {"interface": None}}])
def test_the_printed_settings_are_settings(check, settings):
    """-T's output is valid input, and means the same: it prints the same again."""
    first = check(settings)
    assert first.returncode == 0, first.stderr
    second = check(first.stdout)
    assert (second.returncode, second.stdout) == (0, first.stdout), second.stderr


def test_the_printed_settings_take_effect(check, gateway, group):
    """A gateway that runs with -T's output behaves as with the file itself."""
    settings = {"mappings": [silent_mapping(group, finish="count:1")], "http": {"listen": [f"127.0.0.1:{free_tcp_port()}"]},
                "admin": {"listen": [f"127.0.0.1:{free_tcp_port()}"]}, "group": {"interface": "lo", "hops": 9}}
    printed = json.loads(check(settings).stdout)
    listen = {side: {"listen": [{"address": printed[side]["listen"][0]["address"]}]} if isinstance(printed[side]["listen"][0], dict)
              else {"listen": printed[side]["listen"]} for side in ("http", "admin")}
    gate = gateway({**printed, **listen})
    with Tap(group) as tap:
        assert gate.request("/silent/x", headers={"Multicast-Timeout": "0"}).status == 204
        assert [p.hops for p in tap.packets()] == [9]


def test_defaults_are_as_documented(check):
    printed = json.loads(check({"mappings": [{**NONE, "group": "coap://224.0.1.187"}]}).stdout)
    assert "127.0.0.1:8080" in json.dumps(printed["http"]["listen"]) and "127.0.0.1:8081" in json.dumps(printed["admin"]["listen"])
    limits = printed["limits"]
    assert (limits["exchanges"], limits["exchanges_per_client"], limits["request_body"], limits["answer"]) == (1024, 16, 65536, 65536)
    assert (limits["exchange_memory"], limits["total_memory"], limits["stream_queue"]) == (16 << 20, 256 << 20, 256 << 10)
    assert (printed["group"]["hops"], printed["group"]["nstart"], printed["group"]["receive_buffer"]) == (1, 1, 4194304)
    mapping = printed["mappings"][0]
    assert (mapping["max_answers"], mapping["max_timeout"], mapping["membership"], mapping["leisure"]) == (10000, 60, "open", 5)


def test_examples_are_valid():
    for file in sorted((TOP / "conf").glob("*.json")):
        if "schema" not in file.name:
            result = run("-c", file, "-T")
            assert result.returncode == 0, (file, result.stderr)


def test_the_schema_in_conf_is_the_program_s():
    """Printed without settings: whoever writes them has none yet."""
    result = run("--schema")
    assert result.returncode == 0 and not result.stderr
    assert result.stdout == (TOP / "conf" / "castgate.schema.json").read_text()


# --- files


def test_a_million_unknown_keys_are_refused_in_good_time(check):
    """Comparing each with the known ones took a minute and more; the list ends, the count does not."""
    text = "{" + ",".join(f'"k{number:07}":0' for number in range(1_000_000)) + "}"
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    result = check(text)
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 40
    lines = result.stderr.splitlines()
    assert result.returncode == 2 and len(lines) == 101
    assert lines[-1].endswith("and 999900 more")


@pytest.fixture
def fifo(tmp_path):
    """A FIFO that nobody writes to."""
    os.mkfifo(tmp_path / "fifo")
    return str(tmp_path / "fifo")


def test_a_fifo_as_settings_file_holds_nobody(gateway, group, fifo):
    """Refused at once, at the start and at a reload; what runs goes on with what it has."""
    result = run("-c", fifo, "-T")
    assert result.returncode == 2 and "is not a regular file" in result.stderr
    gate = gateway({"mappings": [silent_mapping(group)]})
    os.replace(fifo, gate.file)
    gate.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "is not a regular file" in gate.log() and "stay as they are" in gate.log())
    assert gate.request("/silent/x", headers={"Multicast-Timeout": "0"}).status == 204


def test_a_fifo_that_the_settings_name_holds_nobody(gateway, group, fifo):
    certificate, key = fifo, fifo
    named = [{"security_groups": {"g": fifo}}, {"mappings": [{**NONE, "group": group.uri, "security": "relay", "check_signature": fifo}]}]
    admin = {"root": {"role": "admin", "token_sha256": "ab" * 32}}  # else the making of one says the same
    gate = gateway({"mappings": [silent_mapping(group)], "clients": admin})
    for number, settings in enumerate(named, 1):
        gate.reload({**gate.settings, **settings})
        wait_for(lambda: gate.log().count("stay as they are") == number)
        assert gate.log().count("is not a regular file") == number
        assert gate.request("/silent/x", headers={"Multicast-Timeout": "0"}).status == 204
    listen = {"listen": [f"127.0.0.1:{free_tcp_port()}"], "tls": {"certificate": certificate, "key": key}}
    file = gate.file.with_name("tls.json")
    file.write_text(json.dumps({**gate.settings, "http": listen}))
    result = run("-c", file)
    assert result.returncode == 1 and "is not a regular file" in result.stderr


# --- what a start would say


def test_a_timeout_below_leisure_is_warned_of(check, gateway, group):
    """Most answers of real members would come late: -T says so, and the log at the start and at a reload."""
    hasty = silent_mapping(group, timeout=2)
    result = check({"mappings": [hasty]})
    assert result.returncode == 0
    text = next(line for line in result.stderr.splitlines() if "/mappings/0/timeout" in line)
    assert ": warning: /mappings/0/timeout: silent collects for 2 s, but its members may take 5 s" in text
    assert '"leisure"' not in check({"mappings": [silent_mapping(group, timeout=6)]}).stderr
    gate = gateway({"mappings": [hasty]})

    def said():
        return [line["msg"] for line in log_lines(gate, "settings") if line["at"] == "/mappings/0/timeout"]

    assert len(said()) == 1 and "may take 5 s" in said()[0]
    gate.reload({**gate.settings, "mappings": [silent_mapping(group, timeout=3)]})
    wait_for(lambda: len(said()) == 2)
    assert "collects for 3 s" in said()[1]


def test_a_plugin_that_the_start_leaves_out_is_a_mistake(check, tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir(mode=0o755)
    (folder / "text.so").write_text("no library")
    result = check({"plugins": {"folder": "plugins", "load": ["text.so", "none.so"]}})
    found = mistakes(result)
    assert sorted(found) == ["/plugins/load/0", "/plugins/load/1"]
    assert all("is left out: " in message for message in found.values())
    assert "none.so" in found["/plugins/load/1"]


def test_tls_files_that_the_start_refuses_are_a_mistake(check, tmp_path):
    (tmp_path / "gw.crt").write_text("no certificate")
    (tmp_path / "gw.key").write_text("no key")
    (tmp_path / "gw.key").chmod(0o600)
    tls = {"certificate": "gw.crt", "key": "gw.key"}
    found = mistakes(check({"http": {"tls": tls}, "admin": {"tls": {**tls, "key": "none.key"}}, "coap": {"tls": tls}}))
    assert sorted(found) == ["/admin/tls", "/coap/tls", "/http/tls"]
    assert "gw.crt" in found["/http/tls"] and "gw.crt" in found["/coap/tls"]


# --- the command line


def test_version_and_help():
    assert run("-V").stdout.startswith("castgate ") and run("-V").returncode == 0
    assert "-T" in run("-h").stdout and run("-h").returncode == 0
    for wrong in (["--nonsense"], ["-c"], ["extra"], ["-x"]):
        result = run(*wrong)
        assert result.returncode == 2 and "castgate" in result.stderr and result.stdout == ""


# --- what is warned of


def test_plain_groups_are_warned_of_at_the_start(gateway, group):
    """R10: the log says that nothing protects this group, and where that is set."""
    gate = gateway({"mappings": [silent_mapping(group), silent_mapping(group, "other", clients=[])]})
    warnings = [line for line in log_lines(gate, "settings") if line["level"] == "warning"]
    said = {line["at"]: line["msg"] for line in warnings}
    assert {"/mappings/0/security", "/mappings/1/security", "/mappings/1/clients"} <= set(said)
    assert "protection" in said["/mappings/0/security"]
    before = len(warnings)
    gate.reload(gate.settings)
    wait_for(lambda: len(log_lines(gate, "settings")) >= 2 * before)


def test_an_open_listener_is_warned_of(gateway, group):
    port = free_tcp_port()
    gate = gateway({"http": {"listen": [{"address": f"127.0.0.1:{free_tcp_port()}"}, {"address": f"0.0.0.0:{port}", "insecure": True}]},
                    "mappings": [silent_mapping(group)]})
    assert any(line.get("at") == "/http/listen/1" for line in log_lines(gate, "settings"))
    assert gate.request("/silent/x", headers={"Multicast-Timeout": "0"}, to=("127.0.0.1", port)).status == 204


def test_a_token_is_printed_nowhere(check, gateway, group):
    """Its digest is no token, and still nobody needs that in the log."""
    token = "Kx7-only-for-this-test"
    digest = hashlib.sha256(token.encode()).hexdigest()
    settings = {"clients": {"demo": {"token_sha256": digest}}, "mappings": [silent_mapping(group, clients=["demo"])]}
    gate = gateway(settings)
    assert gate.request("/silent/x", headers={"Authorization": f"Bearer {token}", "Multicast-Timeout": "0"}).status == 204
    assert digest not in gate.log() and token not in gate.log()
    assert "client=demo" in gate.log()
    assert token not in check(settings).stdout
