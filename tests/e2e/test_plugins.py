"""Loadable encoders: the tutorial's commands work, and whatever does not fit is left out with its reason while the gateway runs."""

import csv
import io
import os
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BUILD, TOP, plain_mapping

EXAMPLE = TOP / "plugins" / "example"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a plugin must not belong to the user that the gateway runs as")


def compile(source, to, *more):
    """One gcc line, as the tutorial has it, with the header of the sources."""
    line = re.search(r"^gcc .*$", (EXAMPLE / "README.md").read_text(), re.M).group()
    line = line.replace("$(pkg-config --cflags castgate-plugin)", "-I proxy/include")
    arguments = [{"example.c": str(source), "csv.so": str(to)}.get(word, word) for word in line.split()]
    subprocess.run([*arguments, *more], cwd=TOP, check=True, capture_output=True, text=True)
    to.chmod(0o644)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "plugins"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    return folder


def settings(fleet, folder, *files):
    return {"plugins": {"folder": str(folder), "load": list(files)}, "mappings": [plain_mapping(fleet)]}


def refusal(gateway, file):
    lines = [line for line in gateway.log().splitlines() if "event=plugin_refused" in line and f"file={file}" in line]
    assert len(lines) == 1, gateway.log()
    return lines[0]


def rows_of(reply):
    return list(csv.DictReader(io.StringIO(reply.body.decode(), newline="")))


@pytest.mark.parametrize("how", ["tutorial", "build"])
def test_example_makes_csv(gateway, members, folder, how):
    if how == "tutorial":
        compile(EXAMPLE / "example.c", folder / "csv.so")
    else:
        shutil.copy(BUILD / "plugins" / "example.so", folder / "csv.so")
    fleet = members(5, "--resource", "/odd=on, but \"dim\"\nand red", "--resource", "/bytes=\x01\x7f")
    one = gateway(settings(fleet, folder, "csv.so"))
    assert "event=plugin_loaded file=csv.so name=example media_type=text/csv" in one.log()
    reply = one.request("/lights/status", headers={"Accept": "text/csv"})
    assert reply.status == 200
    assert reply.headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert reply.summary["answered"] == 5
    rows = rows_of(reply)
    assert {row["from"] for row in rows} == set(fleet.texts)
    assert all(row["status"] == "200" and row["body"] and row["body_hex"] == "" for row in rows)
    assert reply.body.count(b"\r\n") == 6
    odd = rows_of(one.request("/lights/odd", headers={"Accept": "text/csv"}))
    assert [row["body"] for row in odd] == ["on, but \"dim\"\nand red"] * 5
    raw = rows_of(one.request("/lights/bytes", headers={"Accept": "text/csv"}))
    assert [(row["body"], row["body_hex"]) for row in raw] == [("", "017f")] * 5
    assert len(one.get_json("/lights/status")["answers"]) == 5  # the built-in ones are there as before
    assert one.request("/lights/status").headers["Content-Type"].startswith("multipart/mixed")


def test_loaded_encoder_streams(gateway, members, folder):
    source = folder / "stream.c"
    source.write_text("""
#include <castgate/plugin.h>
#include <string.h>
static int say(const struct castgate_host *host, struct castgate_call *call, const char *text) {
    return host->write(call, (struct castgate_slice){.data = text, .len = strlen(text)}) ? 0 : -1;
}
static int begin(const struct castgate_host *host, struct castgate_call *call) { return say(host, call, host->summary(call)->ended_by); }
static int answer(const struct castgate_host *host, struct castgate_call *call, const struct castgate_answer *answer) {
    return host->write(call, answer->payload) ? say(host, call, ";") : -1;
}
static int idle(const struct castgate_host *host, struct castgate_call *call) { return say(host, call, "."); }
static int end(const struct castgate_host *host, struct castgate_call *call) { return say(host, call, host->summary(call)->ended_by); }
static const struct castgate_encoder encoder = {.media_type = "text/x-live", .begin = begin, .answer = answer, .idle = idle, .end = end};
const struct castgate_plugin castgate_plugin = {CASTGATE_PLUGIN_MAJOR, CASTGATE_PLUGIN_MINOR, CASTGATE_ENCODER,
                                                sizeof(struct castgate_plugin), "live", {&encoder}};
""")
    compile(source, folder / "live.so")
    fleet = members(3, "--resource", "/x=on")
    one = gateway(settings(fleet, folder, "live.so"))
    reply = one.request("/lights/x", headers={"Accept": "text/x-live"})
    assert (reply.status, reply.headers["Content-Type"], reply.body) == (200, "text/x-live", b"on;on;on;all")


MISFIT = """
#include <castgate/plugin.h>
static int encode(const struct castgate_host *host, struct castgate_call *call) { (void)host, (void)call; return 0; }
int touch(const struct castgate_host *host, struct castgate_call *call) { return encode(host, call); }
static const struct castgate_encoder encoder = {.media_type = MEDIA_TYPE, OPERATIONS};
const struct castgate_encoder *unused = &encoder;
const struct castgate_plugin castgate_plugin = {.major = MAJOR, .minor = MINOR, .kind = KIND, .size = SIZE, .name = NAME, .ops.encoder = OPS};
"""
FITTING = {"MEDIA_TYPE": '"text/x"', "OPERATIONS": ".encode = encode", "MAJOR": "CASTGATE_PLUGIN_MAJOR",
           "MINOR": "CASTGATE_PLUGIN_MINOR", "KIND": "CASTGATE_ENCODER", "SIZE": "sizeof(struct castgate_plugin)",
           "NAME": '"x"', "OPS": "&encoder"}
MINOR = int(re.search(r"CASTGATE_PLUGIN_MINOR +(\d+)", (TOP / "proxy/include/castgate/plugin.h").read_text()).group(1))
MISFITS = {
    "major": ({"MAJOR": "1"}, f"it is built for version 1.{MINOR} of the plugin interface, this castgate has 0.{MINOR}"),
    "minor": ({"MINOR": "CASTGATE_PLUGIN_MINOR + 1"}, f"it is built for version 0.{MINOR + 1} of the plugin interface"),
    "older": ({"MINOR": "CASTGATE_PLUGIN_MINOR - 1"}, f"it is built for version 0.{MINOR - 1} of the plugin interface"),
    "size": ({"SIZE": "sizeof(struct castgate_plugin) + 8"}, "its struct castgate_plugin has "),
    "kind": ({"KIND": "7"}, "it is of kind 7; only encoders (1) are loaded"),
    "no-name": ({"NAME": "0"}, "its name must be"),
    "bad-name": ({"NAME": '"No name"'}, "its name must be"),
    "no-operations": ({"OPS": "0"}, "it has no operations"),
    "nothing": ({"OPERATIONS": ".encode = 0"}, "it must have either encode, or begin, answer, idle and end"),
    "half": ({"OPERATIONS": ".begin = encode"}, "it must have either encode, or begin"),
    "both": ({"OPERATIONS": ".encode = encode, .begin = encode"}, "it must have either encode, or begin"),
    "no-type": ({"MEDIA_TYPE": "0"}, "its media_type must be"),
    "bad-type": ({"MEDIA_TYPE": '"text"'}, "its media_type must be"),
    "upper-type": ({"MEDIA_TYPE": '"Text/X"'}, "its media_type must be"),
    "any-type": ({"MEDIA_TYPE": '"text/*"'}, "its media_type must be"),
    "parameter": ({"MEDIA_TYPE": '"text/x;a=b"'}, "its media_type must be"),
    "header": ({"MEDIA_TYPE": '"text/x\\r\\nSet-Cookie:"'}, "its media_type must be"),
    "builtin-name": ({"NAME": '"json"'}, "another plugin is named json"),
    "builtin-type": ({"MEDIA_TYPE": '"text/event-stream"'}, "the encoder sse has the media type text/event-stream already"),
}


def misfit(folder, name, changes):
    source = folder / f"{name}.c"
    source.write_text(MISFIT)
    compile(source, folder / f"{name}.so", *(f"-D{key}={value}" for key, value in {**FITTING, **changes}.items()))


def test_misfits_are_left_out(gateway, members, folder):
    """All at once: none keeps another from loading, and the gateway serves."""
    expected = {f"{name}.so": why for name, (_, why) in MISFITS.items()}
    for name, (changes, _) in MISFITS.items():
        misfit(folder, name, changes)
    others = {
        "no-symbol": ("int castgate = 1;", "it has no symbol castgate_plugin"),
        "function": ("int castgate_plugin(void) { return 0; }", "its castgate_plugin is no struct castgate_plugin"),
        "small": ("#include <stdint.h>\nconst uint16_t castgate_plugin[2] = {0, 1};", "its castgate_plugin is no struct"),
        "short": ("#include <castgate/plugin.h>\nconst struct { uint16_t a, b; uint32_t c; size_t d; } castgate_plugin = "
                  "{CASTGATE_PLUGIN_MAJOR, CASTGATE_PLUGIN_MINOR, 1, sizeof(struct castgate_plugin)};", "its struct castgate_plugin has 16 bytes"),
        "undefined": ("void nobody_has_this(void); void f(void) { nobody_has_this(); } int castgate_plugin;",
                      "undefined symbol: nobody_has_this"),
    }
    for name, (text, why) in others.items():
        (folder / f"{name}.c").write_text(text)
        compile(folder / f"{name}.c", folder / f"{name}.so")
        expected[f"{name}.so"] = why
    (folder / "text.so").write_text("no library\n")
    expected["text.so"] = "it cannot be loaded: "
    (folder / "empty.so").write_bytes(b"")
    expected["empty.so"] = "it cannot be loaded: "
    whole = (folder / "kind.so").read_bytes()
    (folder / "cut.so").write_bytes(whole[:100])
    expected["cut.so"] = "it cannot be loaded: "
    expected["missing.so"] = "the file cannot be opened: No such file or directory"
    misfit(folder, "good", {})
    misfit(folder, "twin", {"MEDIA_TYPE": '"text/y"'})
    expected["twin.so"] = "another plugin is named x"
    misfit(folder, "writable", {"NAME": '"w"'})
    (folder / "writable.so").chmod(0o664)
    expected["writable.so"] = "the file may be written by its group or by others"
    misfit(folder, "foreign", {"NAME": '"f"'})
    os.chown(folder / "foreign.so", 65534, -1)
    expected["foreign.so"] = "the file does not belong to root"
    (folder / "link.so").symlink_to(folder / "good.so")
    expected["link.so"] = "it is no regular file"

    fleet = members(2)
    one = gateway(settings(fleet, folder, "good.so", *expected))
    for file, why in expected.items():
        assert why in refusal(one, file)
    assert one.log().count("event=plugin_loaded") == 1
    assert one.request("/lights/status", headers={"Accept": "text/x"}).headers["Content-Type"] == "text/x"
    assert len(one.get_json("/lights/status")["answers"]) == 2


def test_folder_that_others_may_write(gateway, members, folder):
    misfit(folder, "good", {})
    folder.chmod(0o775)
    fleet = members(2)
    one = gateway(settings(fleet, folder, "good.so"))
    assert "the folder may be written by its group or by others" in refusal(one, "good.so")
    assert len(one.get_json("/lights/status")["answers"]) == 2


def test_reload_tells_that_plugins_wait_for_a_restart(gateway, members, folder):
    misfit(folder, "good", {})
    fleet = members(2)
    one = gateway(settings(fleet, folder))
    changed = {**one.settings, **settings(fleet, folder, "good.so")}
    one.reload(changed)
    end = time.monotonic() + 10
    while "the settings are in use" not in one.log() and time.monotonic() < end:
        time.sleep(0.02)
    told = [line for line in one.log().splitlines() if "changes take effect after a restart" in line]
    assert len(told) == 1 and "at=/plugins/load " in told[0] and "event=reload" in told[0], told
    assert "event=plugin_loaded" not in one.log()
    assert one.request("/lights/status", headers={"Accept": "text/x"}).headers["Content-Type"].startswith("multipart/mixed")
    assert one.stop(signal.SIGTERM) == 0
    again = gateway(changed)
    assert again.request("/lights/status", headers={"Accept": "text/x"}).headers["Content-Type"] == "text/x"
