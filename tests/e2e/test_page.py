"""What every screen of the admin page keeps to, in a real browser: one signs in and stays where one was, the connection comes back by
itself, the keyboard reaches everything, it is wide enough for a telephone, and it weighs little."""

import re

import pytest

import page as pages
import page_world

NARROW = 360
TRANSFERRED_MAX = 150_000  # bytes
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


def test_who_signs_out_leaves_nothing_in_the_tab(admin_page):
    page = admin_page(at="system/settings")
    page.fill("Exchanges", "321")
    page.until("sessionStorage.getItem('castgate.draft.settings') !== null", "the draft")
    page.run("window.isOld = true")
    page.click("button", "Sign out")
    page.until("window.isOld === undefined && document.getElementById('token') !== null", "a page that begins anew")
    assert page.run("return Object.keys(sessionStorage)") == []


def test_a_broken_address_gives_its_token_up_all_the_same(admin_page):
    page = admin_page(at="history", token=None)
    page.run(f"location.hash = '#token={pages.TOKEN}&at=%'")
    page.find("heading", "Last exchanges")
    page.at("")


def test_what_no_header_can_carry_is_no_token(admin_page):
    page = admin_page(at="history", token=None)
    page.fill("Token", "the-administrators\u202e\n")
    page.see("This is no token")
    page.run("location.hash = '#token=%E2%80%AEx'")
    page.until("!location.hash.includes('token')", "the address")
    page.find("button", "Sign in")


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


WATCH_FOCUS = """
window.walked = [];
addEventListener("focusin", ({target}) => {
    const {outlineStyle, boxShadow} = getComputedStyle(target);
    walked.push({target, isSeen: outlineStyle !== "none" || boxShadow !== "none" || target.matches(".skip")});
});
"""
TABBABLE = """
return [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((one) =>
    one.tabIndex >= 0 && !one.disabled && one.checkVisibility({visibilityProperty: true})).length
"""
UNREACHED = """
const order = walked.map(({target}) => target);
const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter((one) =>
    one.tabIndex >= 0 && !one.disabled && !one.matches(".skip") && one.checkVisibility({visibilityProperty: true}));
const name = (one) => one.outerHTML.slice(0, 160);
const radios = new Set(all.filter((one) => one.type === "radio" && !one.checked));
return {
    missed: all.filter((one) => !order.includes(one) && !radios.has(one)).map(name),
    unseen: walked.filter(({target, isSeen}) => !isSeen && all.includes(target)).map(({target}) => name(target)),
    backwards: order.filter((one, i) => i > 0 && order.indexOf(one) === i && one.isConnected && order[i - 1].isConnected
        && (order[i - 1].compareDocumentPosition(one) & Node.DOCUMENT_POSITION_PRECEDING)).map(name),
};
"""


def test_tab_reaches_everything_in_reading_order_and_the_focus_is_seen(everywhere):
    def look(page, path):
        page.run("window.walked.length = 0; document.querySelector('.skip').focus()")
        page.tab(page.run(TABBABLE))
        found = page.run(UNREACHED)
        assert found == {"missed": [], "unseen": [], "backwards": []}, (path, found)

    def first(page, path):
        if not page.run("return 'walked' in window"):
            page.run(WATCH_FOCUS)
        look(page, path)

    everywhere(first)


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


def test_who_wants_no_motion_has_none(everywhere):
    def look(page, path):
        moving = page.run("""
            const long = (text) => text.split(",").some((one) => parseFloat(one) > 0.01);
            return [...document.querySelectorAll("*")].filter((one) => {
                const style = getComputedStyle(one);
                return long(style.transitionDuration) || (style.animationName !== "none" && long(style.animationDuration)) || style.scrollBehavior === "smooth";
            }).slice(0, 3).map((one) => one.outerHTML.slice(0, 200))""")
        assert moving == [], (path, moving)

    def first(page, path):
        page.prefer(reduced_motion="reduce")
        look(page, path)

    everywhere(first)


# ---- Empty, full, failing


def test_the_first_screen_weighs_little(admin_page):
    """With heads, at an address where the browser has never been, so that it knows nothing yet. What all files come to is in
    test_page_files.py."""
    page = admin_page()
    page.find("link", "System")
    assert 20_000 < page.transferred() <= TRANSFERRED_MAX


def test_no_screen_says_a_word_in_the_console(everywhere):
    page = everywhere(lambda page, path: None)
    assert page.console_lines() == []


def test_every_screen_does_its_first_step_where_there_is_nothing(admin_page):
    page = admin_page()
    for path in page_world.screens(page):
        if ":" not in path:
            show(page, path)
            assert page.find_all("heading"), path
