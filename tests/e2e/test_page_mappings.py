"""Mappings on the admin page: making one where there is none, trying it, and what happens when somebody else is faster, when something is
wrong, and when somebody sends markup."""

import json
import os
import re
import subprocess
import unicodedata

import pytest
from selenium.webdriver.common.keys import Keys

import page as pages
from conftest import plain_mapping
from hostile_texts import TEXTS

FAILED = r"Failed to load resource: the server responded with a status of {}"


def stored(page, name, **document):
    leads_to = {} if "targets" in document else {"group": "coap://224.0.1.187/"}
    page.done("PUT", f"mappings/{name}", {**leads_to, "security": "none", "timeout": 2, **document})


def saved(page, name):
    return page.ask("GET", f"mappings/{name}").json()


def mistake_of(page, label, role="textbox"):
    """What is said to be wrong with a field, as a screen reader has it."""
    field = page.find(role, label)
    return page.until(lambda: page.run("""const [field] = arguments;
        if (field.getAttribute("aria-invalid") !== "true") return "";
        return field.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id))
            .filter((one) => one.className === "error").map((one) => one.innerText).join(" ");""", field), f"a mistake at {label}")


def send(page, method="GET"):
    page.click("button", f"Send {method}")
    asked = page.find("dialog", "Send this to the group?")
    page.see("Datagrams", within=asked)
    page.click("button", "Send", within=asked)


def row_of(page, name):
    return page.run("return arguments[0].closest('tr')", page.find("link", name))


def undo(page, said):
    """From the notice that says so."""
    notice = page.until(lambda: page.run("return [...document.querySelectorAll('.notice')].find((one) => one.innerText.includes(arguments[0]))", said), said)
    page.click("button", "Undo", within=notice)


def test_the_first_mapping_is_made_tried_and_taken_back(admin_page, members):
    fleet = members(5)
    page = admin_page(at="mappings")
    page.see("No mapping yet")
    page.click("link", "Begin with /floor3")
    page.find("textbox", "Group")
    page.fill("Group", f"{fleet.group.uri}/light")
    page.choose("Protection", "none: not protected")
    page.see("Anybody on the group's network can read requests")
    page.choose("Let a client use it", "root")
    page.see("Gains access")
    page.see("root on floor3: GET, FETCH")
    page.click("button", "Make it")
    page.at("mappings/floor3")
    page.see("floor3 is saved.")
    assert saved(page, "floor3")["clients"] == ["root"]
    page.click("link", "Try")
    page.fill(re.compile("^Collect for"), "2")
    send(page)
    page.see("What came of it")
    page.see(re.compile(r"^5 answered in \d+ ms", re.MULTILINE))
    assert len(page.find_all("row", within=page.find("table", "members"))) == 6
    page.find("table", "members")
    page.see("Predicted")
    undo(page, "floor3 is saved.")
    page.see("No mapping yet" if page.place() == "mappings" else "This mapping was removed.")
    assert page.ask("GET", "mappings/floor3").status == 404
    page.expect(FAILED.format(404))


def test_a_mapping_is_tried_before_it_is_saved(admin_page, members):
    fleet = members(3)
    page = admin_page(at="mappings")
    stored(page, "lights", group=f"{fleet.group.uri}/light", path="/old")
    page.open("mappings/lights?tab=try")
    page.see("What would go out")
    page.click("link", "Settings")
    page.fill("Path", "/new")
    page.click("link", "Try")
    page.see("without saving it")
    page.fill(re.compile("^Collect for"), "1")
    send(page)
    page.see(re.compile(r"^3 answered", re.MULTILINE))
    page.click("link", "Settings")
    assert saved(page, "lights")["path"] == "/old"
    assert page.find("textbox", "Path").get_attribute("value") == "/new"


@pytest.mark.parametrize("choice, timeout", [("Save mine over it", 7), ("Take theirs", 9)])
def test_a_stale_edit_shows_both_and_loses_nothing(admin_page, choice, timeout):
    page = admin_page(at="mappings")
    stored(page, "floor3", leisure=1)
    page.open("mappings/floor3")
    page.fill(re.compile("^Timeout"), "7")
    page.done("PATCH", "mappings/floor3", {"timeout": 9}, If_Match="*")
    conflict = page.find("status", "Somebody else changed this")
    page.see("root changed this meanwhile. What you typed is kept.", conflict)
    page.see(re.compile(r"timeout\s+7\s+9"), conflict)
    assert page.find("textbox", re.compile("^Timeout")).get_attribute("value") == "7"
    page.click("button", choice)
    page.gone("status", "Somebody else changed this")
    page.until(lambda: saved(page, "floor3")["timeout"] == timeout, "the choice")
    assert page.find("textbox", re.compile("^Timeout")).get_attribute("value") == str(timeout)


def test_what_is_typed_outlives_the_page_and_is_still_of_its_version(admin_page):
    page = admin_page(at="mappings")
    stored(page, "floor3", leisure=1)
    page.open("mappings/floor3")
    page.fill(re.compile("^Timeout"), "7")
    page.see("changes mapping floor3")
    page.open("exchanges")
    page.find("heading", "Exchanges")
    page.done("PATCH", "mappings/floor3", {"leisure": 2}, If_Match="*")
    page.browser.refresh()
    page.open("mappings/floor3")
    page.find("status", "Somebody else changed this")
    page.click("button", "Save mine over it")
    page.until(lambda: saved(page, "floor3").get("timeout") == 7, "it to be saved")


def test_one_that_was_removed_meanwhile_can_be_made_again(admin_page):
    page = admin_page(at="mappings")
    stored(page, "floor3", leisure=1)
    page.open("mappings/floor3")
    page.fill(re.compile("^Timeout"), "7")
    page.done("DELETE", "mappings/floor3", If_Match="*")
    page.see("This was removed meanwhile. What you typed is kept.")
    page.click("button", "Make it again")
    page.until(lambda: saved(page, "floor3").get("timeout") == 7, "it to be made again")
    page.expect(FAILED.format(404))


def test_what_is_done_in_the_list_can_be_undone_from_its_notice(admin_page):
    page = admin_page(at="mappings")
    stored(page, "floor3")
    page.click("button", "More for floor3")
    page.click("button", "Take out of use")
    page.see("floor3 is out of use.")
    page.see(re.compile("^out of use$", re.MULTILINE), page.find("table"))
    undo(page, "floor3 is out of use.")
    page.see(re.compile("^in use$", re.MULTILINE), page.find("table"))
    assert saved(page, "floor3")["state"] == "in-use"
    page.click("button", "More for floor3")
    page.click("button", "Remove")
    page.see("No mapping yet")
    undo(page, "floor3 is removed.")
    page.find("link", "floor3")
    assert saved(page, "floor3")["group"] == "coap://224.0.1.187/"


def test_what_is_typed_while_it_is_saved_is_kept(admin_page):
    page = admin_page(at="mappings")
    stored(page, "floor3", leisure=1)
    page.open("mappings/floor3")
    page.run("""
        const send = window.fetch;
        const held = new Promise((go) => { window.letGo = go; });
        window.fetch = (where, how) => how.method === "PATCH" && !where.includes("dry_run") ? held.then(() => send(where, how)) : send(where, how);
    """)
    page.fill(re.compile("^Timeout"), "7")
    page.see("changes mapping floor3")
    page.click("button", "Save")
    page.find("button", "Saving …")
    page.fill(re.compile("^Leisure"), "2")
    page.run("window.letGo()")
    page.see("floor3 is saved.")
    assert saved(page, "floor3")["timeout"] == 7 and saved(page, "floor3")["leisure"] == 1
    assert page.find("textbox", re.compile("^Leisure")).get_attribute("value") == "2"
    assert page.find_all("status", "Somebody else changed this") == []
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3")["leisure"] == 2, "both to be saved")


def test_mistakes_stand_at_their_fields(admin_page):
    page = admin_page(at="mappings/new")
    stored(page, "taken")
    page.fill("Name", "Floor 3")
    page.fill("Path", "floor3")
    page.fill(re.compile("^Timeout"), "soon")
    page.find("textbox", "Group").click()
    assert mistake_of(page, "Name").startswith("Small letters")
    assert mistake_of(page, "Path") == "This must begin with a slash."
    assert mistake_of(page, re.compile("^Timeout")) == "This must be a number."
    page.fill("Path", "/floor3")
    page.fill(re.compile("^Timeout"), "2")
    page.fill("Name", "floor3")
    page.fill("Group", "coap://10.0.0.7/")
    page.choose("Protection", "none: not protected")
    assert "multicast" in mistake_of(page, "Group")
    page.fill("Group", "coap://224.0.1.188/")
    page.fill("Name", "taken")
    assert mistake_of(page, "Name") == "There is a mapping of that name already."
    page.expect(FAILED.format(400), FAILED.format(412))


def test_the_same_is_said_as_commands_that_a_shell_takes(admin_page, members, tmp_path):
    fleet = members(2)
    page = admin_page(at="mappings")
    stored(page, "it", group=f"{fleet.group.uri}/light", clients=["root"], path="/it's")
    page.open("mappings/it")
    page.fill(re.compile("^Timeout"), "3")
    page.see("changes mapping it")
    page.click("DisclosureTriangle", "As commands")

    def run(label):
        command = page.until(lambda: page.find("group", label).text, label)
        return subprocess.run(["sh", "-c", command], env={**os.environ, "TOKEN": pages.TOKEN}, capture_output=True, text=True, timeout=30)

    reply = run("the command for the mapping")
    assert json.loads(reply.stdout)["timeout"] == 3, reply
    page.see("Nothing is changed.")
    reply = run("the client's request")
    assert reply.stdout.count("127.1.0.") >= 2, reply


def test_a_copy_has_all_but_name_and_path(admin_page):
    page = admin_page(at="mappings")
    stored(page, "floor3", path="/third", leisure=1, clients=[{"name": "root", "methods": ["GET"]}])
    page.click("button", "More for floor3")
    page.click("link", "Copy")
    page.fill("Name", "floor4")
    page.see("makes mapping floor4")
    page.click("button", "Make it")
    page.at("mappings/floor4")
    document = saved(page, "floor4")
    assert "path" not in document and document["clients"] == [{"name": "root", "methods": ["GET"]}]
    pressed = page.run("return [...document.querySelectorAll('.toggle')].map((one) => [one.innerText, one.getAttribute('aria-pressed')])")
    assert pressed == [["GET", "true"], ["FETCH", "false"]]


def test_methods_are_granted_one_by_one(admin_page):
    page = admin_page(at="mappings")
    stored(page, "floor3", unsafe_methods=True, clients=["root"])
    page.open("mappings/floor3")
    methods = page.find("group", "Methods of root")
    for method in ("POST", "PUT", "DELETE", "PATCH", "iPATCH"):
        page.click("button", method, within=methods)
    page.see("Loses access")
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3")["clients"] == [{"methods": ["GET", "FETCH"], "name": "root"}], "fewer methods")
    for method in ("POST", "PUT", "DELETE", "PATCH", "iPATCH"):
        page.click("button", method, within=page.find("group", "Methods of root"))
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3")["clients"] == ["root"], "all methods: the name alone")


def test_several_groups_and_back_to_one(admin_page):
    page = admin_page(at="mappings")
    stored(page, "floor3")
    page.open("mappings/floor3")
    page.click("button", "One more group")
    page.fill("Group 2", "224.0.1.188")
    page.see("This must begin with coap://")
    page.fill("Group 2", "coap://224.0.1.188/")
    page.see("changes mapping floor3")
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3").get("targets") == [{"group": "coap://224.0.1.187/"}, {"group": "coap://224.0.1.188/"}], "two groups")
    page.click("button", "Take group 1 out")
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3").get("group") == "coap://224.0.1.188/", "one group")


def test_another_gateway_is_asked_in_the_groups_place(admin_page):
    """As a forward proxy for the group, or by a path of its own without one."""
    page = admin_page(at="mappings")
    stored(page, "floor3")
    page.open("mappings/floor3")
    page.click("button", "By another gateway")
    page.fill("Next hop of group 1", "coap://192.0.2.1")
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3").get("targets") == [{"group": "coap://224.0.1.187/", "next_hop": "coap://192.0.2.1"}], "a next hop")
    page.fill("Group 1", "")
    page.fill("Next hop of group 1", "coap://192.0.2.1/floor")
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3").get("targets") == [{"next_hop": "coap://192.0.2.1/floor"}], "a path of its own")
    page.fill("Next hop of group 1", "coap+tcp://192.0.2.1/floor")
    page.fill("Round trip of group 1", "3")
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3").get("targets") == [{"next_hop": "coap+tcp://192.0.2.1/floor", "round_trip": 3}], "by TCP, and further away")
    page.fill("Next hop of group 1", "http://192.0.2.1/floor")
    page.see("This must begin with coap://, coaps://, coap+tcp:// or coaps+tcp://")
    page.allow(FAILED.format(400))  # what is half typed may be looked at


def test_a_protected_next_hop_has_credentials(admin_page, tmp_path):
    """Those of the settings file, by name; the field stays until they are taken out, as without protection they are a mistake."""
    key = tmp_path / "far.key"
    key.write_text("0123456789abcdef")
    key.chmod(0o600)
    page = admin_page({"credentials": {"far": {"psk": {"identity": "near", "key_file": str(key)}}}}, at="mappings")
    stored(page, "floor3", targets=[{"next_hop": "coap://192.0.2.1/floor"}])
    page.open("mappings/floor3")
    page.find("textbox", "Next hop of group 1")
    assert page.find_all("textbox", "Credentials of group 1") == []
    page.fill("Next hop of group 1", "coaps+tcp://192.0.2.1/floor")
    page.fill("Credentials of group 1", "far")
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3")["targets"] == [{"next_hop": "coaps+tcp://192.0.2.1/floor", "credentials": "far"}], "credentials")
    page.fill("Next hop of group 1", "coap://192.0.2.1/floor")
    page.find("textbox", "Credentials of group 1").send_keys(Keys.CONTROL + "a", Keys.BACKSPACE)  # and the field goes
    page.click("button", "Save")
    page.until(lambda: saved(page, "floor3")["targets"] == [{"next_hop": "coap://192.0.2.1/floor"}], "none")
    page.allow(FAILED.format(400))  # what is half typed may be looked at


@pytest.mark.parametrize("role, buttons", [("viewer", []), ("operator", ["Try"]), ("admin", ["Try", "More for floor3"])])
def test_nothing_is_offered_that_would_be_refused(admin_page, role, buttons):
    clients = {"root": pages.client(), "who": pages.client(role, "whose")}
    page = admin_page({"clients": clients}, at="mappings", token="whose")
    stored(page, "floor3")
    row = row_of(page, "floor3")
    page.until(lambda: len(page.find_all("button", within=row)) + len(page.find_all("link", re.compile("^Try"), row)) == len(buttons), buttons)
    assert bool(page.find_all("link", "New mapping")) is (role == "admin")
    page.open("mappings/floor3")
    assert page.find("textbox", "Group").is_enabled() is (role == "admin")
    assert bool(page.find_all("button", "Save")) is (role == "admin")
    assert bool(page.find_all("link", "Try")) is (role != "viewer")


def test_the_files_are_read_only_and_what_they_shadow_says_so(admin_page, members, gateway):
    gate = gateway({"clients": {"root": pages.client()}})
    page = admin_page(gate, at="mappings")
    stored(page, "floor3", path="/lights")
    gate.reload(gate.settings | {"mappings": [plain_mapping(members(1))]})
    page.see("shadowed", row_of(page, "floor3"))
    page.choose("Which mappings", "in the settings file")
    page.gone("link", "floor3")
    page.click("link", "lights")
    page.see("This mapping is in the settings file: change it there")
    assert not page.find("textbox", "Group 1").is_enabled()
    page.open("mappings/floor3")
    page.see(re.compile("settings file"))


def test_keys(admin_page, members):
    page = admin_page(at="mappings")
    stored(page, "floor3", group=members(1).group.uri)
    page.find("link", "floor3")
    page.press("/")
    assert page.focused()[1] == "Search mappings"
    page.press("x", "y")
    page.see("Nothing here has “xy” in it.")
    page.press("Backspace", "Backspace", "Tab", "Tab", "t")
    page.see("What would go out")
    page.open("mappings")
    page.find("link", "floor3")
    page.press("n")
    page.find("heading", "New mapping")


# ---- Hostile texts


def shown(text):
    """As the page shows it: what moves or hides others is written out."""
    def is_shapeless(one):
        return one not in "\t\n" and (unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp") or one in "\u115f\u1160\u3164\uffa0")

    return "".join((f"\\u{{{ord(one):x}}}" if ord(one) > 0xFFFF else f"\\u{ord(one):04x}") if is_shapeless(one) else one for one in text)


def harmless(page):
    assert page.run("return window.hacked") is None
    assert page.run("return document.querySelectorAll('main :is(script, iframe, img, object, embed, video, audio, base, meta, style, math, "
                    "marquee, template, [onload], [onerror], [onfocus], [onmouseover], [style*=url])').length") == 0
    links = page.run("return [...document.querySelectorAll('main a')].map((one) => one.getAttribute('href'))")
    assert all(link.startswith("#/") for link in links), links


def hostile_item(text, i):
    return {"name": text, "path": f"/{text}", "group": f"coap://{text}/", "security": text, "host": text, "clients": [text, {"name": text + "2", "methods": ["GET"]}],
            "members": [text], "default_content_type": text, "source": "stored", "state": "disabled", "reason": text, "revision": i, "changed": None,
            "changed_by": text, "warnings": [{"pointer": "#/group", "detail": text}]}


STUB = """const [items] = arguments;
    const real = window.fetch;
    window.fetch = async (url, options) => {
        const found = /^\\/admin\\/v1\\/mappings(?:\\/([^?]*))?(\\?.*)?$/.exec(url);
        if (!found) return real(url, options);
        const item = found[1] && items.find(({ name }) => name === decodeURIComponent(found[1]));
        return new Response(JSON.stringify(found[1] ? item : { items, next: null }), { headers: { "Content-Type": "application/json", ETag: '"1"' } });
    };"""


def test_hostile_names_stay_text(admin_page):
    page = admin_page()
    page.run(STUB, [hostile_item(text, i) for i, text in enumerate(TEXTS)])
    page.open("mappings")
    page.find("table", "mappings")
    names = page.until("[...document.querySelectorAll('main tr.row td:first-child a')].map((one) => one.textContent)", "names")
    assert sorted(names) == sorted(map(shown, TEXTS))
    harmless(page)
    for text in TEXTS:
        page.run("location.hash = '#/mappings/' + encodeURIComponent(arguments[0])", text)
        page.until(lambda: page.run("return (document.querySelector('main h1') || {}).textContent") == shown(text), f"the mapping {text!r}")
        harmless(page)
    assert page.run("return document.title").startswith("back")


def test_hostile_payloads_stay_text(admin_page, members):
    pieces = ["\n".join(TEXTS[i::8]) for i in range(8)]
    fleet = members(1, *(argument for i, piece in enumerate(pieces) for argument in ("--resource", f"/p{i}={piece}")))
    page = admin_page(at="mappings")
    stored(page, "lights", group=fleet.group.uri, finish="count:1")
    page.open("mappings/lights?tab=try")
    page.run("localStorage.setItem('castgate.unasked', '[\"lights\"]')")
    for i, piece in enumerate(pieces):
        page.fill("Path below the mapping", f"/p{i}")
        page.click("button", "Send GET")
        page.find("link", "The whole exchange")
        if page.find_all("button", "show all"):
            page.click("button", "show all")
        page.until(lambda: shown(piece) in page.run("return (document.querySelector('main .payload') || {}).textContent || ''"), piece)
        harmless(page)


def test_hostile_errors_and_links_stay_text(admin_page):
    page = admin_page()
    for text in TEXTS:
        page.run("location.hash = '#/mappings/new?' + new URLSearchParams({name: arguments[0], path: arguments[0], group: arguments[0]})", text)
        page.until(lambda: page.run("return [...document.querySelectorAll('main input')].map((one) => one.value)")[:3] == [text] * 3, text)
        harmless(page)
        page.run("sessionStorage.clear(); location.hash = '#/mappings/' + encodeURIComponent(arguments[0])", text)
        page.see("This cannot be shown now")
        harmless(page)
    page.expect(FAILED.format(40), )


def test_a_group_in_use_is_offered_and_what_was_made_is_not_typed_any_more(admin_page):
    page = admin_page(at="mappings")
    stored(page, "floor3", group="coap://224.0.1.188/")
    page.open("mappings/new")
    page.until(lambda: page.focused() == ("textbox", "Name"), "the focus on the name")
    page.press(*"hall")
    page.click("button", "coap://224.0.1.188/")
    assert page.focused() == ("textbox", "Group") and page.find("textbox", "Group").get_property("value") == "coap://224.0.1.188/"
    page.choose("Protection", "none: not protected")
    page.see("makes mapping hall")
    page.click("button", "Make it")
    page.find("heading", "hall")
    page.open("mappings/new")
    assert page.find("textbox", "Name").get_property("value") == ""
