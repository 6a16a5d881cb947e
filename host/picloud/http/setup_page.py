"""`GET /admin/setup`: the page a one-time setup link opens."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from aiohttp import web

from picloud.http.respond import SECURITY_HEADERS
from picloud.identity.setup import Setup

_PAGES = Path(__file__).with_name("pages")
_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class SetupPage:
    """Shows the page, or that there is nothing to set up."""

    def __init__(self, setup: Setup) -> None:
        """Make it; the pages are read now."""
        self._setup = setup
        self._form = _Page("setup.html", 200)
        self._over = _Page("setup_over.html", 410)

    async def show(self, request: web.Request) -> web.Response:
        """Show the form while the link is good."""
        good = await self._setup.is_good(request.query.get("token", ""))
        return (self._form if good else self._over).response()


class _Page:
    """A page that is one file, with a policy that lets in its own inline code and nothing else."""

    def __init__(self, name: str, status: int) -> None:
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
        headers = SECURITY_HEADERS | {"Content-Security-Policy": self._policy}
        return web.Response(text=self._text, status=self._status, content_type="text/html", headers=headers)
