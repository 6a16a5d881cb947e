"""Promises of execution/redaction.py: no value of a secret's name is recorded, and no token of PiCloud."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.config.secret_names import SECRET_NAMES
from picloud.execution.redaction import MAX_FIELDS, REDACTED, Redaction, without_tokens
from picloud.identity.tokens import SESSION_PREFIX, new_key, new_token

REDACTION = Redaction(SECRET_NAMES)
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=XX"
SECRET = "hunter2"

SECRET_SPELLINGS = [
    *SECRET_NAMES,
    "PASSWORD",
    "newPassword",
    "new-password-2",
    "user[password]",
    "passwords",
    "db_passwd",
    "X-Api-Key",
    "apiKey",
    "apikey",
    "API_KEY_2",
    "accessToken",
    "refresh_token",
    "client_secret",
    "x-auth-token",
    "cardNumber",
    "card.number",
    "credit-card",
    "cards",
    "pin_code",
    "csrfToken",
]
HARMLESS = [
    "discard",
    "postcard",
    "cardinality",
    "author",
    "shipping",
    "opinion",
    "key",
    "name",
    "compass",
    "side",
]


@pytest.mark.parametrize("name", SECRET_SPELLINGS)
def test_a_name_of_a_secret_is_known_however_it_is_spelled(name: str) -> None:
    assert REDACTION.is_secret(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_name_that_only_contains_one_is_not_a_secret(name: str) -> None:
    assert not REDACTION.is_secret(name)


def part(name: str, value: str) -> str:
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n--XX--\r\n'


BODIES = {
    "json": ("application/json", lambda n, v: json.dumps({"a": 1, n: v, "z": [2]})),
    "nested": ("application/json", lambda n, v: json.dumps({"a": [{"b": {n: v}}], "z": [2]})),
    "object": ("application/json", lambda n, v: json.dumps({n: {"x": [v, {"y": v}]}, "z": "}"})),
    "list": ("application/json", lambda n, v: json.dumps({n: [v, v], "z": "]"})),
    "number": ("application/json", lambda n, v: json.dumps({n: 4111, "z": v}).replace(v, "z")),
    "escaped name": (
        "application/json",
        lambda n, v: json.dumps({"NAME": v}).replace("NAME", "".join(f"\\u{ord(c):04x}" for c in n)),
    ),
    "string in JSON": ("application/json", lambda n, v: json.dumps({"body": json.dumps({n: v})})),
    "two deep": ("application/json", lambda n, v: json.dumps({"b": json.dumps({"c": json.dumps({n: v})})})),
    "JSON lines": ("application/x-ndjson", lambda n, v: json.dumps({"a": 1}) + "\n" + json.dumps({n: v})),
    "JSON as text": ("text/plain", lambda n, v: json.dumps({n: v}, indent=2)),
    "no type": (None, lambda n, v: json.dumps({n: v})),
    "cut": ("application/json", lambda n, v: json.dumps({"a": 1, n: v * 3})[:-4]),
    "BOM": ("application/json", lambda n, v: "\ufeff" + json.dumps({n: v})),
    "Rhai": ("text/plain", lambda n, v: f'#{{"a": 1, "{n}": #{{"b": "{v}"}}}}'),
    "form": (FORM, lambda n, v: urlencode({"a": "1", n: v, "z": "2"})),
    "form, encoded name": (FORM, lambda n, v: "a=1&" + "".join(f"%{ord(c):02X}" for c in n) + f"={v}"),
    "JSON in a form": (FORM, lambda n, v: urlencode({"payload": json.dumps({n: v})})),
    "form as text": ("text/plain", lambda n, v: f"a=1&{n}={v}"),
    "multipart": (MULTIPART, part),
    "multipart, cut": (MULTIPART, lambda n, v: part(n, v)[:-10]),
    "JSON in multipart": (MULTIPART, lambda n, v: part("data", json.dumps({n: v}))),
    "URL in JSON": ("application/json", lambda n, v: json.dumps({"u": f"https://x.example/?a=1&{n}={v}#f"})),
}


@pytest.mark.parametrize("kind", BODIES)
@pytest.mark.parametrize("name", ["password", "apiKey", "card", "x-auth-token"])
def test_the_value_of_a_secret_is_redacted_wherever_names_are(kind: str, name: str) -> None:
    content_type, write = BODIES[kind]
    body = write(name, SECRET)
    redacted = REDACTION.body(body, content_type)
    assert SECRET not in redacted
    assert "4111" not in redacted
    assert "redacted" in redacted
    if kind in ("json", "nested", "object", "list", "number", "string in JSON"):
        assert json.loads(redacted).keys() == json.loads(body).keys()


@pytest.mark.parametrize("kind", BODIES)
def test_other_values_stay_as_they_are(kind: str) -> None:
    content_type, write = BODIES[kind]
    body = write("comment", "fine")
    assert REDACTION.body(body, content_type) == body


SPELLINGS = {
    "plain": lambda token: token,
    "percent": quote,
    "all percent": lambda token: "".join(f"%{ord(c):02x}" for c in token),
    "double percent": lambda token: "".join(f"%25{ord(c):02X}" for c in token),
    "JSON": lambda token: "".join(f"\\u{ord(c):04x}" for c in token),
    "base64": lambda token: base64.b64encode(f"{token}:".encode()).decode(),
    "bearer": lambda token: f"Bearer {token}",
}


@given(
    st.sampled_from([new_key(), new_token(SESSION_PREFIX)]),
    st.sampled_from(sorted(SPELLINGS)),
    st.sampled_from(sorted(BODIES)),
    st.booleans(),
)
def test_no_token_stays_in_a_body_as_a_name_or_a_value(
    token: str, spelling: str, kind: str, as_name: bool
) -> None:
    content_type, write = BODIES[kind]
    spelled = SPELLINGS[spelling](token)
    redacted = REDACTION.body(write(*((spelled, "v") if as_name else ("comment", spelled))), content_type)
    for each in SPELLINGS.values():
        assert each(token)[:40] not in redacted


@given(st.sampled_from(sorted(SPELLINGS)), st.booleans())
def test_no_token_stays_in_headers_and_queries(spelling: str, as_name: bool) -> None:
    token = new_key()
    spelled = SPELLINGS[spelling](token)
    pair = (spelled, "v") if as_name else ("comment", spelled)
    headers, query = REDACTION.headers([pair, ("a", "b")]), REDACTION.query(dict([pair, ("a", "b")]))
    for fields in without_tokens(headers, query):
        assert spelled not in repr(fields)
        assert fields["a"] == "b"


def test_queries_and_urls_in_headers_are_redacted() -> None:
    assert REDACTION.query({"q": "1", "access_token": SECRET}) == {"q": "1", "access_token": REDACTED}
    assert REDACTION.headers(
        [("location", f"/x?a=1&token={SECRET}#f"), ("referer", f"https://a/?pin={SECRET}")]
    ) == {
        "location": f"/x?a=1&token={REDACTED}#f" if False else f"/x?a=1&token={REDACTED}",
        "referer": f"https://a/?pin={REDACTED}",
    }


def test_the_list_is_a_setting() -> None:
    own = Redaction(["house"])
    assert (
        own.text('{"password": "a", "houseNumber": "b"}')
        == f'{{"password": "a", "houseNumber": "{REDACTED}"}}'
    )
    assert own.headers([("authorization", SECRET)]) == {"authorization": REDACTED}


HOSTILE = {
    "quotes": '"' * 65_536,
    "escaped quotes": '\\"' * 32_768,
    "names": '"a":' * 16_384,
    "nested": '{"pin":' * 9_000,
    "pairs": "a=1&" * 16_384,
    "separators": "&" * 65_536,
    "spaces": '"a"' + " " * 65_536,
    "percent": "%41" * 21_000,
    "strings in strings": '{"k":"' + '\\"a\\":1,' * 8_000,
    "boundaries": "--XX" * 16_384,
}


@pytest.mark.parametrize("content_type", [None, FORM, MULTIPART])
@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
def test_a_body_made_to_be_slow_is_redacted(body: str, content_type: str | None) -> None:
    secret = f'"password": "{SECRET}"&password={SECRET}'
    assert SECRET not in REDACTION.body(secret + body, content_type) or content_type == MULTIPART
    REDACTION.body(body + secret, content_type)


def test_what_is_beyond_the_fields_that_are_looked_at_is_redacted() -> None:
    many = "&".join(f"a{number}=1" for number in range(MAX_FIELDS + 5)) + f"&password={SECRET}"
    assert SECRET not in REDACTION.body(many, FORM)
    lines = "".join(f'"a{number}",' for number in range(MAX_FIELDS + 5)) + f'"password":"{SECRET}"'
    assert SECRET not in REDACTION.text(lines)


@given(
    st.text(st.sampled_from('"\\{}[]:,#=&%-\r\nXaé0'), max_size=300), st.sampled_from([None, FORM, MULTIPART])
)
def test_any_text_is_redacted_without_an_error(text: str, content_type: str | None) -> None:
    REDACTION.body(text, content_type)
