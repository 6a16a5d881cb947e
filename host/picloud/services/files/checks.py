"""What a file may be called, and what it may be said to be."""

from __future__ import annotations

import json
import re

from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS

MAX_NAME = LIMITS.number("max_file_name_bytes")
MAX_CONTENT_TYPE = LIMITS.number("max_content_type_bytes")
MAX_METADATA = LIMITS.number("max_file_metadata_bytes")
MAX_LEVELS = LIMITS.number("max_nesting_levels") - 1
"""Metadata comes inside of one level."""
OCTETS = "application/octet-stream"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"'
# RFC 9110, 8.3.1, in ASCII.
_CONTENT_TYPE = re.compile(rf"{_WORD}/{_WORD}(?:[\t ]*;[\t ]*{_WORD}=(?:{_WORD}|{_QUOTED}))*")


def check_name(name: str) -> None:
    """Refuse a name that is empty, too long, or has control characters.

    Args:
        name: only ever shown: it is no path here, and none at the one who downloads it.

    Raises:
        ServiceError: it is refused.
    """
    if not 1 <= len(name.encode()) <= MAX_NAME:
        raise ServiceError(f"name must have 1 to {MAX_NAME} bytes")
    if _CONTROL.search(name):
        raise ServiceError("name must not hold control characters")


def is_content_type(text: str) -> bool:
    """Whether this is a media type with its parameters, as a header may hold it."""
    return len(text) <= MAX_CONTENT_TYPE and _CONTENT_TYPE.fullmatch(text) is not None


def check_content_type(content_type: str) -> None:
    """Refuse what is no media type.

    Args:
        content_type: becomes the value of a header.

    Raises:
        ServiceError: it is refused.
    """
    if not is_content_type(content_type):
        raise ServiceError(
            f"content_type must be a media type such as image/png, of at most {MAX_CONTENT_TYPE} characters"
        )


def check_metadata(metadata: str | None) -> None:
    """Refuse metadata that is too large or too deep; that it is an object is for the database to see.

    Args:
        metadata: JSON.

    Raises:
        ServiceError: it is refused.
    """
    if metadata is None:
        return
    if (size := len(metadata.encode())) > MAX_METADATA:
        raise ServiceError(f"metadata has at most {MAX_METADATA} bytes as JSON, this has {size}")
    if metadata.count("[") + metadata.count("{") > MAX_LEVELS and _is_deep(metadata):
        raise ServiceError(f"metadata is nested deeper than {MAX_LEVELS} levels")


def _is_deep(text: str) -> bool:
    """Whether JSON is nested deeper than a script can read it."""
    try:
        level = [json.loads(text, parse_int=str)]  # a number may be longer than Python likes
    except RecursionError:
        return True
    except ValueError:
        return False  # it is no JSON, and will not be stored
    for _ in range(MAX_LEVELS):
        level = [
            item
            for value in level
            if isinstance(value, (dict, list))
            for item in (value.values() if isinstance(value, dict) else value)
        ]
    return any(isinstance(value, (dict, list)) for value in level)
