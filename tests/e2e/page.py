"""The admin page in a real browser, as a person has it: things are found by their role and name, as the browser's own accessibility
tree computes them, and used by real clicks and keys. Nothing sleeps; what is waited for is a condition.

The hard part is that a test must notice what nobody sees: a line in the console, a refused file, a request to another host, a
request that failed. All of them are gathered, and a page is only closed in peace (`Page.check`) where the test has named them
before by `Page.expect`."""

import hashlib
import json
import re
import shutil
import time

from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

PATIENCE = 30  # seconds until the page must have done what it was told
TOKEN = "the-administrators"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--no-proxy-server",
             "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-pipe", "--force-color-profile=srgb"]
NAMED_KEYS = {"Tab": Keys.TAB, "Enter": Keys.ENTER, "Escape": Keys.ESCAPE, "Space": Keys.SPACE, "Up": Keys.ARROW_UP,
              "Down": Keys.ARROW_DOWN, "Left": Keys.ARROW_LEFT, "Right": Keys.ARROW_RIGHT, "Backspace": Keys.BACKSPACE}


def client(role="admin", token=TOKEN):
    """What stands in the settings' `clients` for one who signs in with this token."""
    return {"token_sha256": hashlib.sha256(token.encode()).hexdigest(), "role": role}


def ask(gateway, method, path, body=None, token=TOKEN, **headers):
    """The REST side, as another admin has it; header names with _ for -."""
    headers = {"Authorization": f"Bearer {token}", **{key.replace("_", "-"): value for key, value in headers.items()}}
    data = None if body is None else json.dumps(body).encode()
    if data is not None:
        headers["Content-Type"] = "application/json"
    return gateway.request(f"/admin/v1/{path}", method, headers, data, to=gateway.admin)


def done(gateway, method, path, body=None, **headers):
    reply = ask(gateway, method, path, body, **headers)
    assert reply.status in (200, 201, 204), (method, path, reply.status, reply.body)
    return reply


def start_browser():
    """Debian's. One is enough for many pages: each gets a tab of its own, and a gateway's port makes an origin of its own."""
    driver = shutil.which("chromedriver")
    assert driver, "no chromedriver: conf/debian-packages names what the tests need"
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(service=Service(driver), options=options)


def is_said(name, wanted):
    if wanted is None:
        return True
    return wanted.search(name) is not None if isinstance(wanted, re.Pattern) else name == wanted


class Page:
    """A tab, signed in; with `token=None` it is not. tests/e2e/conftest.py's `admin_page` opens and closes it."""

    def __init__(self, browser, gateway, at="", token=TOKEN, width=1280, height=900):
        self.browser, self.gateway, self.token = browser, gateway, token
        self.origin = f"http://{gateway.admin[0]}:{gateway.admin[1]}"
        self.expected, self.allowed, self.console, self.network = [], [], [], []
        self.first_tab = browser.current_window_handle
        browser.switch_to.new_window("tab")
        self.size(width, height)
        self._forget_logs()
        browser.get(self.origin + "/" + (f"#token={token}&at=/{at}" if token else f"#/{at}"))

    def close(self):
        """Checks what nobody has seen, and leaves the browser as it was."""
        try:
            self.check()
        finally:
            self.leave()

    def leave(self):
        self.offline(False)
        self.prefer()
        self.cdp("Storage.clearDataForOrigin", origin=self.origin, storageTypes="all")
        self.browser.close()
        self.browser.switch_to.window(self.first_tab)

    # What stands on it

    def find_all(self, role, name=None, within=None):
        """The elements that have this role and name (text, or a compiled pattern that is searched in it) at the moment."""
        root = "document"
        if within is not None:
            self.run("window.testedRoot = arguments[0]", within)
            root = "window.testedRoot"
        where = self.cdp("Runtime.evaluate", expression=root)["result"]["objectId"]
        found = []
        for node in self.cdp("Accessibility.queryAXTree", objectId=where, role=role)["nodes"]:
            if node["ignored"] or not is_said(node.get("name", {}).get("value", ""), name):
                continue
            element = self.cdp("DOM.resolveNode", backendNodeId=node["backendDOMNodeId"])["object"]["objectId"]
            self.cdp("Runtime.callFunctionOn", objectId=element, functionDeclaration="function () { window.testedNode = this; }")
            found.append(self.run("const one = window.testedNode; return one.nodeType === 1 ? one : one.parentElement"))
        return found

    def find(self, role, name=None, within=None):
        """The first of them, as soon as there is one."""
        return self.until(lambda: next(iter(self.find_all(role, name, within)), None), f"a {role} named {name!r}")

    def gone(self, role, name=None, within=None):
        self.until(lambda: not self.find_all(role, name, within), f"no {role} named {name!r}")

    def see(self, text, within=None):
        """Waits until this text (or what a compiled pattern fits) can be read."""
        pattern = text if isinstance(text, re.Pattern) else re.compile(re.escape(text))
        self.until(lambda: pattern.search(self.text(within)), f"the text {text!r}")

    def text(self, within=None):
        return self.run("return (arguments[0] || document.body).innerText", within)

    def focused(self):
        """(role, name) of what has the focus."""
        node = self.browser.switch_to.active_element
        return node.aria_role, node.accessible_name

    # What is done with it

    def click(self, role, name=None, within=None):
        """What is disabled is waited for: a click on it would do nothing, silently."""
        element = self.until(lambda: next((one for one in self.find_all(role, name, within) if one.is_enabled()), None),
                             f"a {role} named {name!r} that is not disabled")
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        for _ in range(3):
            self.run("window.testedClick = false; arguments[0].addEventListener('click', () => { window.testedClick = true; }, {once: true, capture: true})", element)
            element.click()
            if self.run("return window.testedClick") is not False:
                break  # else it has moved at that moment, as what stands above it came
        return element

    def fill(self, label, text, role="textbox", within=None):
        """Types into what has that label, instead of what stands there."""
        element = self.find(role, label, within)
        element.send_keys(Keys.CONTROL + "a", Keys.BACKSPACE)
        element.send_keys(text)
        return element

    def choose(self, label, option, within=None):
        """Of a list to choose from, by the option's text."""
        element = self.find("combobox", label, within)
        self.run("""const [list, text] = arguments;
                    list.value = [...list.options].find((one) => one.text === text).value;
                    list.dispatchEvent(new Event("change", {bubbles: true}));""", element, option)

    def press(self, *keys):
        """Keys to what has the focus: characters, or names as "Tab" or "Shift+Tab"."""
        for key in keys:
            chain = ActionChains(self.browser, duration=0)
            *held, last = key.split("+") if len(key) > 1 else [key]
            for one in held:
                chain = chain.key_down(getattr(Keys, one.upper()))
            chain = chain.send_keys(NAMED_KEYS.get(last, last))
            for one in held:
                chain = chain.key_up(getattr(Keys, one.upper()))
            chain.perform()

    def tab(self, times):
        """That often, at once."""
        ActionChains(self.browser, duration=0).send_keys(Keys.TAB * times).perform()

    def open(self, at):
        """Another screen, as if its address was typed."""
        self.run("location.hash = arguments[0]", f"#/{at}")

    def at(self, place):
        """Waits until the address says so."""
        self.until(lambda: self.place() == place, f"the address {place}, it is {self.place()}")

    def place(self):
        return self.run("return location.hash.replace(/^#\\/?/, '')")

    def size(self, width, height=900):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)

    def prefer(self, **features):
        """prefer(color_scheme="dark", reduced_motion="reduce")"""
        named = [{"name": f"prefers-{name.replace('_', '-')}", "value": value} for name, value in features.items()]
        self.cdp("Emulation.setEmulatedMedia", features=named)

    def offline(self, is_off=True):
        """Takes the network away, or gives it back."""
        self.cdp("Network.emulateNetworkConditions", offline=is_off, latency=0, downloadThroughput=-1, uploadThroughput=-1)

    def picture(self, file):
        self.browser.save_screenshot(str(file))

    # Beside it

    def ask(self, method, path, body=None, **more):
        return ask(self.gateway, method, path, body, **more)

    def done(self, method, path, body=None, **more):
        return done(self.gateway, method, path, body, **more)

    # How it is looked at

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def cdp(self, method, **parameters):
        return self.browser.execute_cdp_cmd(method, parameters)

    def until(self, condition, what):
        """Waits for a condition (a function, or JavaScript) and returns what it gives."""
        ask = condition if callable(condition) else lambda: self.run(f"return {condition}")
        end = time.monotonic() + PATIENCE
        while True:
            try:
                if (found := ask()):
                    return found
            except StaleElementReferenceException:
                pass  # it was drawn anew meanwhile
            assert time.monotonic() < end, f"{what} did not come; the page says:\n{self.text()[:2000]}\n{self.console_lines()}"
            time.sleep(0.02)

    # What nobody sees

    def expect(self, *patterns):
        """What the console may say (regular expressions): the browser itself writes a line there for each status from 400 on. Each of
        them must come."""
        self.expected += [re.compile(pattern) for pattern in patterns]

    def allow(self, *patterns):
        """What it may say, too, as it comes."""
        self.allowed += [re.compile(pattern) for pattern in patterns]

    def _gather(self):
        self.console += [entry["message"] for entry in self.browser.get_log("browser")]
        messages = (json.loads(entry["message"])["message"] for entry in self.browser.get_log("performance"))
        self.network += [(one["method"], one["params"]) for one in messages if one["method"].startswith("Network.")]

    def _forget_logs(self):
        self.browser.get_log("browser")
        self.browser.get_log("performance")

    def console_lines(self):
        self._gather()
        return list(self.console)

    def requests(self):
        """The addresses that were asked so far."""
        self._gather()
        return [params["request"]["url"] for method, params in self.network if method == "Network.requestWillBeSent"]

    def transferred(self):
        """Bytes of the page's own files so far, with heads, as they came over the line."""
        self._gather()
        asked = {params["requestId"]: params["request"]["url"] for method, params in self.network if method == "Network.requestWillBeSent"}
        return sum(params["encodedDataLength"] for method, params in self.network if method == "Network.loadingFinished"
                   and "/admin/v1/" not in asked.get(params["requestId"], "/admin/v1/"))

    def check(self):
        """Nothing in the console but what was expected, and nothing asked of anybody else."""
        lines = self.console_lines()
        surprising = [line for line in lines if not any(pattern.search(line) for pattern in self.expected + self.allowed)]
        assert not surprising, surprising
        absent = [pattern.pattern for pattern in self.expected if not any(pattern.search(line) for line in lines)]
        assert not absent, absent
        strangers = [url for url in self.requests() if not url.startswith((self.origin + "/", "data:", f"blob:{self.origin}/"))]
        assert not strangers, strangers
