"""Promises of identity/tokens.py."""

from __future__ import annotations

import pytest

from picloud.identity.tokens import (
    SESSION_PREFIX,
    bearer_token,
    new_token,
    token_hash,
)


def test_tokens_are_long_random_and_stored_as_a_hash() -> None:
    tokens = {new_token(SESSION_PREFIX) for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {len(SESSION_PREFIX) + 43}
    assert {len(token_hash(token)) for token in tokens} == {32}
    assert len(token_hash("\udcff")) == 32


@pytest.mark.parametrize(
    ("header", "token"),
    [
        ("Bearer x", "x"),
        ("bearer  x ", "x"),
        ("BEARER x", "x"),
        ("Basic x", None),
        ("Bearer", None),
        ("", None),
        (None, None),
    ],
)
def test_a_bearer_header_has_a_token(header: str | None, token: str | None) -> None:
    assert bearer_token(header) == token
