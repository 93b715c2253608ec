"""Clients, security groups, members, discovery and reactions on the admin page, as an operator has them: tokens said once, keys handed out
once, a rekey in its three steps, lists of members changed many at once, and what cannot be undone said before."""

import json
import re

import pytest

from conftest import free_udp_port, plain_mapping
from page import client
from probe import wait_for
from protected import make_state
from test_admin_groups import make_seal

GROUP = "security-groups/doors"


@pytest.fixture
def sealed_page(tmp_path, admin_page):
    """A page of a gateway that can keep keys, with a security group of three, whose downloads come to tmp_path/saved."""
    def start(at="", members=3, **more):
        folder = tmp_path / "saved"
        folder.mkdir()
        page = admin_page({"state": str(make_state(tmp_path / "state")), "seal_key": str(make_seal(tmp_path / "seal")), **more})
        names = [{"name": f"door-{n}", "address": f"127.3.0.{n}:5692"} for n in range(1, members + 1)]
        page.done("POST", "security-groups", {"name": "doors", "members": names})
        page.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
        page.open(at)
        return page, folder

    return start


def saved(folder, count=1):
    """The documents that the browser has saved, by name."""
    def whole():
        files = sorted(folder.glob("*.json"))
        return files if len(files) == count and not list(folder.glob("*.crdownload")) and all(one.stat().st_size for one in files) else None

    wait_for(whole)
    return {one.name: json.loads(one.read_text()) for one in sorted(folder.glob("*.json"))}


def button(page, name, within=None):
    """Clicks it, as soon as it can be."""
    page.until(lambda: page.find("button", name, within).is_enabled(), f"{name} can be clicked")
    page.click("button", name, within)


def undo(page, said):
    """By the notice that says so."""
    page.see(said)
    button(page, "Undo", page.run("return [...document.querySelectorAll('.notice')].find((one) => one.innerText.includes(arguments[0]))", said))
    page.see(re.compile("Revision .* is undone"))


def dialog(page, title):
    return page.find("dialog", title)


# ---- Clients


def test_a_client_is_made_gets_access_and_a_token_that_is_revoked(admin_page, members):
    page = admin_page({"mappings": []}, at="clients")
    fleet = members(2)
    page.done("PUT", "mappings/hall", {key: value for key, value in plain_mapping(fleet, "hall", clients=[]).items() if key != "name"})
    page.click("link", "New client")
    page.fill("Name", "panel")
    button(page, "Make it, then a token")
    form = dialog(page, "A token for panel")
    page.see("cannot be taken back by Undo", form)
    page.fill("What it is for", "wall panel", within=form)
    page.choose("Good for", "30 days", form)
    button(page, "Make it", form)
    shown = dialog(page, "The new token")
    page.see("said once", shown)
    token = page.run("return arguments[0].querySelector('pre').textContent", shown)
    page.press("Escape")
    page.see("said once", shown)  # only who has it closes it
    page.run("history.back()")
    page.gone("dialog")
    page.run("history.forward()")
    shown = dialog(page, "The new token")
    page.see(token, shown)
    button(page, "I have it", shown)
    page.gone("dialog")
    assert token not in page.run("return document.documentElement.outerHTML")
    assert page.gateway.request("/hall/status", headers={"Authorization": f"Bearer {token}"}).status == 403
    button(page, "Give access")
    form = dialog(page, "Give access")
    page.see("panel on hall: GET", form)
    button(page, "Give", form)
    page.see("panel may send GET to hall.")
    assert page.gateway.request("/hall/status", headers={"Authorization": f"Bearer {token}"}).status == 200
    undo(page, "panel may send GET to hall.")
    page.see("It may send nothing yet")
    button(page, "Revoke wall panel")
    form = dialog(page, "Revoke this token?")
    page.see("This cannot be undone", form)
    button(page, "Revoke it for good", form)
    page.see("The token wall panel is revoked.")
    page.gone("button", "Revoke wall panel")
    assert page.gateway.request("/hall/status", headers={"Authorization": f"Bearer {token}"}).status == 401


def test_a_clients_access_is_changed_where_it_has_some(admin_page, members):
    page = admin_page({"mappings": []})
    hall = plain_mapping(members(2), "hall", clients=[{"name": "panel", "methods": ["GET"]}])
    page.done("PUT", "clients/panel", {}, If_None_Match="*")
    page.done("PUT", "mappings/hall", {key: value for key, value in hall.items() if key != "name"}, If_None_Match="*")
    page.open("clients/panel")
    button(page, "Change access to hall")
    form = dialog(page, "panel on hall")
    page.click("checkbox", "FETCH", within=form)
    button(page, "Save", form)
    page.see("panel may send GET, FETCH to hall.")
    assert page.done("GET", "mappings/hall").json()["clients"] == [{"name": "panel", "methods": ["GET", "FETCH"]}]


def test_removing_a_client_says_first_what_goes_with_it(admin_page, group):
    page = admin_page()
    page.done("PUT", "clients/panel", {"role": "operator"})
    page.done("POST", "clients/panel/tokens", {"label": "phone"})
    page.done("PUT", "mappings/hall", {"group": group.uri, "security": "none", "timeout": 2, "clients": ["panel"]})
    page.open("clients/panel")
    page.see("phone")
    button(page, "Remove")
    form = dialog(page, "Remove panel?")
    page.see("panel on hall: GET, FETCH", form)
    page.see("1 token will be revoked. That cannot be undone", form)
    assert page.focused() == ("button", "Cancel")
    button(page, "Remove", form)
    page.see("panel is removed.")
    page.at("clients")
    undo(page, "panel is removed.")
    page.find("link", "panel")
    assert page.done("GET", "clients/panel/tokens").json()["items"] == []
    assert page.done("GET", "mappings/hall").json()["clients"] == ["panel"]


def test_somebody_elses_change_of_a_client_loses_nothing(admin_page):
    page = admin_page()
    page.done("PUT", "clients/panel", {})
    page.open("clients/panel")
    page.find("combobox", "Role")
    page.choose("Role", "operator")
    page.done("PATCH", "clients/panel", {"role": "viewer"}, If_Match="*")
    button(page, "Save")
    page.see("root changed this meanwhile. What you typed is kept.")
    button(page, "Save mine over it")
    page.see("panel is saved.")
    assert page.done("GET", "clients/panel").json()["role"] == "operator"
    page.expect("412")


def test_a_viewer_is_offered_nothing_that_would_be_refused(admin_page):
    page = admin_page({"clients": {"root": client(), "eye": client("viewer", "the-viewers")}}, at="clients/eye", token="the-viewers")
    for at, text in ("clients/eye", "What it may"), ("clients", "viewer"), ("members", "No member yet"), ("security-groups", "No security group yet"), \
            ("reactions", "No reaction yet"), ("discovery", "Nothing was looked for yet"):
        page.open(at)
        page.see(text)
        for word in "New", "Make", "Remove", "Revoke", "Give", "Save", "Paste", "Look who":
            assert not page.find_all("button", re.compile(f"^{word}")) and not page.find_all("link", re.compile(f"^{word}")), (at, word)


# ---- Security groups


def test_keys_are_renewed_in_three_steps(sealed_page):
    page, folder = sealed_page(GROUP)
    old = page.done("GET", GROUP).json()["keys"]["gid"]
    button(page, "Prepare new keys")
    form = dialog(page, "Prepare new keys?")
    page.see("Nothing goes out on the air", form)
    button(page, "Prepare", form)
    page.see("0 of 3 have them")
    button(page, "Activate …")  # nobody has them: that is said, and has to be meant
    form = dialog(page, "Activate the new keys?")
    page.see("door-1, door-2, door-3 are not known to hold them", form)
    assert not page.find("button", "Activate anyway", form).is_enabled()
    button(page, "Cancel", form)
    button(page, "Save file of door-1")
    page.see("1 of 3 have them")
    page.gone("button", "Save file of door-1")
    button(page, "Save 2 files in one")
    page.see("3 of 3 have them")
    files = saved(folder, 2)
    gid = page.done("GET", GROUP).json()["next"]["gid"]
    assert files["doors-door-1.json"]["common"]["gid"] == gid
    assert sorted(files[f"doors-{gid}-files.json"]["files"]) == ["12", "13"]
    button(page, "Activate")
    form = dialog(page, "Activate the new keys?")
    page.see("This cannot be undone", form)
    button(page, "Activate", form)
    page.see("doors sends under the new keys.")
    now = page.done("GET", GROUP).json()
    assert now["keys"]["gid"] == gid != old and now["next"] is None
    page.find("button", "Prepare new keys")


def test_a_member_is_added_with_its_file_once_and_another_evicted(sealed_page):
    page, folder = sealed_page(GROUP)
    button(page, "Add a member")
    form = dialog(page, "A member for doors")
    page.fill("Name", "door-9", within=form)
    page.fill("Address", "not an address", within=form)
    button(page, "Add, and save its file", form)
    page.until("document.querySelector('dialog .field .error') !== null", "the mistake at its field")
    page.fill("Address", "127.3.0.9:5692", within=form)
    button(page, "Add, and save its file", form)
    shown = dialog(page, "door-9 is added")
    page.see("is given this once", shown)
    file = saved(folder)["doors-door-9.json"]
    assert file["self"]["private_key"] and file["common"]["gid"] == page.done("GET", GROUP).json()["next"]["gid"]
    button(page, "It is saved", shown)
    page.see("1 of 4 have them")
    button(page, "Evict door-2")
    form = dialog(page, "Evict door-2?")
    page.see("This cannot be undone", form)
    page.see("take the place of the keys that are prepared already", form)
    button(page, "Evict it", form)
    page.see("New keys without door-2 are prepared.")
    page.see("evicted by them")
    button(page, "Abandon")
    button(page, "Abandon", dialog(page, "Abandon what is prepared?"))
    page.see("are given up")
    page.gone("button", "Save file of door-9")
    page.expect("400")


def test_a_group_is_made_and_one_taken_in_only_by_who_knows_its_key(sealed_page, tmp_path):
    page, folder = sealed_page("security-groups/new")
    page.fill("Name", "lamps")
    page.fill("Members", "lamp-1 127.5.0.1:5683\n127.5.0.2\nlamp-3")
    button(page, "Make it")
    page.at("security-groups/lamps")
    made = page.done("GET", "security-groups/lamps").json()["members"]
    assert [(one.get("name"), one.get("address")) for one in made] == [("lamp-1", "127.5.0.1:5683"), (made[1].get("name"), "127.5.0.2:5683"),
                                                                         ("lamp-3", None)]
    button(page, "Save 3 files in one")
    files = next(iter(saved(folder).values()))["files"]
    given = tmp_path / "given.json"
    given.write_text(json.dumps(files["11"]))
    page.open("security-groups/new")
    page.fill("Name", "taken")
    page.click("radio", re.compile("Take in keys"))
    page.find("button", re.compile("Security group file"))
    page.run("return document.getElementById('keys-file')").send_keys(str(given))
    assert not page.find("button", "Make it").is_enabled()
    page.click("checkbox", re.compile("never sent anything"))
    button(page, "Make it")
    page.at("security-groups/taken")
    page.see("Its members' private keys are not here")
    button(page, "Remove")
    button(page, "Remove it for good", dialog(page, "Remove taken?"))
    page.at("security-groups")
    page.gone("link", "taken")


# ---- Members


def many(page, group, name, first, last):
    page.done("PUT", f"mappings/{name}", {"group": f"{group.uri}/{name}", "security": "none", "timeout": 2,
                                           "members": [f"127.2.0.{n}:5691" for n in range(first, last + 1)]})


def listed(page, mapping):
    return page.done("GET", f"mappings/{mapping}").json().get("members", [])


def test_many_members_are_taken_out_added_and_back_by_undo(admin_page, group):
    page = admin_page({"mappings": []}, at="members")
    many(page, group, "east", 1, 30)
    many(page, group, "west", 25, 40)
    page.see("40")
    page.choose("Group", "west")
    page.until("document.querySelectorAll('tr.row').length === 16", "west's members")
    page.click("checkbox", "Choose all that are found")
    page.see("16 chosen")
    button(page, "Take out of …")
    form = dialog(page, "Take 16 members out")
    page.choose("Mapping", "all that they are in", form)
    page.see("2 lists will be shorter", form)
    button(page, "Take out", form)
    page.see("16 members taken out of 2 mappings.")
    assert (len(listed(page, "east")), len(listed(page, "west"))) == (24, 0)
    undo(page, "16 members taken out of 2 mappings.")
    assert (len(listed(page, "east")), len(listed(page, "west"))) == (30, 16)
    page.choose("Group", "east")
    page.until("document.querySelectorAll('tr.row').length === 30", "east's members")
    page.click("checkbox", "Choose 127.2.0.1:5691")
    button(page, "All but these")
    page.see("29 chosen")
    button(page, "Add to …")
    form = dialog(page, "Add 29 members")
    page.choose("Mapping", "west, 16 members", form)
    page.see("23 members will be added; west then expects 39", form)
    button(page, "Add", form)
    page.see("23 members added to west.")
    assert "127.2.0.1:5691" not in listed(page, "west") and len(listed(page, "west")) == 39


def test_a_pasted_list(admin_page, group):
    page = admin_page({"mappings": []}, at="members?of=mapping:east")
    many(page, group, "east", 1, 3)
    page.see("127.2.0.3:5691")
    button(page, "Paste a list")
    form = dialog(page, "Paste a list")
    page.fill("Members", "no address here", within=form)
    page.press("Tab")
    page.see("There is no address in “no address here”", form)
    page.fill("Members", "127.2.0.2:5691, 127.2.0.7\nlamp-9 127.2.0.9:5691", within=form)
    page.click("radio", "Exactly these", form)
    page.see("east: 3 members now, 3 members then", form)
    button(page, "Save", form)
    page.see("east has 3 members.")
    assert listed(page, "east") == ["127.2.0.2:5691", "127.2.0.7", {"name": "lamp-9", "address": "127.2.0.9:5691"}]
    page.find("link", "lamp-9")


def test_who_is_yet_to_be_met_is_told_where_keys_protect(sealed_page, group):
    page, _ = sealed_page("members")
    page.until("document.querySelectorAll('tr.row').length === 3", "the doors")
    many(page, group, "east", 1, 2)
    page.done("PUT", "mappings/doors", {"group": group.uri, "security": "doors", "timeout": 2})
    page.until("[...document.querySelectorAll('tr.row .status')].filter((one) => one.innerText === 'cold').length === 3", "who is cold")
    page.open("members/door-1")
    page.see("cold")
    page.open("members/127.2.0.1:5691")
    page.see("In a list")
    page.until("!document.querySelector('main').innerText.includes('cold')", "nothing of it where nothing protects")


def test_thousands_of_members_are_drawn_as_they_are_seen(admin_page, group):
    page = admin_page({"mappings": []}, at="members")
    addresses = [f"127.{n >> 8}.{n & 255}.1:5691" for n in range(1000, 6000)]
    page.done("PUT", "mappings/all", {"group": group.uri, "security": "none", "timeout": 2, "members": addresses})
    page.see("5,000")
    assert page.run("return document.querySelectorAll('tr.row').length") < 100
    page.click("checkbox", "Choose all that are found")
    page.see("5,000 chosen")
    button(page, "Take out of …")
    form = dialog(page, "Take 5,000 members out")
    page.see("1 list will be shorter", form)
    button(page, "Take out", form)
    page.see("5,000 members taken out of 1 mapping.")
    assert listed(page, "all") == []


# ---- Discovery and reactions


def test_a_mapping_is_made_of_what_was_found(admin_page, members):
    page = admin_page({"mappings": []}, at="discovery")
    fleet = members(4)
    button(page, "Look who is there")
    form = dialog(page, "Look who is there")
    page.choose("Where", "Another group …", form)
    page.fill("Group", fleet.group.uri, within=form)
    page.fill("Listen for (seconds)", "1", within=form)
    page.see("by multicast to 1 group", form)
    button(page, "Send", form)
    page.see("4 of 4 answered.")
    page.see("/status")
    page.click("checkbox", re.compile(re.escape(fleet.texts[1])))
    page.click("checkbox", re.compile(re.escape(fleet.texts[2])))
    button(page, "Make a mapping …")
    form = dialog(page, "A mapping for 2 members")
    page.fill("Name", "found", within=form)
    page.choose("Resource", "/status", form)
    page.choose("Protection", "none", form)
    page.see("anybody on that network can read and forge", form)
    button(page, "Make it", form)
    page.see("found is made.")
    made = page.done("GET", "mappings/found").json()
    assert made["members"] == fleet.texts[1:3] and made["group"] == f"{fleet.group.uri}/status" and made["security"] == "none"


def test_a_reaction_is_made_with_mistakes_at_their_fields(sealed_page, group):
    page, _ = sealed_page("reactions", alerts={"listen": [f"coap://127.0.0.1:{free_udp_port()}"], "groups": []})
    page.done("PUT", "mappings/hall", {"group": group.uri, "security": "none", "timeout": 2})
    page.click("link", "New reaction")
    page.fill("Name", "smoke")
    page.choose("Security group", "doors")
    page.fill("Path", "/alarm")
    page.choose("To the mapping", "hall")
    method = page.find_all("combobox", "Method")[1]
    page.run("""arguments[0].value = '"PUT"'; arguments[0].dispatchEvent(new Event("change", {bubbles: true}))""", method)
    button(page, "Make it")
    page.see("alerts.groups")
    page.see("plain group: GET and FETCH only")
    assert page.run("return document.querySelectorAll('[aria-invalid=true]').length") == 2
    assert page.find("textbox", "Path").get_property("value") == "/alarm"
    page.expect("400")
