"""History and System in a browser: who changed what, the way back, what the gateway is set to, and everything stored, out and in."""

import json
import re

import page as pages

VIEWER = "the-viewers"
FLOOR = {"group": "coap://224.0.1.187/light", "security": "none", "timeout": 2, "clients": ["anonymous"]}


def with_past(admin_page, at="history", **more):
    """floor3 made, then changed."""
    page = admin_page(at="", **more)
    page.done("PUT", "mappings/floor3", FLOOR, If_None_Match="*")
    page.done("PATCH", "mappings/floor3", {"timeout": 3}, If_Match="*")
    page.open(at)
    return page


def timeout_of(page):
    return page.done("GET", "mappings/floor3").json()["timeout"]


def test_a_change_is_undone_in_two_clicks_and_the_notice_takes_that_back(admin_page):
    page = with_past(admin_page)
    page.click("button", "Undo revision 2")
    page.see("Revision 2 is undone.")
    assert timeout_of(page) == 2
    page.see("undone by 3")
    page.gone("button", "Undo revision 2")
    page.click("button", "Undo")
    page.see("Revision 3 is undone.")
    assert timeout_of(page) == 3


def test_a_change_is_told_in_words_and_as_JSON(admin_page):
    page = with_past(admin_page, "history/2")
    page.find("heading", "Change mapping floor3")
    page.see(re.compile(r"timeout\s+2 3"))
    page.click("button", "as JSON")
    page.see('"timeout": 3')
    page.see("from 127.0.0.1")


def test_what_later_changes_rest_on_is_undone_with_them(admin_page):
    page = with_past(admin_page, "history")
    page.expect(r"revisions/1/undo.* 409")
    page.click("button", "Undo revision 1")
    page.see("Not undone")
    page.click("button", "Show in History")
    page.at("history/1")
    page.see("1 later change rests on this one")
    page.find("link", "revision 2")
    page.see("removes mapping floor3")
    page.click("button", "Undo all 2 together")
    page.see("Revision 1 and 1 later one are undone.")
    assert page.ask("GET", "mappings/floor3").status == 404


def test_what_cannot_be_undone_says_the_way_forward(admin_page):
    page = with_past(admin_page)
    page.done("PUT", "clients/dashboard", {}, If_None_Match="*")
    page.done("POST", "clients/dashboard/tokens", {"label": "wall"})
    page.click("link", "Make a token for client dashboard")
    page.see("This cannot be undone.")
    page.see("revoke it")
    assert page.find_all("button", "Undo") == []


def test_the_audit_has_what_was_refused(admin_page):
    page = with_past(admin_page)
    assert page.ask("PATCH", "mappings/floor3", {"timeout": "<b>long</b>"}, If_Match="*").status == 400
    page.click("link", "Audit")
    page.find("heading", "Audit")
    page.see("refused")
    page.find("cell", re.compile("refused"))


def test_a_viewer_reads_and_is_offered_no_change(admin_page):
    page = with_past(admin_page, settings={"clients": {"root": pages.client(), "eye": pages.client("viewer", VIEWER)}}, token=VIEWER)
    page.find("link", "Change mapping floor3")
    assert page.find_all("button", re.compile("Undo")) == [] and page.find_all("link", "Audit") == []
    page.open("history/2")
    page.see("Admins can take this back.")
    page.open("system")
    page.find("button", "Export")
    assert page.find_all("button", "Choose a file") == []
    page.open("system/settings")
    assert not page.find("textbox", "Sequence rate (messages per second)").is_enabled()


def test_settings_are_set_with_what_they_change_beside(admin_page):
    page = admin_page({"limits": {"observers": 77}}, at="system/settings")
    page.fill("Exchanges", "0")
    page.press("Tab")
    page.see(re.compile("This must be at least 1", re.I))
    assert not page.find("button", "Save").is_enabled()
    page.fill("Exchanges", "200")
    page.fill("Receive buffer (bytes)", "65536")
    page.see("1 of them counts after the gateway's next start.")
    page.click("button", "Save")
    page.see("The settings are saved.")
    assert page.done("GET", "settings").json()["stored"] == {"limits": {"exchanges": 200}, "group": {"receive_buffer": 65536}}
    page.click("button", "Undo")
    page.see("Revision 1 is undone.")
    assert page.done("GET", "settings").json()["stored"] == {}
    page.until(lambda: page.find("textbox", "Exchanges").get_property("value") == "", "the field as it was")
    assert page.find_all("textbox", "Observers") == []  # the file's
    page.see("Set in the settings file, and changed there.")


def test_the_gateways_mistakes_stand_at_their_fields(admin_page):
    page = admin_page(at="system/settings")
    page.expect(r"settings(\?dry_run=true)? .* 400")
    page.fill("Trusted proxies", "not an address")
    page.click("button", "Save")
    field = page.find("textbox", "Trusted proxies")
    page.until(lambda: field.get_attribute("aria-invalid") == "true", "the mistake at its field")
    assert field.get_property("value") == "not an address"


def test_somebody_elses_settings_are_shown_beside_ones_own(admin_page):
    page = admin_page(at="system/settings")
    page.done("PATCH", "settings", {"limits": {"exchanges": 100}})
    page.until(lambda: page.find("textbox", "Exchanges").get_property("value") == "100", "their number, while nothing is typed")
    page.fill("Exchanges", "300")
    page.done("PATCH", "settings", {"limits": {"exchanges": 150}}, If_Match="*")
    typed = page.find("textbox", "Exchanges")
    conflict = page.find("status", "Somebody else changed this")
    assert "300" in page.text(conflict) and "150" in page.text(conflict) and typed.get_property("value") == "300"
    page.click("button", "Save mine over it")
    page.see("The settings are saved.")
    assert page.done("GET", "settings").json()["stored"] == {"limits": {"exchanges": 300}}


def test_everything_stored_goes_out_and_comes_in_again(admin_page, tmp_path):
    page = with_past(admin_page, "system")
    page.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.click("button", "Export")
    file = tmp_path / "castgate-export.json"
    page.until(file.exists, "the exported file")
    assert file.read_bytes() == page.done("GET", "export").body
    page.done("DELETE", "mappings/floor3", If_Match="*")
    page.done("PUT", "mappings/floor4", {**FLOOR, "path": "/floor4"}, If_None_Match="*")
    chooser = page.run("return document.querySelector('input[type=file]')")
    chooser.send_keys(str(file))
    page.see("makes mapping floor3")
    page.see("removes mapping floor4")
    page.see("Loses access")
    page.click("button", "Replace what is stored")
    page.see("castgate-export.json is imported.")
    assert [one["name"] for one in page.done("GET", "mappings").json()["items"]] == ["floor3"]


def test_an_import_that_is_wrong_changes_nothing_and_says_where(admin_page, tmp_path):
    page = with_past(admin_page, "system")
    document = page.done("GET", "export").json()
    document["mappings"][0]["timeout"] = "<img src=x onerror=alert(1)>"
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps(document))
    page.expect(r"import\?dry_run=true .* 400")
    page.find("button", "Choose a file")
    page.run("return document.querySelector('input[type=file]')").send_keys(str(file))
    page.see("#/mappings/0/timeout")
    file.write_text("{")
    page.run("return document.querySelector('input[type=file]')").send_keys(str(file))
    page.see("This is no JSON")
    assert timeout_of(page) == 3
