"""What a real browser does with the gateway, and what it is kept from."""

import shutil
import socket
import subprocess
import time

import pytest

from chromium import Chromium
from conftest import Program, free_tcp_port, plain_mapping
from test_sse import Stream


class Nginx(Program):
    """As Debian ships it, but for its place; `locations` is what a recipe says."""

    def __init__(self, folder, locations):
        self.http = ("127.0.0.1", free_tcp_port())
        folder.mkdir()
        (folder / "page").mkdir()
        self.pages = folder / "page"
        file = folder / "nginx.conf"
        file.write_text(f"""daemon off; master_process off; pid {folder}/pid; error_log stderr;
events {{ }}
http {{
  access_log {folder}/access.log; client_body_temp_path {folder}/1; proxy_temp_path {folder}/2; fastcgi_temp_path {folder}/3;
  uwsgi_temp_path {folder}/4; scgi_temp_path {folder}/5; types {{ text/html html; }}
  server {{ listen 127.0.0.1:{self.http[1]}; root {folder}/page; {locations} }}
}}
""")
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        assert program, "no nginx: conf/debian-packages names what the tests need"
        super().__init__([program, "-c", file, "-p", folder], folder / "nginx.log", stdout=subprocess.DEVNULL)

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.http[1]}"


@pytest.fixture
def nginx(tmp_path):
    started = []

    def start(locations):
        started.append(Nginx(tmp_path / "nginx", locations))
        return started[-1]

    yield start
    for one in started:
        one.stop()


@pytest.fixture
def browser(tmp_path):
    with Chromium(tmp_path) as one:
        yield one


def in_front_of(gateway, more=""):
    return f"location /lights {{ proxy_pass http://{gateway.http[0]}:{gateway.http[1]}; {more} }}"


def wait_for_listener(program):
    end = time.monotonic() + 30
    while True:
        try:
            return socket.create_connection(program.http, timeout=5).close()
        except OSError:
            assert program.running() and time.monotonic() < end, program.log()
            time.sleep(0.02)


def test_nginx_passes_events_at_once(members, gateway, nginx):
    """In its default configuration, which gathers replies: while members still answer, the first event is there."""
    fleet = members(2, "--delay", "1:1", "--resource", "/x=y")
    slow = members(1, "--delay", "20000:20000")
    mapping = plain_mapping(fleet, timeout=25)
    mapping["members"] += slow.texts
    front = nginx(in_front_of(gateway({"mappings": [mapping]})))
    wait_for_listener(front)
    stream = Stream(front, "/lights/status", more="Connection: close\r\n").head()
    assert stream.status == 200
    assert [stream.next()[0] for _ in range(3)] == ["", "answer", "answer"]
    assert not stream.ended
    stream.close()


def test_an_event_source_casts_once(members, gateway, nginx, browser, capture):
    """It takes the end of a stream for a fault and asks again; 204 is what stops it."""
    fleet, seen = members(2), capture()
    front = nginx(in_front_of(gateway({"mappings": [plain_mapping(fleet)]})))
    (front.pages / "index.html").write_text("""<script>
      var told = [], source = new EventSource('/lights/status');
      for (const name of ['answer', 'summary', 'error'])
        source.addEventListener(name, e => told.push(name + (name == 'error' ? ' ' + source.readyState : '')));
    </script>""")
    wait_for_listener(front)
    browser.go(front.origin + "/")
    browser.until("source.readyState == EventSource.CLOSED")
    assert browser.value("told") == ["answer", "answer", "summary", "error 0", "error 2"]
    assert len(seen.datagrams()) == 1


def test_a_typed_address_shows_a_page(members, gateway, browser, capture):
    """Whatever members send is text in it: nothing runs, nothing is loaded."""
    evil = "<script>document.title='run'</script><img src=/lights/image onerror=\"document.title='run'\"> & more"
    fleet, seen = members(3, "--resource", f"/evil={evil}"), capture()
    mapping = plain_mapping(fleet)
    mapping["members"] += ["127.9.9.9"]
    one = gateway({"mappings": [{**mapping, "timeout": 1}]})
    browser.go(f"http://127.0.0.1:{one.http[1]}/lights/evil")
    assert browser.value("document.contentType") == "text/html"
    assert browser.value("document.title") == "lights"
    assert "3 of 4 members answered; 1 missing." in browser.text()
    assert browser.value("[...document.querySelectorAll('pre')].map(e => e.textContent)") == [evil] * 3
    assert browser.value("getComputedStyle(document.querySelector('table')).borderCollapse") == "collapse"  # its style counts
    assert browser.value("document.querySelectorAll('script, img').length") == 0
    assert len(seen.datagrams()) == 1


def test_a_page_may_do_nothing(members, gateway):
    fleet = members(1)
    one = gateway({"mappings": [plain_mapping(fleet)]})
    accept = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
    reply = one.request("/lights/status", headers={"Accept": accept})
    assert (reply.status, reply.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = [rule.strip() for rule in reply.headers["Content-Security-Policy"].split(";")]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert not any("unsafe" in rule or "*" in rule for rule in policy)
    assert reply.summary["answered"] == 1
    for accept in ("text/html;q=0.5, application/json", "*/*", "text/html;q=0"):
        assert not one.request("/lights/status", headers={"Accept": accept}).headers["Content-Type"].startswith("text/html")
