"""One request on its way, and the one that a redirect makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from picloud.core.interface import LIMITS
from picloud.services.outbound.headers import ABOUT_BODY, CREDENTIALS, Headers, without
from picloud.services.outbound.refused import Refused
from picloud.services.outbound.targets import Destination, Targets

MAX_BODY = LIMITS.number("max_http_body_bytes")

_METHOD = re.compile(r"[A-Z]{1,20}")
_DENIED_METHODS = frozenset(("CONNECT", "TRACE", "TRACK"))
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent in one hop.

    Attributes:
        method: upper case.
        target: the URL.
        headers: all but Host and what frames the body.
        body: bytes, or None.
    """

    method: str
    target: Destination
    headers: Headers
    body: bytes | None

    def after(self, status: int, location: str, targets: Targets) -> Request | None:
        """The request that an answer asks for.

        Args:
            status: of the answer.
            location: its Location header, "" where there is none.
            targets: the rule for URLs.

        Returns:
            The next request, or None where the answer is no redirect.

        Raises:
            Refused: the redirect leads where no request may go.
        """
        if status not in _REDIRECTS or not location:
            return None
        following = replace(self, target=targets.follow(self.target, location))
        if following.target.origin != self.target.origin:
            following = replace(following, headers=without(following.headers, CREDENTIALS))
        is_seen_elsewhere = status == 303 and self.method not in ("GET", "HEAD")
        if is_seen_elsewhere or (status in (301, 302) and self.method == "POST"):
            following = replace(
                following, method="GET", headers=without(following.headers, ABOUT_BODY), body=None
            )
        return following


def check_method(method: str) -> str:
    """Check a method. Args: method: as the script gave it, in upper case. Raises: Refused: it is none."""
    if not _METHOD.fullmatch(method) or method in _DENIED_METHODS:
        raise Refused("method", f"the method {method[:20]!r} is not one that may be sent")
    return method


def check_body(body: bytes | None) -> bytes | None:
    """Check a body. Args: body: of the request, or None. Raises: Refused: it is larger than `MAX_BODY`."""
    if body is not None and len(body) > MAX_BODY:
        raise Refused("body", f"the body has more than {MAX_BODY} bytes")
    return body
