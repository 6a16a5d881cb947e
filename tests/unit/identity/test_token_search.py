"""Promises of identity/token_search.py: a token is found however a request spells it."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.identity.token_search import holds_token
from picloud.identity.tokens import SESSION_PREFIX, new_key, new_token

TOKENS = [new_token(SESSION_PREFIX), new_key(), new_key().upper()]
TEXTS = st.text(st.characters(codec="ascii"), max_size=20)


def percent(text: str) -> str:
    return "".join(f"%{byte:02{'xX'[byte % 2]}}" for byte in text.encode())


def json_escapes(text: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in text)


ENCODINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda text: text,
    "percent": percent,
    "percent, where needed": quote,
    "a form": lambda text: urlencode({"a b": text}),
    "JSON": lambda text: json.dumps({"key": text}),
    "JSON escapes": json_escapes,
    "JavaScript escapes": lambda text: "".join(f"\\x{ord(letter):02x}" for letter in text),
    "Rhai escapes": lambda text: "".join(f"\\u{{{ord(letter):x}}}" for letter in text),
    "percent u": lambda text: "".join(f"%u{ord(letter):04x}" for letter in text),
    "HTML": lambda text: "".join(f"&#{ord(letter)};" for letter in text),
    "HTML, hexadecimal": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text),
    "HTML, where needed": html.escape,
}
PARTLY = ["percent", "JSON escapes", "JavaScript escapes", "Rhai escapes", "HTML", "HTML, hexadecimal"]
"""Encodings that a client can apply to any of the characters."""


def in_base64(before: str, text: str, after: str, url_safe: bool, lines: bool) -> str:
    data = (before + text + after).encode()
    if lines:
        return base64.encodebytes(data).decode()
    return (
        (base64.urlsafe_b64encode(data).decode().rstrip("=")) if url_safe else base64.b64encode(data).decode()
    )


@given(
    token=st.sampled_from(TOKENS),
    names=st.lists(st.sampled_from(sorted(ENCODINGS)), max_size=3),
    around=st.tuples(
        st.sampled_from(["", "a=", '"', "Bearer ", "/", "; x="]), st.sampled_from(["", "&b", '"', "/"])
    ),
)
def test_a_token_is_found_in_every_encoding_and_in_encodings_of_these(
    token: str, names: list[str], around: tuple[str, str]
) -> None:
    text = token
    for name in names:
        text = ENCODINGS[name](text)
    assert holds_token(around[0] + text + around[1])


@given(st.sampled_from(TOKENS), st.sampled_from(PARTLY), st.sets(st.integers(0, 60)))
def test_a_token_is_found_whichever_of_its_characters_are_encoded(
    token: str, name: str, places: set[int]
) -> None:
    encode = ENCODINGS[name]
    assert holds_token("".join(encode(c) if place in places else c for place, c in enumerate(token)))


@given(
    st.sampled_from(TOKENS[:2]),
    TEXTS,
    TEXTS,
    st.booleans(),
    st.booleans(),
    st.sampled_from(sorted(ENCODINGS)),
)
def test_a_token_is_found_in_base64_at_every_place(
    token: str, before: str, after: str, url_safe: bool, lines: bool, outer: str
) -> None:
    assert holds_token(ENCODINGS[outer](in_base64(before, token, after, url_safe, lines)))


@given(
    st.sampled_from(TOKENS),
    st.sampled_from(["{}:", ":{}", "{}", "me:{}"]),
    st.sampled_from(sorted(ENCODINGS)),
)
def test_a_token_is_found_in_basic_credentials(token: str, pair: str, inner: str) -> None:
    credentials = base64.b64encode(pair.format(ENCODINGS[inner](token)).encode()).decode()
    assert holds_token(f"Basic {credentials}")


@given(st.text(st.sampled_from("%25pic_\\u0070;&#12 =cGljXs:"), max_size=400))
def test_any_text_is_searched(text: str) -> None:
    assert not holds_token(text)  # too short for a token, and soon decoded


@pytest.mark.parametrize(
    "text", ["%25" * 20_000, "\\" * 20_000, "%" * 60_000, "&#" * 30_000, "cGljX" * 13_000]
)
def test_a_text_made_to_be_decoded_for_ever_is_not(text: str) -> None:
    holds_token(text)


@pytest.mark.parametrize("token", [new_token(SESSION_PREFIX), new_key()], ids=["session", "key"])
@pytest.mark.parametrize(
    "around", ["Bearer {}", "bearer\t{}", "{}", "Basic x, Bearer {}", 'a="{}"', "?t={}&x"]
)
def test_a_token_is_seen_wherever_it_stands(token: str, around: str) -> None:
    assert holds_token(around.format(token))


@pytest.mark.parametrize("text", ["", "Bearer eyJhbGciOi", "Basic pis_x", "pic_ture", "pis_" + "x" * 42])
def test_a_text_without_a_token_contains_none(text: str) -> None:
    assert not holds_token(text)


def test_an_incomplete_token_after_bearer_is_one_still() -> None:
    assert holds_token("bearer  " + new_key()[:-1])
