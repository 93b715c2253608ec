"""A real browser, headless, led through its debugging pipe: messages of the DevTools protocol, each ended by a NUL, on descriptors
3 and 4, so that no port is open and no further package is needed."""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import time

PATIENCE = 60  # seconds until the browser must have done what it was told


class Chromium:
    """`with Chromium(folder) as browser:` one page."""

    def __init__(self, folder, *arguments):
        program = shutil.which("chromium") or shutil.which("chromium-browser")
        assert program, "no chromium: conf/debian-packages names what the tests need"
        to_browser, self.write_end = os.pipe()
        self.read_end, from_browser = os.pipe()

        def place_pipes():
            high = [os.dup(fd) + 0 for fd in (to_browser, from_browser)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.log = open(folder / "chromium.log", "wb")
        self.process = subprocess.Popen(
            [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-pipe",
             f"--user-data-dir={folder}/profile", *arguments, "about:blank"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, close_fds=False, preexec_fn=place_pipes)
        os.close(to_browser)
        os.close(from_browser)
        self.numbers, self.read, self.events, self.session = itertools.count(1), b"", [], None
        target = self("Target.createTarget", url="about:blank")["targetId"]
        self.session = self("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network"):
            self(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.write_end)
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read_end)
        self.log.close()

    def _message(self, end):
        while b"\0" not in self.read:
            left = end - time.monotonic()
            assert left > 0 and select.select([self.read_end], [], [], left)[0], "the browser says nothing"
            data = os.read(self.read_end, 1 << 20)
            assert data, f"the browser ended:\n{open(self.log.name, errors='replace').read()}"
            self.read += data
        text, _, self.read = self.read.partition(b"\0")
        return json.loads(text)

    def __call__(self, method, **params):
        """A command's result."""
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._message(end)
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def wait_for(self, name):
        """The parameters of the next event of that name since the last wait for it, or since `forget`."""
        end = time.monotonic() + PATIENCE
        while True:
            for index, event in enumerate(self.events):
                if event.get("method") == name:
                    del self.events[index]
                    return event["params"]
            self.events.append(self._message(end))

    def forget(self):
        self.events.clear()

    def go(self, url, **more):
        """As if typed; or as a link on the page `referrer` would."""
        self.forget()
        self("Page.navigate", url=url, **more)
        self.wait_for("Page.loadEventFired")

    def click(self, selector):
        """A real click, and the page that follows from it."""
        box = self.value(f"(() => {{ const r = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
                         " return [r.x + r.width / 2, r.y + r.height / 2]; })()")
        self.forget()
        for kind in ("mousePressed", "mouseReleased"):
            self("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)
        self.wait_for("Page.loadEventFired")

    def value(self, expression):
        """Of JavaScript on the page; a promise is waited for."""
        answer = self("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression, seconds=PATIENCE):
        end = time.monotonic() + seconds
        while not self.value(expression):
            assert time.monotonic() < end, f"{expression} did not come about: {self.value('document.documentElement.outerHTML')}"
            time.sleep(0.1)

    def text(self):
        return self.value("document.body.innerText")

    def picture(self, file, width, height, scheme="light"):
        self("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        file.write_bytes(base64.b64decode(self("Page.captureScreenshot")["data"]))
