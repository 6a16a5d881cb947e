"""Promises of the table of endpoints."""

from __future__ import annotations

import re

from picloud.http.application import ENDPOINTS
from picloud.identity.capabilities import CAPABILITIES

IN_APPS = {one.name for one in CAPABILITIES if one.level == "app"}


def test_every_endpoint_needs_a_capability_that_exists_or_says_why_none() -> None:
    for endpoint in ENDPOINTS:
        assert endpoint.access in {"public", "user", "session", *(one.name for one in CAPABILITIES)}, (
            endpoint.path
        )


def test_only_login_endpoints_are_public() -> None:
    public = {endpoint.path for endpoint in ENDPOINTS if endpoint.access == "public"}
    assert public == {"/auth/login", "/auth/setup"}


def test_a_path_that_names_an_app_or_a_script_asks_for_a_capability_there() -> None:
    for endpoint in ENDPOINTS:
        if "{app}" in endpoint.path or "{script}" in endpoint.path:
            assert endpoint.access in IN_APPS, endpoint.path


def test_no_method_of_a_path_is_there_twice() -> None:
    keys = [(endpoint.method, endpoint.path) for endpoint in ENDPOINTS]
    assert len(keys) == len(set(keys))


def test_everything_that_writes_has_a_name_in_the_audit_log() -> None:
    for endpoint in ENDPOINTS:
        name = re.fullmatch(r"[a-z]+\.[a-z]+", endpoint.action)
        assert (name is None) == (endpoint.method == "GET"), endpoint.path
