"""Connection parameters: which database URLs are valid, and which parts are shown."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.db.parameters import ConnectionParameters
from picloud.db.unusable import DatabaseUnusable

SECRET = "s3cr3t-word"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "mysql://u:s3cr3t-word@host/db",
        "host=db password=s3cr3t-word",
        "postgresql://u:s3cr3t-word@host:port/db",
        "postgresql://u:s3cr3t-word@host:99999/db",
        "postgresql://u:s3cr3t-word@host",
        "postgresql://u:s3cr3t-word@[::1/db",
    ],
)
def test_an_invalid_url_is_rejected_without_repeating_it(url: str) -> None:
    with pytest.raises(DatabaseUnusable, match="postgresql://user:password@host") as caught:
        ConnectionParameters.of_url(url)
    assert SECRET not in str(caught.value)


def test_the_password_is_in_no_text() -> None:
    parameters = ConnectionParameters.of_url(
        f"postgresql://user:{SECRET}@db.example:5433/app?password={SECRET}"
    )
    assert SECRET not in f"{parameters} {parameters!r}"
    assert str(parameters) == "app on db.example:5433"


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_any_socket_folder_survives_the_url(name: str) -> None:
    folder = Path("/tmp") / name.encode("utf-8", "replace").decode()
    options = parse_qs(urlsplit(ConnectionParameters.of_socket(folder, "picloud", "postgres").url).query)
    assert options["host"] == [str(folder)]


def test_another_database_of_the_same_server_keeps_everything_else() -> None:
    parameters = ConnectionParameters.of_url("postgresql://u:p@h/one?sslmode=require")
    assert parameters.of_database("two").url == "postgresql://u:p@h/two?sslmode=require"
