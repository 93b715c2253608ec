"""The screens that watch: what is tried first, the last exchanges as they come, and why that one did not answer."""

import re

import pytest

from conftest import plain_mapping

SENTENCE = "3 of 4 answered in"
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture
def page(members, admin_page):
    """Three members answer, one of them with an error, and one is not there."""
    fleet = members(3, "--fail", "1:4.04", "--answer-errors", "--resource", f"/evil={HOSTILE}")
    listed = [{"name": f"lamp-{i}", "address": text} for i, text in enumerate([*fleet.texts, "127.9.9.9:5683"], 1)]
    return admin_page({"mappings": [plain_mapping(fleet, members=listed, membership="complete", timeout=1, repair={"unicast": False})]})


def send(page):
    page.click("button", "Send GET /lights/.well-known/core")


def confirm(page):
    dialog = page.find("dialog", "Send this to the group?")
    page.see("Expected to answer", within=dialog)
    page.see("On the air", within=dialog)
    page.click("button", "Send", within=dialog)


def asked(page, path="/lights/status"):
    """An exchange of somebody else, and its ID."""
    return page.gateway.request(path).headers["Castgate-Exchange"]


def test_the_first_screen_says_what_to_try_and_does_it(page):
    page.find("heading", "What to try first")
    send(page)
    confirm(page)
    page.see(SENTENCE)
    page.find("image", re.compile(r"3 of 4 answered in .*; 1 of them with an error; lamp-4 is silent: "))


def test_what_goes_out_is_asked_once_where_one_says_so(page):
    send(page)
    page.click("checkbox", "Don't ask for this mapping again")
    confirm(page)
    page.see(SENTENCE)
    page.open("")
    send(page)
    page.see(SENTENCE)
    assert not page.find_all("dialog")


def test_nothing_goes_out_where_one_says_no(page):
    send(page)
    page.find("dialog", "Send this to the group?")
    page.press("Escape")
    page.gone("dialog")
    assert page.focused() == ("button", "Send GET /lights/.well-known/core")
    assert page.ask("GET", "exchanges").json()["items"] == []


def shown(page):
    return len(page.find_all("image", re.compile(SENTENCE)))


def test_what_others_ask_comes_by_itself_and_waits_while_it_is_paused(page):
    page.see("Nobody has asked for anything yet.")
    asked(page)
    page.until(lambda: shown(page) == 1, "the first exchange")
    page.click("button", "Pause")
    asked(page)
    page.find("button", "Go on (1 new)")
    assert shown(page) == 1
    page.click("button", "Go on (1 new)")
    page.until(lambda: shown(page) == 2, "the second exchange")
    page.see("Requests")


def test_an_exchange_shows_each_members_part(page):
    page.open(f"exchanges/{asked(page)}")
    page.see(SENTENCE)
    page.until("document.querySelectorAll('.timeline.large .dot').length === 3", "a dot for each answer")
    assert page.run("return document.querySelectorAll('.timeline.large .dot.failed').length") == 1
    table = page.find("table", "members")
    rows = page.find_all("row", within=table)
    assert len(rows) == 5 and "lamp-4" in page.text(rows[1]), "who is silent stands first"
    page.see("4.04", within=table)


def test_the_same_question_goes_out_again(page):
    first = asked(page, "/lights/status?x=1")
    page.open(f"exchanges/{first}")
    page.find("button", "Try again")
    page.press("t")
    confirm(page)
    page.until(lambda: page.place() not in ("", f"exchanges/{first}"), "the new exchange")
    page.see("GET /lights/status")


def test_what_members_say_stays_text(page):
    page.gateway.request("/lights/evil")
    page.open(f"exchanges/{asked(page, '/lights/evil')}")
    page.click("button", "Try again")
    confirm(page)
    page.see(HOSTILE)
    assert page.run("return document.querySelectorAll('main img').length") == 0


def test_the_list_is_filtered_and_says_so_in_its_address(page):
    asked(page)
    page.gateway.request("/nowhere")
    page.open("exchanges")
    page.until(lambda: len(page.find_all("row")) == 3, "both exchanges")
    page.choose("Outcome", "refused")
    page.until(lambda: len(page.find_all("row")) == 2, "the one that was refused")
    page.at("exchanges?outcome=refused")
    page.choose("Outcome", "left")
    page.find("heading", "No exchange fits")
    page.click("link", "Show all")
    page.until(lambda: len(page.find_all("row")) == 3, "both exchanges")


def test_datagrams_are_downloaded_with_the_token(page):
    id = asked(page)
    page.open(f"exchanges/{id}")
    page.click("button", "Datagrams (pcap)")
    page.until(lambda: any(url.endswith(f"/exchanges/{id}/pcap") for url in page.requests()), "the download")


def test_an_exchange_that_is_not_kept_any_more_is_said_to_be_so(page):
    page.expect("404")
    page.open("exchanges/0123456789abcdef")
    page.see("no exchange of late has this id")
    page.find("button", "Try again")


def test_every_screen_fits_a_small_one(page):
    id = asked(page)
    page.size(360)
    for at in "", "exchanges", f"exchanges/{id}":
        page.open(at)
        page.see("lights")
        assert page.run("return document.documentElement.scrollWidth") <= 360, at
