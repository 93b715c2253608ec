"""What every screen of the admin page keeps to, in a real browser: one signs in and stays where one was, the connection comes back by
itself, single keys do what they say, and a telephone is wide enough."""

import pytest

import page as pages
import page_world

NARROW = 360
PEOPLE = {"clients": {"root": pages.client(), "other": pages.client("admin", "the-others")}}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """One that has something of everything, for all tests that only look."""
    with page_world.World(tmp_path_factory.mktemp("world")) as one:
        one.gate = one.full()
        yield one


@pytest.fixture
def everywhere(admin_page, world):
    """everywhere(look): a page that has been at each of its screens, where look(page, path) was called."""

    def go(look, **more):
        page = admin_page(world.gate, **more)
        seen = page_world.screens(page)
        for path in seen:
            show(page, world.place(path))
            look(page, path)
        assert {"", "exchanges", "mappings/:name", "history", "system"} <= set(seen)
        return page

    return go


def show(page, place):
    page.open(place)
    page.until("document.querySelector('main h1, main .empty h2') !== null && document.querySelector('main .waiting[role=status]') === null",
               f"the screen {place}")


# ---- Signing in


def test_the_token_of_the_address_signs_in_and_is_taken_out_of_it(admin_page):
    page = admin_page(at="exchanges")
    page.find("heading", "Exchanges")
    page.at("exchanges")
    assert page.run("return document.cookie") == "" and page.run("return localStorage.getItem('castgate.token')") is None


def test_one_signs_in_by_hand_and_signs_out(admin_page):
    page = admin_page(at="history", token=None)
    page.expect("warnings .* 401")
    page.fill("Token", "not-the-one\n")
    page.see("does not know this token")
    page.fill("Token", pages.TOKEN + "\n")
    page.find("heading", "History")
    page.at("history")
    page.click("button", "Sign out")
    page.find("button", "Sign in")
    assert page.run("return sessionStorage.getItem('castgate.token')") is None


def test_a_token_that_ends_keeps_the_place_and_what_was_typed(admin_page):
    page = admin_page(at="", token=None)
    page.done("PUT", "clients/guest", {"role": "admin"}, If_None_Match="*")
    given = page.done("POST", "clients/guest/tokens").json()
    page.fill("Token", given["token"] + "\n")
    page.find("link", "System")
    page.open("system/settings")
    page.fill("Exchanges", "321")
    page.expect(" 401 ")
    page.done("DELETE", f"clients/guest/tokens/{given['id']}")
    dialog = page.find("dialog", "Sign in again")
    page.see("What you were doing is kept", within=dialog)
    page.fill("Token", pages.TOKEN + "\n", within=dialog)
    page.gone("dialog")
    page.at("system/settings")
    assert page.find("textbox", "Exchanges").get_property("value") == "321"


# ---- The connection


def test_a_gateway_that_is_gone_is_a_line_and_it_comes_back_by_itself(admin_page, gateway):
    page = admin_page(at="history", settings=PEOPLE)
    page.done("PUT", "clients/lamp", {}, If_None_Match="*")
    page.find("link", "Save client lamp")
    page.expect("net::ERR_")
    page.gateway.stop()
    page.see("No connection to the gateway since")
    page.find("link", "Save client lamp")  # still to be read
    again = gateway(page.gateway.settings)
    page.until(lambda: "No connection" not in page.text(), "the connection")
    page.gateway = again
    page.done("PUT", "clients/door", {}, If_None_Match="*")
    page.find("link", "Save client door")


def test_what_somebody_else_does_is_seen_by_itself(admin_page):
    page = admin_page(at="history", settings=PEOPLE)
    page.see("Nothing was changed yet")
    page.ask("PUT", "clients/lamp", {}, token="the-others", If_None_Match="*")
    page.find("link", "Save client lamp")
    page.see("other")
    streams = [url for url in page.requests() if url.endswith("/events")]
    assert len(streams) == 1, streams


# ---- The keyboard


def test_the_list_of_keys_is_a_dialog_that_keeps_the_focus(admin_page):
    page = admin_page()
    page.find("link", "Exchanges")
    page.press("?")
    page.find("dialog", "Keys")
    assert page.find_all("link") == []  # what is behind it cannot be reached
    page.press("Tab", "Tab", "Tab")
    assert page.run("return document.activeElement.closest('dialog') !== null || document.activeElement === document.body")
    page.press("Escape")
    page.gone("dialog", "Keys")
    page.find("link", "Exchanges")


def test_single_keys_search_and_make(admin_page):
    page = admin_page(at="history")
    page.done("PUT", "clients/lamp", {}, If_None_Match="*")
    page.find("link", "Save client lamp")
    page.press("/")
    assert page.focused() == ("searchbox", "Search changes")
    page.press("?", "n")  # typed, not obeyed
    assert page.find("searchbox", "Search changes").get_property("value") == "?n" and page.find_all("dialog") == []
    page.open("mappings")
    page.find("heading", "Mappings")
    page.until("document.activeElement === document.body || document.activeElement.id === 'content'", "the focus out of the field")
    page.press("n")
    page.at("mappings/new")


# ---- How it looks


def test_a_telephone_needs_no_scrolling_sideways(everywhere):
    def look(page, path):
        width, beyond = page.run("""
            const edge = document.documentElement.clientWidth;
            return [document.documentElement.scrollWidth, [...document.querySelectorAll("main *")].filter((one) =>
                one.getBoundingClientRect().right > edge + 1 && one.checkVisibility() && !one.closest("pre, svg, datalist, thead")
                && getComputedStyle(one).position !== "absolute").slice(0, 3).map((one) => one.outerHTML.slice(0, 200))]""")
        assert width <= NARROW and not beyond, (path, width, beyond)

    everywhere(look, width=NARROW)


# ---- Empty, full, failing


def test_every_screen_does_its_first_step_where_there_is_nothing(admin_page):
    page = admin_page()
    for path in page_world.screens(page):
        if ":" not in path:
            show(page, path)
            assert page.find_all("heading"), path
