from __future__ import annotations

import argparse
from urllib.parse import unquote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from picloud.cli import exits
from picloud.cli.exits import Failure
from picloud.cli.remote.client import ApiError, fill
from picloud.cli.remote.context import find_target


@given(st.text(st.characters(exclude_categories=("Cs",))))
@example("..")
@example("a/../b?c#d")
def test_a_part_of_a_path_stays_one_segment(part: str) -> None:
    start, segment, end = fill("apps/{app}/scripts", app=part).split("/")
    assert (start, unquote(segment), end) == ("apps", part, "scripts")
    assert not set(segment) & set(".?#\\ ")


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "request_invalid", exits.WRONG_USE),
        (401, "unauthenticated", exits.NOT_ALLOWED),
        (403, "forbidden", exits.NOT_ALLOWED),
        (404, "not_found", exits.NOT_FOUND),
        (409, "conflict", exits.CONFLICT),
        (413, "body_too_large", exits.WRONG_USE),
        (422, "invalid", exits.WRONG_USE),
        (422, "script_invalid", exits.DOES_NOT_PARSE),
        (429, "throttled", exits.FAILED),
        (500, "internal", exits.FAILED),
        (503, "not_ready", exits.UNREACHABLE),
    ],
)
def test_every_status_has_a_documented_exit_code(status: int, code: str, exit_code: int) -> None:
    assert ApiError(status, {"code": code, "message": "no"}).exit_code == exit_code
    assert exit_code in exits.EXIT_CODES


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ({"message": "this slug is taken", "details": {"field": "slug"}}, "this slug is taken (slug)"),
        ({"message": "slug: is required", "details": {"field": "slug"}}, "slug: is required"),
        ({"message": "wait", "details": {"retry_after": 3}}, "wait (3 s)"),
        ({"message": "bad \x1b[31m", "details": None}, "bad \\x1b[31m"),
        ({}, ""),
    ],
)
def test_an_error_of_the_server_is_one_line(error: dict[str, object], line: str) -> None:
    refused = ApiError(409, error)
    assert refused.message == line
    assert refused.as_json == {"error": error}


def test_a_key_without_the_scope_is_not_told_about_other_apps() -> None:
    needs = "requires the capability app.read"
    by_key = f"{needs}; the key lacks the scope script:read"
    assert ApiError(403, {"message": by_key}).message == by_key


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("PICLOUD_URL", "PICLOUD_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_plain_http_to_another_machine_needs_to_be_asked_for() -> None:
    arguments = argparse.Namespace(url="http://10.0.0.1:8123", insecure=False)
    with pytest.raises(Failure, match="--insecure"):
        find_target(arguments)
    arguments.insecure = True
    assert find_target(arguments).url == "http://10.0.0.1:8123"


def test_without_anything_the_server_is_the_one_of_this_machine() -> None:
    assert find_target(argparse.Namespace(url=None, insecure=False)).url == "http://localhost:8123"
