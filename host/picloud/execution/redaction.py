"""Redacts secrets before anything of an execution is recorded.

Two rules apply to all text: the value of a name that looks like a secret is replaced
(`PICLOUD_REDACT_NAMES`), and so is text that contains a PiCloud token. The first rule knows the places where
requests and responses have names: headers, queries, forms, multipart forms, JSON, and JSON inside of these.
It reads them without parsing, so that text that is cut or not valid is redacted too, in linear time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote_plus, unquote_plus

from picloud.core.secret_names import SecretNames
from picloud.core.text import clean
from picloud.identity.token_search import holds_token

REDACTED = "[redacted]"
MAX_FIELDS = 4000
"""Names and strings of a text that are looked at; the rest of it is redacted."""
ALWAYS = frozenset(("authorization", "cookie", "proxy-authorization", "set-cookie", "x-api-key"))
"""Headers that are credentials, whatever the setting says."""

_MAX_DEPTH = 3  # JSON inside of strings of JSON

# A string that is not closed ends with the text. A match consumes its string, so nothing is read twice.
_STRING = re.compile(r'"((?:[^"\\]++|\\.)*+)(?:"|\\?\Z)(\s*+:\s*+)?', re.DOTALL)
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[][{}]', re.DOTALL)
_LITERAL = re.compile(r"[^,\]}\s]*")
_PAIR = re.compile(r"""(?:(?<=[?&;\s(])|^)([^\s=&?;,"'<>(){}\\]{1,256})=([^\s&;,"'<>)}\\]+)""")
_BOUNDARY = re.compile(r'boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))', re.IGNORECASE)
_PART_NAME = re.compile(r"""\bname\*?=(?:"((?:[^"\\]|\\.)*+)"|([^\s;"]+))""", re.IGNORECASE)


def without_tokens(*fields: dict[str, str]) -> tuple[dict[str, str], ...]:
    """Redact names and values that contain a token. Args: fields: headers, a query; searched all at once."""
    texts = [text for each in fields for text in (*each, *each.values())]
    if not holds_token("\n".join(texts)):
        return fields
    return tuple(
        {
            REDACTED if holds_token(name) else name: REDACTED
            if holds_token(name) or holds_token(value)
            else value
            for name, value in each.items()
        }
        for each in fields
    )


class Redaction:
    """Redacts by a list of names.

    Attributes:
        is_secret: returns whether a name looks like that of a secret.
    """

    def __init__(self, names: Iterable[str]) -> None:
        """Create a redaction.

        Args:
            names: names of secrets; see `SecretNames`.
        """
        self.is_secret = SecretNames(names).match

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Redact headers by their names; see `without_tokens` for their tokens.

        Args:
            headers: lower-case names and values; repeated names are joined by ", ".
        """
        kept: dict[str, str] = {}
        for name, value in headers:
            if name in ALWAYS or self.is_secret(name):
                shown = REDACTED
            else:
                shown = clean(value)
                if "=" in shown:  # a query, in a Referer or a Location; parameters
                    shown = self._pairs(shown)
            kept[name] = f"{kept[name]}, {shown}" if name in kept else shown
        return kept

    def query(self, query: Mapping[str, str]) -> dict[str, str]:
        """Redact a query by its names. Args: query: decoded values by name."""
        return {
            clean(name): REDACTED if self.is_secret(name) else self._value(clean(value), _MAX_DEPTH)
            for name, value in query.items()
        }

    def body(self, text: str, content_type: str | None) -> str:
        """Redact a body.

        Args:
            text: the body, or its beginning.
            content_type: the header's value, or None.
        """
        kind = (content_type or "").partition(";")[0].strip().lower()
        if kind == "multipart/form-data":
            text = self._multipart(text, content_type or "")
        elif kind == "application/x-www-form-urlencoded":
            text = self._form(text)
        return self.text(text)

    def text(self, text: str) -> str:
        """Redact any text: JSON in it, and pairs such as `password=x`."""
        text = self._value(text, _MAX_DEPTH)
        return REDACTED if holds_token(text) else text

    def _value(self, text: str, depth: int) -> str:
        if '"' in text:
            text = self._json(text, depth)
        return self._pairs(text) if "=" in text else text

    def _pairs(self, text: str) -> str:
        def replaced(match: re.Match[str]) -> str:
            return f"{match[1]}={REDACTED}" if self.is_secret(unquote_plus(match[1])) else match[0]

        parts = text.split("=", MAX_FIELDS)
        if len(parts) > MAX_FIELDS:
            text = "=".join((*parts[:MAX_FIELDS], REDACTED))
        return _PAIR.sub(replaced, text)

    def _json(self, text: str, depth: int) -> str:
        """Redact JSON and what looks like it: JSON lines, a cut document, a map as Rhai prints it."""
        done: list[str] = []
        kept_to = position = seen = 0
        has_tokens = holds_token(text)
        while (match := _STRING.search(text, position)) is not None:
            position, seen = match.end(), seen + 1
            if seen > MAX_FIELDS:
                done += (text[kept_to : match.start()], REDACTED)
                kept_to = len(text)
                break
            if match[2] is None:
                new = self._string(match[1], depth, has_tokens)
                if new is not None:
                    done += (text[kept_to : match.start()], json.dumps(new, ensure_ascii=False))
                    kept_to = position
            elif self.is_secret(_unescape(match[1])):
                done += (text[kept_to:position], f'"{REDACTED}"')
                kept_to = position = _end_of_value(text, position)
        return "".join((*done, text[kept_to:])) if done else text

    def _string(self, raw: str, depth: int, has_tokens: bool) -> str | None:
        """Return what a string of JSON becomes, or None if it stays."""
        if has_tokens and holds_token(raw):
            return REDACTED
        if not depth or '\\"' not in raw:
            return None
        inner = _unescape(raw)
        new = self._value(inner, depth - 1)
        return None if new == inner else new

    def _form(self, text: str) -> str:
        """Redact a body of `application/x-www-form-urlencoded`."""
        parts, has_tokens = text.split("&", MAX_FIELDS), holds_token(text)
        done = [self._field(part, has_tokens) for part in parts[:MAX_FIELDS]]
        return "&".join([*done, REDACTED] if len(parts) > MAX_FIELDS else done)

    def _field(self, part: str, has_tokens: bool) -> str:
        name, equals, value = part.partition("=")
        if has_tokens and holds_token(name):
            return REDACTED
        if equals and (self.is_secret(unquote_plus(name)) or (has_tokens and holds_token(value))):
            return f"{name}={REDACTED}"
        inner = unquote_plus(value)
        if '"' in inner and (new := self._json(inner, _MAX_DEPTH)) != inner:
            return f"{name}={quote_plus(new)}"
        return part

    def _multipart(self, text: str, content_type: str) -> str:
        """Redact a body of `multipart/form-data` (RFC 7578)."""
        found = _BOUNDARY.search(content_type)
        if found is None:
            return REDACTED
        mark = "--" + (found[1] or found[2])
        parts = text.split(mark, MAX_FIELDS)
        done = [self._part(part) for part in parts[:MAX_FIELDS]]
        return mark.join([*done, REDACTED] if len(parts) > MAX_FIELDS else done)

    def _part(self, part: str) -> str:
        head, empty_line, content = part.partition("\r\n\r\n")
        if not empty_line:
            return REDACTED if holds_token(part) else part
        name = _PART_NAME.search(head)
        spelled = "" if name is None else unquote_plus((name[1] or name[2]).replace("\\", ""))
        if holds_token(head):
            return REDACTED
        if self.is_secret(spelled) or holds_token(content):
            return f"{head}{empty_line}{REDACTED}\r\n"
        return f"{head}{empty_line}{self._value(content, _MAX_DEPTH)}"


def _unescape(raw: str) -> str:
    """Return the characters of a string of JSON; as it is if its escapes are not valid."""
    if "\\" not in raw:
        return raw
    try:
        return clean(json.loads(f'"{raw}"', strict=False))
    except ValueError:
        return raw


def _end_of_value(text: str, start: int) -> int:
    """Return where a value of JSON ends; the end of the text if it is cut."""
    opening = start + text.startswith("#", start)  # a map of Rhai is #{}
    if text[opening : opening + 1] not in ("{", "["):
        string = _STRING.match(text, start)
        if string is not None:
            return string.end(2) if string[2] else string.end()
        literal = _LITERAL.match(text, start)
        return literal.end() if literal is not None else start
    depth = 0
    for match in _BRACKET.finditer(text, opening):
        if match[0] in "[{":
            depth += 1
        elif match[0] in "]}":
            depth -= 1
            if not depth:
                return match.end()
    return len(text)
