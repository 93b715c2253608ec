#!/usr/bin/python3
"""aiocoap as a client of the gateway's CoAP side: what it gets of a group, one by one and all in one response.

    aiocoap_client.py coap://127.0.0.1/floor3

The mapping there has "aggregate": true and takes anonymous clients. Needs aiocoap 0.4.17, as aiocoap_peer.py does. Its status is 0 if everything
came as it should.
"""

import asyncio
import sys
import types

sys.modules.setdefault("filelock", types.ModuleType("filelock"))  # only wanted for what is not used here

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
    print(f"{what}: {response.code}, {len(response.payload)} bytes")


async def main(uri):
    context = await Context.create_client_context()
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


asyncio.run(main(sys.argv[1]))
