"""What every screen of the admin page keeps to, in a real browser."""


def test_the_token_of_the_address_signs_in_and_is_taken_out_of_it(admin_page):
    page = admin_page(at="exchanges")
    page.find("heading", "Exchanges")
    page.at("exchanges")
    assert page.run("return document.cookie") == "" and page.run("return localStorage.getItem('castgate.token')") is None


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
