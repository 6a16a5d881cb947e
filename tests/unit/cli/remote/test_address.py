from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.cli.exits import WRONG_USE, Failure
from picloud.cli.remote.address import is_safe, normalise


@pytest.mark.parametrize(
    ("typed", "address", "safe"),
    [
        ("https://Cloud.Example.com/", "https://cloud.example.com", True),
        ("https://cloud.example.com:443", "https://cloud.example.com", True),
        ("cloud.example.com", "https://cloud.example.com", True),
        ("cloud.example.com:8443/picloud/", "https://cloud.example.com:8443/picloud", True),
        ("localhost:8123", "http://localhost:8123", True),
        ("127.0.0.2", "http://127.0.0.2", True),
        ("[::1]:8123", "http://[::1]:8123", True),
        ("http://api.localhost", "http://api.localhost", True),
        ("http://cloud.example.com", "http://cloud.example.com", False),
        ("HTTP://10.0.0.1:80", "http://10.0.0.1", False),
        ("http://localhost.example.com", "http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", "http://127.0.0.1.example.com", False),
        ("http://[::ffff:10.0.0.1]", "http://[::ffff:10.0.0.1]", False),
    ],
)
def test_an_address_has_one_form_and_is_safe_or_not(typed: str, address: str, safe: bool) -> None:
    assert (normalise(typed), is_safe(normalise(typed))) == (address, safe)
    assert normalise(address) == address


@pytest.mark.parametrize(
    "typed",
    ["", "https://", "ftp://x", "https://a b", "https://x:99999", "https://u:p@x", "https://u@x", "http://[::1",
     "https://x/?q", "https://x/#f", "https://x\n", "file:///etc/passwd"],
)  # fmt: skip
def test_an_invalid_address_is_rejected(typed: str) -> None:
    with pytest.raises(Failure) as caught:
        normalise(typed)
    assert caught.value.exit_code == WRONG_USE


@given(st.text())
def test_any_text_is_an_address_or_a_clear_error(typed: str) -> None:
    try:
        address = normalise(typed)
    except Failure:
        return
    assert normalise(address) == address
