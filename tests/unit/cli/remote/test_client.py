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
def test_every_refusal_has_an_exit_code_that_means_something(status: int, code: str, exit_code: int) -> None:
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
def test_a_refusal_is_one_line_for_people(error: dict[str, object], line: str) -> None:
    refused = ApiError(409, error)
    assert refused.message == line
    assert refused.as_json == {"error": error}


def test_a_failure_of_the_servers_own_names_the_request_to_look_for() -> None:
    assert ApiError(500, {"message": "Oh", "request_id": "r1"}).message == "Oh (request r1)"


def test_who_is_not_logged_in_is_told_how_to() -> None:
    error = {"message": "Log in, or send a valid bearer token."}
    assert ApiError(401, error).message == "not logged in, or the session has expired; run picloud login"


def test_who_sends_a_key_that_ended_is_told_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PICLOUD_TOKEN", "pic_x")
    refused = ApiError(401, {"message": "Log in, or send a valid bearer token."})
    assert refused.message == "the key in PICLOUD_TOKEN is unknown, revoked or expired"


def test_who_sees_no_such_app_is_told_where_theirs_are() -> None:
    needs = "requires the capability app.read"
    of_others = ApiError(403, {"message": f"{needs} (role viewer in the app)"})
    assert of_others.message.endswith("; picloud apps list shows your apps")
    by_key = f"{needs}; the key lacks the scope script:read"
    assert ApiError(403, {"message": by_key}).message == by_key


def test_what_the_api_calls_a_parameter_has_the_name_of_the_option() -> None:
    refused = ApiError(409, {"message": "the script has routes; use ?force=true to delete them too"})
    assert refused.message == "the script has routes; use --force to delete them too"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    for name in ("PICLOUD_URL", "PICLOUD_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def test_plain_http_to_another_machine_needs_to_be_asked_for() -> None:
    arguments = argparse.Namespace(url="http://10.0.0.1:8123", insecure=False)
    with pytest.raises(Failure, match="plain http to another machine"):
        find_target(arguments)
    arguments.insecure = True
    assert find_target(arguments).url == "http://10.0.0.1:8123"


def test_without_anything_the_server_is_the_one_of_this_machine() -> None:
    assert find_target(argparse.Namespace(url=None, insecure=False)).url == "http://localhost:8123"
