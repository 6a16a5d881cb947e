"""Checks of the names, content types and metadata of files."""

from __future__ import annotations

import json
import re

from picloud.core.errors import ServiceError
from picloud.core.interface import LIMITS

MAX_NAME = LIMITS.number("max_file_name_bytes")
MAX_CONTENT_TYPE = LIMITS.number("max_content_type_bytes")
MAX_METADATA = LIMITS.number("max_file_metadata_bytes")
MAX_LEVELS = LIMITS.number("max_nesting_levels") - 1
"""The entry adds one level around metadata."""
OCTETS = "application/octet-stream"

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_WORD = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"'
# RFC 9110, 8.3.1, in ASCII.
_CONTENT_TYPE = re.compile(rf"{_WORD}/{_WORD}(?:[\t ]*;[\t ]*{_WORD}=(?:{_WORD}|{_QUOTED}))*")


def check_name(name: str) -> None:
    """Check the name of a file: 1 to `MAX_NAME` bytes without control characters.

    Args:
        name: a display name, never used as a path.

    Raises:
        ServiceError: it is not valid.
    """
    if not 1 <= len(name.encode()) <= MAX_NAME:
        raise ServiceError(f"name must have 1 to {MAX_NAME} bytes")
    if _CONTROL.search(name):
        raise ServiceError("name must not contain control characters")


def is_content_type(text: str) -> bool:
    """Return whether a string is a media type with optional parameters, valid in a header."""
    return len(text) <= MAX_CONTENT_TYPE and _CONTENT_TYPE.fullmatch(text) is not None


def check_content_type(content_type: str) -> None:
    """Check a media type.

    Args:
        content_type: the value of a header.

    Raises:
        ServiceError: it is not valid.
    """
    if not is_content_type(content_type):
        raise ServiceError(
            f"content_type must be a media type such as image/png, of at most {MAX_CONTENT_TYPE} characters"
        )


def check_metadata(metadata: str | None) -> None:
    """Check the size and the depth of metadata; the database checks that it is an object.

    Args:
        metadata: JSON.

    Raises:
        ServiceError: it is not valid.
    """
    if metadata is None:
        return
    if (size := len(metadata.encode())) > MAX_METADATA:
        raise ServiceError(f"metadata must have at most {MAX_METADATA} bytes as JSON, not {size}")
    if metadata.count("[") + metadata.count("{") > MAX_LEVELS and _is_deep(metadata):
        raise ServiceError(f"metadata is nested deeper than {MAX_LEVELS} levels")


def _is_deep(text: str) -> bool:
    """Return whether JSON is nested deeper than a script can read."""
    try:
        level = [json.loads(text, parse_int=str)]  # Python limits the digits of integers
    except RecursionError:
        return True
    except ValueError:
        return False  # not JSON; the database rejects it
    for _ in range(MAX_LEVELS):
        level = [
            item
            for value in level
            if isinstance(value, (dict, list))
            for item in (value.values() if isinstance(value, dict) else value)
        ]
    return any(isinstance(value, (dict, list)) for value in level)
