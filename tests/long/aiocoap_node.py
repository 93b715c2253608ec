"""aiocoap as a server on eth0, and as a client that observes; run with its checkout in PYTHONPATH (test_aiocoap.py).

    aiocoap_node.py serve                  /light, observable, and more links than a datagram has room for
    aiocoap_node.py directory              what its command aiocoap-rd is, in the group, too
    aiocoap_node.py watch URI [SECONDS [CREDENTIALS]]    a line for each response, with Multicast-Timeout; a line on its standard input cancels
"""

import asyncio
import json
import sys
import types
from pathlib import Path

sys.modules.setdefault("lakers", types.ModuleType("lakers"))  # only wanted for EDHOC, and not in Debian 12

from aiocoap import CHANGED, GET, Context, Message  # noqa: E402
from aiocoap.cli.rd import StandaloneResourceDirectory  # noqa: E402
from aiocoap.numbers import OptionNumber  # noqa: E402
from aiocoap.optiontypes import OpaqueOption  # noqa: E402
from aiocoap.resource import ObservableResource, Resource, Site, WKCResource  # noqa: E402

MULTICAST_TIMEOUT, REPLY_FROM = 2, 248
GROUP = "224.0.1.187"
SHELVES, MAX_AGE = 60, 2


class Light(ObservableResource):
    rt = "light"

    def __init__(self):
        super().__init__()
        self.value = b"off"

    async def render_get(self, request):
        return Message(payload=self.value, content_format=0, max_age=MAX_AGE)

    async def render_put(self, request):
        self.value = request.payload
        self.updated_state()
        return Message(code=CHANGED)

    def update_observation_count(self, count):
        print("observers", count, file=sys.stderr, flush=True)


class Shelf(Resource):
    rt = "shelf"


async def serve():
    site = Site()
    site.add_resource([".well-known", "core"], WKCResource(site.get_resources_as_linkheader))
    site.add_resource(["light"], Light())
    for number in range(SHELVES):
        site.add_resource(["storage", f"shelf-{number}"], Shelf())
    await Context.create_server_context(site, multicast=[(GROUP, "eth0")])
    await asyncio.get_running_loop().create_future()


async def directory():
    context = await Context.create_server_context(None, multicast=[(GROUP, "eth0")])
    context.serversite = StandaloneResourceDirectory(context=context)
    await asyncio.get_running_loop().create_future()


def show(response):
    reply_from = [option.value.hex() for option in response.opt.option_list() if option.number == REPLY_FROM]
    print(json.dumps({"code": response.code.dotted, "body": response.payload.decode(), "observe": response.opt.observe,
                      "reply_from": reply_from}), flush=True)


async def watch(uri, seconds=None, credentials=None):
    context = await Context.create_client_context()
    if credentials is not None:
        context.client_credentials.load_from_dict(json.loads(Path(credentials).read_text()))
    message = Message(code=GET, uri=uri, observe=0)
    if seconds is not None:
        message.opt.add_option(OpaqueOption(OptionNumber(MULTICAST_TIMEOUT), bytes([int(seconds)])))
    request = context.request(message)

    request.observation.register_callback(show, _suppress_deprecation=True)  # what comes in between is lost on an iterator
    show(await request.response)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
    request.observation.cancel()
    await asyncio.get_running_loop().create_future()


asyncio.run({"serve": serve, "directory": directory, "watch": watch}[sys.argv[1]](*sys.argv[2:]))
