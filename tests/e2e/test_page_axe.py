"""No violation that axe-core finds, on any screen, full and empty, in light and dark, at a desk and on a telephone."""

import pytest

import axe
import page_world
from test_page import show, world  # noqa: F401: a fixture

DARK = {"runOnly": ["color-contrast", "link-in-text-block"]}  # what else there is does not change with the colours
NARROW = 360

pytestmark = pytest.mark.skipif(not axe.FILE.exists(), reason="axe-core is not there and could not be fetched (tests/e2e/axe.py)")


def look(page, paths, place):
    found = []
    for path in paths:
        page.prefer(color_scheme="light", reduced_motion="reduce")
        show(page, place(path))
        found += [(path, "light", one) for one in axe.violations(page)]
        page.prefer(color_scheme="dark", reduced_motion="reduce")
        found += [(path, "dark", one) for one in axe.violations(page, **DARK)]
        page.prefer(color_scheme="light", reduced_motion="reduce")
    return found


def test_axe_finds_nothing_where_there_is_much(admin_page, world):  # noqa: F811
    page = admin_page(world.gate)
    assert look(page, page_world.screens(page), world.place) == []


def test_axe_finds_nothing_where_there_is_nothing(admin_page):
    page = admin_page()
    assert look(page, [path for path in page_world.screens(page) if ":" not in path], lambda path: path) == []


def test_axe_finds_nothing_on_a_telephone(admin_page, world):  # noqa: F811
    page = admin_page(world.gate, width=NARROW)
    found = []
    for path in page_world.screens(page):
        show(page, world.place(path))
        found += [(path, one) for one in axe.violations(page)]
    page.click("button", "Screens")
    found += [("navigation", one) for one in axe.violations(page)]
    assert found == []


def test_axe_finds_nothing_in_dialogs_and_at_the_sign_in(admin_page):
    page = admin_page(token=None)
    page.find("button", "Sign in")
    found = axe.violations(page)
    page.fill("Token", "the-administrators\n")
    page.find("link", "System")
    page.press("?")
    page.find("dialog", "Keys")
    assert found + axe.violations(page) == []
