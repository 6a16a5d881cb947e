"""Headers with credentials: a redirect to another origin must not get them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from picloud.config.secret_names import SECRET_NAMES
from picloud.core.secret_names import SecretNames
from picloud.identity.token_search import holds_token

# "key" is in Ocp-Apim-Subscription-Key and Idempotency-Key: too much is dropped rather than too little.
_OF_HEADERS = ("dpop", "key", "session", "signature", "xsrf", "csrf")

_SCHEME = re.compile(
    r"(?:basic|bearer|digest|dpop|gnap|hawk|hoba|mutual|negotiate|ntlm|privatetoken|token|apikey"
    r"|aws4-[a-z0-9-]+|scram-[a-z0-9-]+|vapid)\s",
    re.IGNORECASE,
)
"""Those of the IANA HTTP authentication scheme registry (RFC 9110, section 16.4.1), and common others."""


class SecretHeaders:
    """Recognizes headers with credentials by their name or value."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Args: names: names of secrets in addition to the built-in ones; see `SecretNames`."""
        self._names = SecretNames((*SECRET_NAMES, *_OF_HEADERS, *names))

    def carried_by(self, name: str, value: str, secret: Collection[str] = ()) -> bool:
        """Return whether a header carries a credential.

        Args:
            name: its name in lower case.
            value: its value.
            secret: names in lower case that the script marked as secret.
        """
        return (
            name in secret
            or name.startswith("proxy-")
            or self._names.match(name)
            or _SCHEME.match(value) is not None
            or holds_token(value)
        )
