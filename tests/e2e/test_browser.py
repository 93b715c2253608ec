"""What a real browser does with the gateway, and what it is kept from."""

import http.client
import shutil
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import coap
import pki
from chromium import Chromium
from conftest import Program, free_tcp_port, plain_mapping
from probe import Tap, wait_for
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


def test_a_page_watches_a_group(members, gateway, nginx, browser, group, endpoint):
    """By fetch, since an EventSource sends no Prefer; through nginx. When the page lets go, so does the gateway."""
    fleet = members(2)
    front = nginx(in_front_of(gateway({"mappings": [plain_mapping(fleet, timeout=1)]})))
    (front.pages / "index.html").write_text("""<script>
      var heard = {}, applied, control = new AbortController();
      async function watch() {
        const reply = await fetch('/lights/light', {signal: control.signal,
          headers: {Accept: 'text/event-stream', Prefer: 'observe'}});
        applied = reply.headers.get('Preference-Applied');
        const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let text = '';;) {
          const {value, done} = await reader.read();
          if (done) return;
          text += value;
          const events = text.split('\\n\\n');
          text = events.pop();
          for (const event of events) {
            const data = event.match(/^event: answer\\ndata: (.*)$/);
            if (data) { const answer = JSON.parse(data[1]); heard[answer.member] = answer.body; }
          }
        }
      }
      watch();
    </script>""")
    wait_for_listener(front)
    with Tap(group) as tap:
        browser.go(front.origin + "/")
        browser.until("Object.values(heard).join() == 'off,off'")
        assert browser.value("applied") == "observe"
        time.sleep(1.2)
        assert endpoint.request(fleet.addresses[1], "/light", coap.PUT, payload=b"on",
                                options=[(coap.CONTENT_FORMAT, b"")]).code_text == "2.04"
        browser.until(f"heard['{fleet.texts[1]}'] == 'on'")
        browser.value("control.abort()")
        wait_for(lambda: [p.message.uint(coap.OBSERVE) for p in tap.packets()] == [0, 1])


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


# --- pages of other sites


def test_a_foreign_page_causes_no_multicast(members, gateway, nginx, browser, capture):
    """By nothing that a page can do: load, send a form, ask by script, frame."""
    fleet, seen = members(1), capture()
    mapping = plain_mapping(fleet, unsafe_methods=True, methods=["GET", "POST", "PUT", "FETCH"])
    one = gateway({"mappings": [mapping]})
    there = f"http://127.0.0.1:{one.http[1]}/lights"
    front = nginx("")
    (front.pages / "index.html").write_text(f"""<img src="{there}/image"><script src="{there}/script"></script>
      <link rel=stylesheet href="{there}/style"><iframe name=frame src="{there}/frame"></iframe>
      <form action="{there}/form" method=post enctype=text/plain target=frame><input name=a></form>
      <script>
        var told = 0, source = new EventSource('{there}/source');
        source.onerror = () => told++;
        addEventListener('load', () => document.forms[0].submit());
        navigator.sendBeacon('{there}/beacon', 'on');
        for (const options of [{{}}, {{mode: 'no-cors'}}, {{method: 'PUT', body: 'on'}}, {{method: 'POST', body: 'on', mode: 'no-cors'}},
                               {{headers: {{'Multicast-Timeout': '1'}}}}])
          fetch('{there}/fetch', options).then(() => told++, () => told++);
      </script>""")
    wait_for_listener(front)
    for host in ("127.0.0.1", "localhost"):  # another origin of the same site, and another site
        browser.go(f"http://{host}:{front.http[1]}/")
        browser.until("told >= 6 && source.readyState == EventSource.CLOSED")
    assert seen.datagrams() == []


def test_a_named_origin_asks_and_reads(members, gateway, nginx, browser, capture):
    fleet, seen = members(2), capture()
    front = nginx("")
    one = gateway({"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"], "origins": [front.origin]},
                   "mappings": [plain_mapping(fleet, methods=["GET"])]})
    there = f"http://127.0.0.1:{one.http[1]}/lights/status"
    (front.pages / "index.html").write_text("<p>A dashboard")
    wait_for_listener(front)
    browser.go(front.origin + "/")
    assert browser.value(f"""(async () => {{
      const reply = await fetch('{there}', {{headers: {{'Accept': 'application/json', 'Multicast-Timeout': '1'}}}});
      return [reply.status, reply.headers.get('Castgate-Summary').split(',')[0], (await reply.json()).answers.length];
    }})()""") == [200, "answered=2", 2]
    assert len(seen.datagrams()) == 1  # the preflight did not send it as well
    assert browser.value(f"fetch('{there}', {{credentials: 'include'}}).then(r => r.status)") == 200
    assert browser.value(f"fetch('{there}', {{method: 'PUT'}}).then(async r => [r.status, (await r.json()).type])") == [
        403, "urn:castgate:problem:unsafe-method"]
    assert browser.value(f"""new Promise(done => {{
      const source = new EventSource('{there}');
      source.addEventListener('summary', e => {{ source.close(); done(JSON.parse(e.data).summary.answered); }});
    }})""") == 2
    assert len(seen.datagrams()) == 3


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_link_from_elsewhere_is_asked_about(members, gateway, nginx, browser, capture, host):
    fleet, seen = members(2), capture()
    one = gateway({"mappings": [plain_mapping(fleet)]})
    there = f"http://127.0.0.1:{one.http[1]}/lights/status?a=1"
    front = nginx("")
    (front.pages / "index.html").write_text(f'<a href="{there}">lights</a>')
    wait_for_listener(front)
    browser.go(f"http://{host}:{front.http[1]}/")
    browser.click("a")
    assert browser.value("location.href") == there
    assert "Nothing was sent to the group lights." in browser.text()
    assert seen.datagrams() == []
    browser("Page.reload")
    browser.wait_for("Page.loadEventFired")
    assert seen.datagrams() == []
    browser.click("a")
    assert "2 of 2 members answered." in browser.text()
    assert len(seen.datagrams()) == 1


def test_a_certificate_is_no_leave_for_other_sites(members, gateway, tmp_path, capture):
    """A browser shows it for any page."""
    fleet, seen = members(1), capture()
    authority = pki.Authority(tmp_path / "ca")
    certificate, key = authority.issue("gateway", "serverAuth")
    client = authority.issue("dashboard")
    tls = pki.context(authority, client)
    settings = {"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"], "origins": ["https://dash.example"],
                         "tls": {"certificate": str(certificate), "key": str(key), "client_ca": str(authority.certificate)}},
                "clients": {"dashboard": {"certificate_sha256": pki.fingerprint(client[0])}},
                "mappings": [plain_mapping(fleet, clients=["dashboard"])]}
    one = gateway(settings)
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        reply = pki.request(one.http, tls, "/lights/status", headers=headers)
        assert (reply.status, reply.json()["type"]) == (403, "urn:castgate:problem:cross-origin")
    assert seen.datagrams() == []
    reply = pki.request(one.http, tls, "/lights/status", headers={"Origin": "https://dash.example"})
    assert (reply.status, reply.headers["Access-Control-Allow-Credentials"]) == (200, "true")


# --- proxies


def status_from(address, front, path, headers={}):
    connection = http.client.HTTPConnection(*front.http, timeout=30, source_address=(address, 0))
    try:
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_anonymous_users_behind_a_proxy_have_limits_of_their_own(gateway, group, nginx):
    """The address that the proxy saw counts, not what the client wrote before it."""
    port = free_tcp_port()
    settings = {"http": {"listen": [{"address": f"127.0.0.1:{port}", "insecure": True}], "trusted_proxies": ["127.0.0.1"]},
                "limits": {"exchanges_per_client": 1},
                "mappings": [{"name": "silent", "path": "/silent", "group": group.uri, "security": "none", "timeout": 20,
                              "clients": ["anonymous"]}]}
    one = gateway(settings)
    front = nginx(f"location / {{ proxy_pass http://127.0.0.1:{port}; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }}")
    wait_for_listener(front)
    with ThreadPoolExecutor(3) as pool:
        from_here = pool.submit(one.request, "/silent/a", headers={"X-Forwarded-For": "192.0.2.4"})
        from_there = pool.submit(one.request, "/silent/b", headers={"X-Forwarded-For": "192.0.2.5"})
        by_nginx = pool.submit(status_from, "127.0.0.9", front, "/silent/c")
        end = time.monotonic() + 30
        while b"castgate_exchanges_running 3" not in one.request("/metrics", to=one.admin).body:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert one.request("/silent/d", headers={"X-Forwarded-For": "198.51.100.1, 192.0.2.4"}).status == 429
        assert status_from("127.0.0.9", front, "/silent/e", {"X-Forwarded-For": "192.0.2.9"}) == 429
        one.stop()
        assert 429 not in [from_here.result().status, from_there.result().status, by_nginx.result()]


def test_a_client_behind_a_local_proxy_is_not_anonymous_by_loopback(members, gateway, nginx, capture):
    fleet, seen = members(1), capture()
    one = gateway({"http": {"listen": [f"127.0.0.1:{free_tcp_port()}"], "trusted_proxies": ["127.0.0.1"]},
                   "mappings": [plain_mapping(fleet)]})
    front = nginx(in_front_of(one, "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"))
    wait_for_listener(front)
    reply = one.request("/lights/status", to=front.http)
    assert (reply.status, "insecure" in reply.json()["detail"]) == (401, True)
    assert seen.datagrams() == []
    assert one.request("/lights/status").status == 200  # from this host itself
