"""The bare handler of P4: aiohttp, uvloop and orjson doing the work of the hello-world script, no sandbox."""

from __future__ import annotations

import sys
import uuid

import orjson
import uvloop
from aiohttp import web


def greet(name: str) -> str:
    return f"Hello, {name}!"


async def hello(request: web.Request) -> web.Response:
    answer = {"message": greet(request.query.get("name", "world")), "execution_id": str(uuid.uuid4())}
    return web.Response(body=orjson.dumps(answer), content_type="application/json")


def main() -> None:
    application = web.Application()
    application.router.add_get("/hello", hello)
    uvloop.install()
    port = int(sys.argv[1])
    web.run_app(
        application, host="127.0.0.1", port=port, access_log=None, print=lambda *_: print("ready", flush=True)
    )


main()
