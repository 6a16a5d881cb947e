"""HTML pages: one file each, with a Content-Security-Policy that allows only its own inline code."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from aiohttp import web

from picloud.http.edge.responses import SECURITY_HEADERS

_PAGES = Path(__file__).with_name("pages")
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class HtmlPage:
    """A self-contained page."""

    def __init__(self, name: str, status: int = 200) -> None:
        """Read the file `name` from `pages/`; `status` is the HTTP status it is sent with."""
        self._text = (_PAGES / name).read_text("utf-8")
        self._status = status
        allowed: dict[str, list[str]] = {"script": [], "style": []}
        for kind, code in _INLINE.findall(self._text):
            digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
            allowed[kind].append(f"'sha256-{digest}'")
        self._policy = "; ".join(
            [
                "default-src 'none'",
                *(f"{kind}-src {' '.join(hashes)}" for kind, hashes in allowed.items() if hashes),
                "connect-src 'self'",
                "base-uri 'none'",
                "form-action 'none'",
                "frame-ancestors 'none'",
            ]
        )

    def response(self) -> web.Response:
        """Return the page as a response."""
        headers = SECURITY_HEADERS | {"Content-Security-Policy": self._policy}
        return web.Response(text=self._text, status=self._status, content_type="text/html", headers=headers)
