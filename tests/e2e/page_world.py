"""What the admin page is looked at with: a gateway that has something of everything, one that has nothing, and the places where each
screen is seen."""

import os

import page
from conftest import Gateway, Group, IPV4_GROUP, Members, free_udp_port, plain_mapping
from page import done
from protected import Keys, ProtectedMembers, make_state

LAMPS = 10
NAMES = ["east", "west", "stairs", "hall", "kitchen", "office-1", "office-2", "lobby", "attic", "cellar"]

# Where a screen with something in its path is seen in the full world; {exchange} and {revision} are of that.
PLACES = {"exchanges/:id": "exchanges/{exchange}", "history/:number": "history/{revision}", "mappings/:name": "mappings/floor3",
          "clients/:name": "clients/dashboard", "security-groups/:name": "security-groups/doors", "reactions/:name": "reactions/alarm",
          "members/:name": "members/east", "discovery/:id": "discovery/{discovery}"}


def screens(the_page):
    """The paths of all that the page has, as its own table says."""
    return the_page.browser.execute_async_script(
        "const done = arguments[0]; import('/screens/index.js').then(({screens}) => done(screens.map(({path}) => path)))")


class World:
    """`with World(folder) as world:` nothing but an administrator and what the settings file must say; `fill` does the rest."""

    def __init__(self, folder):
        self.folder, self.started, self.named = folder, [], {}
        self.lights = Group(IPV4_GROUP, free_udp_port())
        self.floor = Group(IPV4_GROUP, free_udp_port())
        self.keys = Keys(folder / "keys", 6, self.lights.port, name="lights", first="127.2.0.1")
        (folder / "seal").write_bytes(os.urandom(32))
        (folder / "seal").chmod(0o600)
        self.state = make_state(folder / "state", self.keys)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for one in reversed(self.started):
            one.stop()

    def gateway(self, **more):
        """Not there yet: `clients` and mappings of the file."""
        clients = {"root": page.client(), "display": page.client("viewer", "the-displays")}
        gate = Gateway({"state": str(self.state), "seal_key": str(self.folder / "seal"), "clients": clients,
                        "group": {"interface": "lo", "nstart": 100}, **more}, self.folder / f"gateway{len(self.started)}")
        self.started.append(gate)
        gate.wait()
        return gate

    def full(self):
        """A gateway with mappings, clients, groups, exchanges and a past."""
        fleet = Members(self.floor, LAMPS - 1, "127.1.0.1", ["--delay", "20:380", "--fail", "1", "--seed", "7"], self.folder / "floor.log")
        fleet.wait()
        self.started += [fleet, ProtectedMembers(self.keys, self.lights, 6, "127.2.0.1", ["--delay", "10:200"], self.folder / "lights.log")]
        heard = {"name": "corridor", "path": "/corridor", "group": self.lights.uri, "security": "lights", "timeout": 2,
                 "membership": "complete", "finish": "all", "clients": ["anonymous"]}
        gate = self.gateway(security_groups={"lights": str(self.keys.gateway)}, mappings=[heard],
                            alerts={"listen": [f"coap://127.0.0.1:{free_udp_port()}"], "groups": ["lights"]})
        self.fill(gate, fleet)
        return gate

    def fill(self, gate, fleet):
        members = [{"name": name, "address": f"127.1.0.{n}:{self.floor.port}"} for n, name in enumerate(NAMES, 1)]
        floor = {**plain_mapping(fleet, "floor3", timeout=1), "members": members, "methods": ["GET", "PUT"], "unsafe_methods": True}
        del floor["name"]
        put(gate, "clients/dashboard", {})
        put(gate, "clients/ci-job", {"role": "operator"})
        put(gate, "mappings/floor3", floor)
        put(gate, "mappings/doors", {**floor, "path": "/doors", "clients": ["dashboard"], "enabled": False})
        done(gate, "PATCH", "mappings/floor3", {"clients": ["anonymous", {"name": "dashboard", "methods": ["GET", "PUT"]}]}, If_Match="*")
        done(gate, "POST", "clients/dashboard/tokens", {"label": "wall panel", "lasts": 86400})
        done(gate, "POST", "security-groups", {"name": "doors", "members": [
            {"name": f"door-{n}", "address": f"127.3.0.{n}:{self.floor.port}"} for n in (1, 2, 3)]})
        put(gate, "reactions/alarm", {"when": {"group": "lights", "path": "/alarm"}, "do": [{"mapping": "floor3", "method": "PUT",
                                      "path": "/light", "body": "on", "content_type": "text/plain"}]})
        done(gate, "PATCH", "settings", {"limits": {"exchanges": 200}})
        last = put(gate, "mappings/hall", {**floor, "path": "/hall"})
        done(gate, "DELETE", "mappings/hall", If_Match=last.headers["ETag"])
        revisions = done(gate, "GET", "revisions").json()["items"]
        done(gate, "POST", f"revisions/{revisions[0]['number']}/undo")
        self.named["revision"] = next(one["number"] for one in revisions if one["target"] == "mappings/floor3")
        self.named["discovery"] = done(gate, "POST", "discovery", {"mapping": "floor3", "seconds": 1}).json()["id"]
        for path in "/floor3/status", "/floor3/light", "/corridor/status", "/floor3/nothing":
            gate.request(path, headers={"Accept": "application/json"})
        self.named["exchange"] = done(gate, "GET", "exchanges?mapping=floor3&limit=1").json()["items"][0]["id"]

    def place(self, path):
        """Where a screen of that path is seen."""
        return PLACES.get(path, path).format(**self.named)


def put(gate, path, body):
    return done(gate, "PUT", path, body, If_None_Match="*")
