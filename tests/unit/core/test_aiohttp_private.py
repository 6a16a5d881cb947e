"""aiohttp has every private name that PiCloud uses, and the table of them is complete."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.web_protocol import RequestHandler

from picloud.core import aiohttp_private
from picloud.core.aiohttp_private import (
    ATTRIBUTES,
    NAMES,
    VERSION,
    AiohttpMismatch,
    check_aiohttp,
    has_attribute,
)
from picloud.http.edge.connection import Connection
from picloud.services.outbound.framing import Framing

ROOT = Path(__file__).parents[3]
SUBCLASSES = {RequestHandler: Connection, ResponseHandler: Framing}
SUBCLASS_NAMES = {base.__name__ for base in SUBCLASSES}


def test_aiohttp_has_every_private_name() -> None:
    check_aiohttp()


def test_the_version_is_pinned_exactly() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"aiohttp=={VERSION}" in project["dependencies"]
    assert f"aiohttp=={VERSION} " in (ROOT / "requirements" / "serve.txt").read_text()


@pytest.mark.parametrize(("base", "cls"), SUBCLASSES.items())
def test_private_attributes_that_a_subclass_uses_are_listed(base: type, cls: type) -> None:
    ours = [one for one in inspect.getmro(cls) if issubclass(one, base) and one is not base]
    functions = [getattr(member, "fget", member) for one in ours for member in vars(one).values()]
    used = {
        name
        for function in functions
        if inspect.isfunction(function)
        for name in function.__code__.co_names
        if re.match("_[a-z]", name) and has_attribute(base, name)
    }
    assert used == set(ATTRIBUTES[base.__module__, base.__name__])


def test_private_names_that_are_used_from_outside_are_listed() -> None:
    listed = {
        name for (_, cls), names in ATTRIBUTES.items() if cls not in SUBCLASS_NAMES for name in names
    } | {name for names in NAMES.values() for name in names}
    used: set[str] = set()
    for file in (ROOT / "host" / "picloud").rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        if re.search(r"^from aiohttp|^import aiohttp", text, re.MULTILINE):
            # ruff (SLF001) finds every such access and wants the comment.
            used |= set(re.findall(r"\.(_\w+).*# noqa: SLF001", text))
            for names in re.findall(r"^from aiohttp[\w.]* import ([^(\n]+|\([^)]*\))", text, re.MULTILINE):
                used |= set(re.findall(r"\b_\w+", names))
    assert used == listed


def test_another_version_is_rejected_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiohttp_private, "version", lambda name: "3.99.0")
    with pytest.raises(AiohttpMismatch, match=rf"requires aiohttp {re.escape(VERSION)}, but 3\.99\.0 is"):
        check_aiohttp()


@pytest.mark.parametrize(
    ("attributes", "names", "missing"),
    [
        (
            {("aiohttp.web_protocol", "RequestHandler"): ("_gone",)},
            {},
            "aiohttp.web_protocol.RequestHandler._gone",
        ),
        ({("aiohttp.web_protocol", "NoHandler"): ("_gone",)}, {}, "aiohttp.web_protocol.NoHandler._gone"),
        ({}, {"aiohttp.web_protocol": ("_Gone",)}, "aiohttp.web_protocol._Gone"),
    ],
)
def test_a_name_that_is_missing_is_reported(
    attributes: dict[tuple[str, str], tuple[str, ...]],
    names: dict[str, tuple[str, ...]],
    missing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(aiohttp_private, "ATTRIBUTES", attributes)
    monkeypatch.setattr(aiohttp_private, "NAMES", names)
    with pytest.raises(AiohttpMismatch, match=f"has no {re.escape(missing)};"):
        check_aiohttp()
