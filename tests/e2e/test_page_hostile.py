"""Texts of others stay texts: names, payloads, paths, labels and errors with markup in them are read, and never obeyed. And a great many
of them make no more work than what is seen."""

import urllib.parse

import page as pages
from conftest import plain_mapping
from test_page import show

MARKUP = ["<script>hit()</script>", "<img src=x onerror=hit()>", "<svg onload=hit()>", "<svg/onload=hit()//", "<iframe src=javascript:hit()>",
          "<body onload=hit()>", "<a href=javascript:hit()>x</a>", "<a href='//evil.example'>x</a>", "<b>bold</b>", "</td></tr></table><h1>x",
          "</script><script>hit()</script>", "<style>*{display:none}</style>", "<link rel=stylesheet href=//evil.example>", "<!-- ", "]]>",
          "<object data=//evil.example>", "<embed src=//evil.example>", "<form action=//evil.example><input>", "<meta http-equiv=refresh content=0>",
          "<base href=//evil.example>", "<details open ontoggle=hit()>", "<video src=x onerror=hit()>", "<input autofocus onfocus=hit()>",
          "<math><mtext></mtext><script>hit()</script>", "<noscript><p title='</noscript><img src=x onerror=hit()>'>", "<template><img></template>",
          "\"><script>hit()</script>", "'><img src=x onerror=hit()>", "\" onmouseover=\"hit()", "' onfocus='hit()", "`${hit()}`", "${hit()}", "{{hit()}}",
          "javascript:hit()", "data:text/html,<script>hit()</script>", "&lt;script&gt;hit()&lt;/script&gt;", "&#60;img src=x onerror=hit()&#62;",
          "%3Cscript%3Ehit()%3C/script%3E", "\\u003cscript\\u003ehit()", "\u202egnp.tpircs\u202c", "\u200bzero\u200bwidth\ufeff", "a\u0300\u0301\u0302\u0303\u0304\u0305",
          "\U0001f4a1\u200d\U0001f6aa", "constructor", "__proto__", "toString", "null", "[object Object]", "x" * 63, "; DROP TABLE mappings; --"]
TOKENS_MAX = 16  # of one client
WATCH = "window.hits = 0; window.hit = () => window.hits++;"
INTRUDERS = """
return [...document.querySelectorAll("main *, dialog *, .notices *")].filter((one) =>
    ["SCRIPT", "IFRAME", "IMG", "OBJECT", "EMBED", "BASE", "META", "LINK", "STYLE", "VIDEO"].includes(one.tagName)
    || [...one.attributes].some(({name, value}) => name.startsWith("on") || /^\\s*(javascript|data):/i.test(value) || (name === "href" && !value.startsWith("#")))
).map((one) => one.outerHTML.slice(0, 200));
"""


def is_harmless(page):
    assert page.run(INTRUDERS) == [] and page.run("return window.hits") == 0 and page.run("return document.title").endswith("castgate")


def test_fifty_attempts_in_paths_names_and_labels_stay_text(members, admin_page):
    assert len(MARKUP) == 50
    fleet = members(1, "--answer-errors", "--resource", f"/evil={MARKUP[1]}")
    lamps = plain_mapping(fleet, members=fleet.texts, timeout=1)
    page = admin_page({"mappings": [lamps]})
    page.run(WATCH)
    page.done("PUT", "clients/wall", {}, If_None_Match="*")
    for text in MARKUP[:TOKENS_MAX]:
        assert page.ask("POST", "clients/wall/tokens", {"label": text[:60]}).status in (201, 400), text
    for text in MARKUP[:3]:  # no name can be so: what can are labels, paths and what others say
        listed = [{"name": text, "address": "127.9.0.1:5683"}]
        assert page.ask("PUT", "mappings/many", {"group": fleet.group.uri, "security": "none", "members": listed}, If_None_Match="*").status == 400
    for text in MARKUP:
        page.gateway.request("/lights/" + urllib.parse.quote(text, safe=""))
    evil = page.gateway.request("/lights/evil").headers["Castgate-Exchange"]
    for place in "exchanges", f"exchanges/{evil}", "history", "history/audit", "clients/wall", "members", "mappings", "history/1":
        show(page, place)
        is_harmless(page)
        if place == "exchanges":
            page.see(urllib.parse.quote(MARKUP[1], safe=""))
        if place == "clients/wall":
            page.see(MARKUP[1])
    page.open("exchanges")
    page.fill("Search exchanges", "<nothing is like this>", role="searchbox")
    page.see("<nothing is like this>")
    is_harmless(page)


def test_an_error_with_markup_stays_text(admin_page):
    page = admin_page(at="system/settings")
    page.run(WATCH)
    page.expect(" 400 ")
    page.fill("Trusted proxies", MARKUP[1])
    page.click("button", "Save")
    page.until(lambda: page.find("textbox", "Trusted proxies").get_attribute("aria-invalid") == "true", "the mistake")
    is_harmless(page)


# ---- Ten thousand

MANY = 10_000
DRAWN_MAX = 200  # rows, of a list that is as high as the window
WORK = """const done = arguments[0]; import("/parts/table.js").then(({work}) => done({...work, nodes: document.querySelectorAll("*").length,
    rows: document.querySelectorAll("tr.row").length}))"""


def work(page):
    return page.browser.execute_async_script(WORK)


def test_ten_thousand_mappings_and_members_make_the_work_of_what_is_seen(gateway, admin_page):
    group = "coap://224.0.1.187"
    mappings = [{"name": f"floor-{i}", "path": f"/floor-{i}", "group": group, "security": "none", "timeout": 1, "clients": ["anonymous"]}
                for i in range(MANY - 1)]
    listed = [{"name": f"lamp-{i}", "address": f"127.{1 + i // 62500}.{i // 250 % 250}.{1 + i % 250}:5683"} for i in range(MANY)]
    mappings.append({**mappings[0], "name": "all", "path": "/all", "members": listed, "membership": "complete"})
    gate = gateway({"clients": {"root": pages.client()}, "mappings": mappings})
    page = admin_page(gate)
    for place, label, wanted in ("mappings", "mappings", "floor-777"), ("members", "members", "lamp-777"):
        page.open(place)
        page.until("document.querySelectorAll('tr.row').length > 0", f"rows of {place}")
        page.until(f"document.querySelector('table').getAttribute('aria-rowcount') === '{MANY + 1}'", f"all {place}")
        before = work(page)
        assert before["rows"] <= DRAWN_MAX and before["nodes"] <= 6000, (place, before)
        page.find("searchbox", f"Search {label}").send_keys(wanted)
        page.find("link", wanted)
        after = work(page)
        compared = after["compared"] - before["compared"]
        alike = len(wanted.rstrip("7")) + 1  # keys until it tells them apart; from there each looks only through what the one before found
        assert compared <= alike * MANY + MANY // 4, (place, compared)
        assert after["drawn"] - before["drawn"] <= 12 * DRAWN_MAX, (place, before, after)
        assert after["keyed"] - before["keyed"] <= MANY, (place, before, after)
        page.fill(f"Search {label}", " ", role="searchbox")
        page.run("scrollTo(0, document.documentElement.scrollHeight / 2)")
        page.until("(() => { const at = document.querySelector('tr.row'); return at && Number(at.getAttribute('aria-rowindex')) > 4000; })()", "the middle")
        assert work(page)["rows"] <= DRAWN_MAX, place
