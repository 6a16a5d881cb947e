"""http for scripts: one call, from its arguments to its answer, every hop of it checked."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from typing import Protocol

from aiohttp import ClientError, ClientResponse
from yarl import URL

from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS, HostFunction
from picloud.services.call_context import Call
from picloud.services.outbound import answers
from picloud.services.outbound.addresses import Addresses
from picloud.services.outbound.apps import Bounds, OutboundApps, Share
from picloud.services.outbound.faults import translated
from picloud.services.outbound.headers import check_headers, received
from picloud.services.outbound.refused import Failed, Refused
from picloud.services.outbound.requests import Request, check_body, check_method
from picloud.services.outbound.resolver import Resolver
from picloud.services.outbound.targets import Destination, Targets
from picloud.services.outbound_decisions import Decision

MAX_REDIRECTS = 5
MAX_TIMEOUT_MS = LIMITS.number("max_http_timeout_ms")
DEFAULT_TIMEOUT_MS = 30_000
NO_TURN = "no turn"


class Http(Protocol):
    """The host function of http, whatever carries requests out."""

    async def request(
        self,
        call: Call,
        method: str,
        url: str,
        headers: Sequence[object],
        timeout_ms: int | None,
        follow_redirects: bool,
        body: bytes | None,
    ) -> dict[str, object]:
        """Send a request: `status`, `headers`, `body` and `url` of the answer."""


def host_functions(outbound: Http) -> Mapping[str, HostFunction]:
    """The host functions of http, by import name."""
    return {"http_request": outbound.request}


class Outbound:
    """http over the real network.

    Attributes:
        apps: what each app may use.
    """

    def __init__(
        self, addresses: Addresses, targets: Targets, resolver: Resolver, bounds: Bounds | None = None
    ) -> None:
        """Make it on the loop it is used on; `close` is owed.

        Args:
            addresses: which addresses may be reached.
            targets: which URLs may be asked for.
            resolver: looks hosts up; closed with this.
            bounds: what may be used at once.
        """
        self._targets = targets
        self.apps = OutboundApps(addresses, resolver, bounds or Bounds())

    async def request(
        self,
        call: Call,
        method: str,
        url: str,
        headers: Sequence[object],
        timeout_ms: int | None,
        follow_redirects: bool,
        body: bytes | None,
    ) -> dict[str, object]:
        """Send a request and read its answer.

        What was decided, and what came of it, is kept in `call.decisions`.

        Args:
            call: whose.
            method: upper case.
            url: absolute.
            headers: pairs of name and value.
            timeout_ms: for all of it, 1 to `MAX_TIMEOUT_MS`; `DEFAULT_TIMEOUT_MS` when None.
            follow_redirects: up to `MAX_REDIRECTS`.
            body: at most `requests.MAX_BODY` bytes, or None.

        Returns:
            `status`; `headers`, a list where a name came more than once; `body`, decompressed; `url`, the one
            that answered.

        Raises:
            ServiceError: the request is refused, or there is no answer that the script can have.
        """
        decision = call.decisions.begin()
        timeout = DEFAULT_TIMEOUT_MS if timeout_ms is None else timeout_ms
        try:
            target = self._targets.parse(url)
            decision.host = target.authority
            decision.method = check_method(method)
            if not 1 <= timeout <= MAX_TIMEOUT_MS:
                raise Refused("timeout_ms", f"timeout_ms must be from 1 to {MAX_TIMEOUT_MS}")
            request = Request(method, target, check_headers(headers), check_body(body))
            async with asyncio.timeout(timeout / 1000):
                return await self._send(call, request, follow_redirects, decision)
        except Refused as refused:
            decision.category, decision.host = refused.category, refused.host or decision.host
            raise ServiceError(str(refused)) from None
        except Failed as failed:
            decision.error = failed.kind
            raise ServiceError(str(failed)) from None
        except TimeoutError:
            waited = decision.error == NO_TURN
            decision.error = decision.error or "timeout"
            what = "too many calls of this app are under way: no turn" if waited else "no answer"
            raise ServiceError(f"{what} within {timeout} ms") from None
        except Exception:
            decision.error = "internal"
            raise
        except BaseException:
            decision.error = "cancelled"
            raise
        finally:
            call.decisions.end(decision)

    async def close(self) -> None:
        """Close every connection."""
        await self.apps.close()

    async def _send(
        self, call: Call, request: Request, follow_redirects: bool, decision: Decision
    ) -> dict[str, object]:
        decision.error = NO_TURN
        async with self.apps.share(call.app_id) as share:
            decision.error = None
            share.hold(len(request.body or b""))
            while True:
                decision.host = request.target.authority
                share.move(len(request.body or b""))
                try:
                    async with share.session.request(
                        request.method,
                        URL(str(request.target), encoded=True),
                        headers=request.headers,
                        data=None if request.body is None else io.BytesIO(request.body),
                        allow_redirects=False,
                    ) as response:
                        decision.bytes_out += len(request.body or b"")
                        following = self._following(request, response) if follow_redirects else None
                        if following is None:
                            return await _read(response, request.target, share, decision)
                except ClientError as error:
                    raise translated(error, request.target.authority) from error
                if decision.hops == MAX_REDIRECTS:
                    raise Failed("redirects", f"more than {MAX_REDIRECTS} redirects")
                request = following
                decision.hops += 1

    def _following(self, request: Request, response: ClientResponse) -> Request | None:
        return request.after(response.status, response.headers.get("Location", ""), self._targets)


async def _read(
    response: ClientResponse, target: Destination, share: Share, decision: Decision
) -> dict[str, object]:
    """The answer as its script gets it."""
    decision.status = response.status
    if response.status < 200:
        raise Failed("answer", f"{target.authority} wants to speak another protocol")
    headers = received(response.raw_headers)
    encoding = ", ".join(response.headers.getall("Content-Encoding", ())).strip().lower()

    def came(wire: int, made: int) -> None:
        decision.bytes_in += wire
        share.move(wire)
        share.hold(made)

    if (response.content_length or 0) > answers.MAX_ANSWER and response.method != "HEAD":
        raise answers.too_large()
    body = await answers.read(response.content.iter_any(), encoding, came)
    if body and answers.Inflating.understands(encoding):  # they are about what came over the wire
        headers.pop("content-encoding", None)
        headers.pop("content-length", None)
    return {"status": response.status, "headers": headers, "body": body, "url": str(target)}
