#!/usr/bin/python3
"""aiocoap as a client of the gateway's CoAP side: what it gets of a group, one by one and all in one response.

    aiocoap_client.py coap://127.0.0.1/floor3 [CREDENTIALS]

The mapping there has "aggregate": true and takes anonymous clients, or the client whose credentials are in the JSON file, as aiocoap-client takes them:
with an OSCORE context there, everything is protected for the gateway. Needs aiocoap 0.4.17, as aiocoap_peer.py does, and for OSCORE python3-filelock and
AIOCOAP_CLIENT_TRANSPORT=oscore:tcpclient:udp6, since without a module for EDHOC it leaves OSCORE out. Its status is 0 if everything came as it should.
"""

import asyncio
import json
import sys
import types

sys.modules.setdefault("lakers", types.ModuleType("lakers"))  # only wanted for EDHOC, and not in Debian 12

import cbor2  # noqa: E402
from aiocoap import BAD_REQUEST, CONTENT, GET, Context, Message  # noqa: E402
from aiocoap.numbers import OptionNumber  # noqa: E402
from aiocoap.optiontypes import OpaqueOption  # noqa: E402

MULTICAST_TIMEOUT, REPLY_FROM, MULTIPART_CORE = 2, 248, 62


async def ask(context, uri, timeout=1, **more):
    request = Message(code=GET, uri=uri, **more)
    if timeout is not None:
        request.opt.add_option(OpaqueOption(OptionNumber(MULTICAST_TIMEOUT), bytes([timeout])))
    return await context.request(request).response


def option(message, number):
    return [one.value for one in message.opt.option_list() if one.number == number]


def show(what, response):
    by = "by OSCORE, " if type(response.remote).__name__ == "OSCOREAddress" else ""
    print(f"{what}: {by}{response.code}, {len(response.payload)} bytes")


async def main(uri, credentials=None):
    context = await Context.create_client_context()
    if credentials is not None:
        with open(credentials) as file:
            context.client_credentials.load_from_dict(json.load(file))
    one = await ask(context, uri + "/status")
    show("one member's answer", one)
    assert one.code == CONTENT
    (reply_from,) = option(one, REPLY_FROM)
    print("  Reply-From:", cbor2.loads(reply_from), one.payload.decode())

    every = await ask(context, uri + "/status", accept=MULTIPART_CORE)
    show("all members' answers", every)
    assert (every.code, every.opt.content_format) == (CONTENT, MULTIPART_CORE)
    items = cbor2.loads(every.payload)
    version, counts, ended_by = (cbor2.loads(items[1])[key] for key in range(3))
    print("  version", version, counts, ended_by)
    for about, content_format, payload in zip(items[3::4], items[4::4], items[5::4]):
        print(" ", cbor2.loads(about), content_format, payload.decode())
    assert counts["answered"] == (len(items) - 2) // 4 > 0

    missing = await ask(context, uri + "/status", timeout=None)
    show("without Multicast-Timeout", missing)
    assert missing.code == BAD_REQUEST and option(missing, MULTICAST_TIMEOUT) == [b""]
    await context.shutdown()


asyncio.run(main(*sys.argv[1:]))
