"""No violation that axe-core finds: on any screen, full and empty, dark at a desk and light on a telephone (so that each colour and
each way of laying out is looked at, and nothing four times)."""

import axe
import page_world
from page import TOKEN
from test_page import show, world  # noqa: F401: a fixture

WIDTH, NARROW = 1280, 360


def look(page, scheme="light"):
    page.prefer(color_scheme=scheme, reduced_motion="reduce")  # a colour on its way to another is neither
    return [(page.place(), scheme, one) for one in axe.violations(page)]


def finds_nothing(found):
    assert not found, "\n".join(map(str, found))


def test_axe_finds_nothing_where_there_is_much(admin_page, world):  # noqa: F811
    page = admin_page(world.gate, width=WIDTH)
    found = []
    for path in page_world.screens(page):
        show(page, world.place(path))
        found += look(page, "dark")
        page.size(NARROW)
        found += look(page)
        page.size(WIDTH)
    finds_nothing(found)


def test_axe_finds_nothing_where_there_is_nothing(admin_page):
    page = admin_page(token=None, width=WIDTH)
    page.find("button", "Sign in")
    found = look(page)
    page.fill("Token", f"{TOKEN}\n")
    page.find("link", "System")
    for path in page_world.screens(page):
        if ":" not in path and not path.endswith("/new"):
            show(page, path)
            found += look(page, "dark")
    page.press("?")
    page.find("dialog", "Keys")
    found += look(page)
    page.press("Escape")
    page.size(NARROW)
    page.click("button", "Screens")
    finds_nothing(found + look(page))
