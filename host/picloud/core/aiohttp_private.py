"""The private names of aiohttp that PiCloud uses, and the check at start that they exist.

`http/edge/connection.py` and `receiver.py` set deadlines and limits that aiohttp has no options for, and
`services/outbound/framing.py` limits what a server sends around a body. Both use attributes that aiohttp may
rename in any release, so `pyproject.toml` pins its version exactly. To move to another version, change it
here and in `pyproject.toml`, run `script/lock`, and run the tests of `http` and `outbound`.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.metadata import version

VERSION = "3.14.5"

ATTRIBUTES: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("aiohttp.web_protocol", "RequestHandler"): (
        "_buffer_paused",
        "_close",
        "_force_close",
        "_keepalive_handle",
        "_lingering_time",
        "_loop",
        "_max_msg_queue_size",
        "_messages",
        "_msg_queue_resume_size",
        "_next_keepalive_close_time",
        "_parser",
        "_pause_reading_for_buffer",
        "_payload_parser",
        "_process_keepalive",
        "_request_count",
        "_reading_paused",
        "_request_in_progress",
        "_resume_reading_for_buffer",
        "_resume_reading_if_drained",
        "_upgraded",
        "_waiter",
    ),
    ("aiohttp.streams", "StreamReader"): ("_exception",),
    ("aiohttp.web_request", "BaseRequest"): ("_method", "_version"),
    ("aiohttp.client_proto", "ResponseHandler"): (
        "_buffer_paused",
        "_loop",
        "_pause_reading_for_buffer",
        "_payload",
        "_reading_paused",
        "_resume_reading_for_buffer",
    ),
    ("aiohttp.connector", "TCPConnector"): ("_factory",),
}
"""(module, class) -> private attributes and methods of its instances."""

NAMES: Mapping[str, tuple[str, ...]] = {"aiohttp.web_protocol": ("_ErrInfo",)}
"""Module -> private names in it."""


class AiohttpMismatch(Exception):
    """Another aiohttp is installed than the one that PiCloud is written for."""


def check_aiohttp() -> None:
    """Check the version of aiohttp and the private names.

    Raises:
        AiohttpMismatch: with the version that is required.
    """
    required = f"PiCloud requires aiohttp {VERSION}"
    if (installed := version("aiohttp")) != VERSION:
        raise AiohttpMismatch(
            f"{required}, but {installed} is installed; run: pip install aiohttp=={VERSION}"
        )
    if missing := list(missing_names()):
        raise AiohttpMismatch(
            f"{required}, but the installed one has no {', '.join(missing)}; "
            f"run: pip install --force-reinstall aiohttp=={VERSION}"
        )


def missing_names() -> Iterator[str]:
    """The names of both tables that aiohttp does not have."""
    for module, names in NAMES.items():
        yield from (f"{module}.{name}" for name in names if not hasattr(import_module(module), name))
    for (module, class_name), names in ATTRIBUTES.items():
        cls = getattr(import_module(module), class_name, object)
        yield from (f"{module}.{class_name}.{name}" for name in names if not has_attribute(cls, name))


def has_attribute(cls: type, name: str) -> bool:
    """Whether instances have an attribute: the class does, or an `__init__` uses it."""
    makers = (vars(base).get("__init__") for base in inspect.getmro(cls))
    return hasattr(cls, name) or any(
        name in maker.__code__.co_names for maker in makers if inspect.isfunction(maker)
    )
