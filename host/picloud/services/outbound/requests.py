"""Requests, and how redirects change them."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from picloud.core.interface import LIMITS
from picloud.services.outbound.errors import Denied
from picloud.services.outbound.headers import ABOUT_BODY, Headers, without
from picloud.services.outbound.secret_headers import SecretHeaders
from picloud.services.outbound.targets import Destination, Targets

MAX_BODY = LIMITS.number("max_http_body_bytes")

_METHOD = re.compile(r"[A-Z]{1,20}")
_DENIED_METHODS = frozenset(("CONNECT", "TRACE", "TRACK"))
_REDIRECTS = (301, 302, 303, 307, 308)
_CREDENTIALS = SecretHeaders()


@dataclass(frozen=True, slots=True)
class Request:
    """The request of one hop.

    Attributes:
        method: upper case.
        target: the URL.
        headers: all headers except Host and the framing of the body.
        body: bytes, or None.
        secret: names in lower case of further headers that only the first origin gets.
        redirect_body: whether a redirect to another origin gets the body.
    """

    method: str
    target: Destination
    headers: Headers
    body: bytes | None
    secret: frozenset[str] = frozenset()
    redirect_body: bool = False

    def after(
        self, status: int, location: str, targets: Targets, credentials: SecretHeaders = _CREDENTIALS
    ) -> Request | None:
        """Return the request after a redirect.

        Another origin gets no credentials (`SecretHeaders`), and a body only if the script asks for it.

        Args:
            status: status of the response.
            location: its Location header, or "".
            targets: the rule for URLs.
            credentials: recognizes headers with credentials.

        Returns:
            The next request, or None if the response is not a redirect.

        Raises:
            Denied: the target is denied.
        """
        if status not in _REDIRECTS or not location:
            return None
        following = replace(self, target=targets.follow(self.target, location))
        if following.target.origin != self.target.origin:
            following = _without_credentials(following, credentials)
            if not self.redirect_body:
                following = _without_body(following)
        is_seen_elsewhere = status == 303 and self.method not in ("GET", "HEAD")
        if is_seen_elsewhere or (status in (301, 302) and self.method == "POST"):
            following = replace(_without_body(following), method="GET")
        return following


def check_method(method: str) -> str:
    """Check a method. Args: method: in upper case. Raises: Denied: it is not valid or denied."""
    if not _METHOD.fullmatch(method) or method in _DENIED_METHODS:
        raise Denied("method", f"the method {method[:20]!r} is not allowed")
    return method


def check_body(body: bytes | None) -> bytes | None:
    """Check a body. Raises: Denied: it has more than `MAX_BODY` bytes."""
    if body is not None and len(body) > MAX_BODY:
        raise Denied("body", f"the body has more than {MAX_BODY} bytes")
    return body


def _without_credentials(request: Request, credentials: SecretHeaders) -> Request:
    kept = (header for header in request.headers if not credentials.carried_by(*header, request.secret))
    return replace(request, headers=tuple(kept))


def _without_body(request: Request) -> Request:
    return replace(request, headers=without(request.headers, ABOUT_BODY), body=None)
