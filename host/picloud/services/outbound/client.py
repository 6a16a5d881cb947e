"""Outbound calls of scripts; every hop is checked."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Mapping, Sequence
from typing import Protocol

from aiohttp import ClientError, ClientResponse
from yarl import URL

from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS, HostFunction
from picloud.core.numbers import NotAnInteger, OutOfRange, read_integer
from picloud.services.call_context import Call
from picloud.services.outbound.addresses import Addresses
from picloud.services.outbound.apps import OutboundApps, OutboundLimits, Share
from picloud.services.outbound.errors import Denied, Failed
from picloud.services.outbound.faults import translated
from picloud.services.outbound.headers import USER_AGENT, check_headers, check_secret, received
from picloud.services.outbound.requests import Request, check_body, check_method
from picloud.services.outbound.resolver import Resolver
from picloud.services.outbound.response_body import Decompressor, max_wire_bytes, read_body, too_large
from picloud.services.outbound.secret_headers import SecretHeaders
from picloud.services.outbound.targets import Destination, Targets
from picloud.services.outbound_decisions import Decision

MAX_REDIRECTS = 5
MAX_TIMEOUT_MS = LIMITS.number("max_http_timeout_ms")
DEFAULT_TIMEOUT_MS = 30_000
NO_SLOT = "no turn"


class Http(Protocol):
    """The host function of http."""

    async def request(
        self,
        call: Call,
        method: str,
        url: str,
        headers: Sequence[object],
        timeout_ms: int | None,
        follow_redirects: bool,
        body: bytes | None,
        secret: Sequence[object] = (),
        redirect_body: bool = False,
    ) -> dict[str, object]:
        """Send a request; return `status`, `headers`, `body` and `url` of the response."""


def host_functions(outbound: Http) -> Mapping[str, HostFunction]:
    """The host functions of http by import name."""
    return {"http_request": outbound.request}


class Outbound:
    """Sends outbound calls over the network.

    Attributes:
        apps: the limits of apps.
    """

    def __init__(
        self,
        addresses: Addresses,
        targets: Targets,
        resolver: Resolver,
        limits: OutboundLimits | None = None,
        credentials: SecretHeaders | None = None,
    ) -> None:
        """Create it in the event loop that uses it. The caller must call `close`.

        Args:
            addresses: the rule for addresses.
            targets: the rule for URLs.
            resolver: looks up hosts; closed by `close`.
            limits: limits of apps.
            credentials: recognizes headers that are not sent to another origin.
        """
        self._targets, self._credentials = targets, credentials or SecretHeaders()
        self.apps = OutboundApps(addresses, resolver, limits or OutboundLimits())

    async def request(
        self,
        call: Call,
        method: str,
        url: str,
        headers: Sequence[object],
        timeout_ms: int | None,
        follow_redirects: bool,
        body: bytes | None,
        secret: Sequence[object] = (),
        redirect_body: bool = False,
    ) -> dict[str, object]:
        """Send a request and read the response. The decision is recorded in `call.decisions`.

        Args:
            call: the calling execution.
            method: upper case.
            url: absolute.
            headers: pairs of name and value.
            timeout_ms: total time, 1 to `MAX_TIMEOUT_MS`; None for `DEFAULT_TIMEOUT_MS`.
            follow_redirects: whether to follow up to `MAX_REDIRECTS` redirects.
            body: at most `requests.MAX_BODY` bytes, or None.
            secret: names of headers that are not sent to another origin, as those with credentials.
            redirect_body: whether a redirect to another origin gets the body.

        Returns:
            `status`; `headers`, with a list for a repeated name; `body`, decompressed; `url` of the last hop.

        Raises:
            ServiceError: the request is denied, or there is no valid response.
        """
        decision = call.decisions.begin()
        timeout = DEFAULT_TIMEOUT_MS if timeout_ms is None else timeout_ms
        try:
            target = self._targets.parse(url)
            decision.host = target.authority
            decision.method = check_method(method)
            if not 1 <= timeout <= MAX_TIMEOUT_MS:
                raise Denied("timeout_ms", f"timeout_ms must be from 1 to {MAX_TIMEOUT_MS}")
            agent = f"{USER_AGENT} (script {call.script_id})"
            request = Request(
                method,
                target,
                check_headers(headers, agent),
                check_body(body),
                check_secret(secret),
                redirect_body,
            )
            async with asyncio.timeout(timeout / 1000):
                return await self._send(call, request, follow_redirects, decision)
        except Denied as denied:
            decision.category, decision.host = denied.category, denied.host or decision.host
            raise ServiceError(str(denied)) from None
        except Failed as failed:
            decision.error = failed.kind
            raise ServiceError(str(failed)) from None
        except TimeoutError:
            waited = decision.error == NO_SLOT
            decision.error = decision.error or "timeout"
            reason = "too many concurrent calls of this app; not started" if waited else "no response"
            raise ServiceError(f"{reason} within {timeout} ms") from None
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
        decision.error = NO_SLOT
        async with self.apps.share(call.app_id) as share:
            decision.error = None
            share.hold(len(request.body or b""))
            while True:
                decision.host = request.target.authority
                share.move(len(request.body or b""))
                try:
                    async with share.session(request.method).request(
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
        location = response.headers.get("Location", "")
        return request.after(response.status, location, self._targets, self._credentials)


async def _read(
    response: ClientResponse, target: Destination, share: Share, decision: Decision
) -> dict[str, object]:
    """Return the response for the script."""
    decision.status = response.status
    if response.status < 200:
        raise Failed("answer", f"{target.authority} requested another protocol")
    headers = received(response.raw_headers)
    encoding = ", ".join(response.headers.getall("Content-Encoding", ())).strip().lower()

    def count(wire: int, made: int) -> None:
        decision.bytes_in += wire
        share.move(wire)
        share.hold(made)

    length = response.headers.get("Content-Length")
    if length is not None and response.method != "HEAD":
        try:
            read_integer(length, maximum=max_wire_bytes(encoding))
        except OutOfRange:
            raise too_large(encoding) from None
        except NotAnInteger:
            reason = f"the response of {target.authority} has an invalid Content-Length"
            raise Failed("answer", reason) from None
    body = await read_body(response.content.iter_any(), encoding, count)
    if body and Decompressor.supports(encoding):  # these headers describe the compressed body
        headers.pop("content-encoding", None)
        headers.pop("content-length", None)
    return {"status": response.status, "headers": headers, "body": body, "url": str(target)}
