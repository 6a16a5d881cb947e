from __future__ import annotations

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.cli.exits import Failure
from picloud.cli.remote import credentials
from picloud.cli.remote.atomic_file import toml_key, toml_text
from picloud.cli.remote.credentials import Credentials, SavedLogin
from picloud.cli.terminal import plain

ADA = SavedLogin("pic_secret", "1", "ada")
BOB = SavedLogin("pic_other", "2", 'b"\\o\x7fb')


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path


def test_credentials_are_stored_readable_only_by_their_owner(home: Path) -> None:
    kept = Credentials(None, {}).with_login("https://a", ADA).with_login("http://localhost:1", BOB)
    credentials.write(kept)
    assert credentials.read() == kept
    assert kept.default == "http://localhost:1"
    file = home / "picloud" / "credentials.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert list(file.parent.iterdir()) == [file]


def test_without_a_file_there_is_no_login() -> None:
    assert credentials.read() == Credentials(None, {})


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_rejected_with_a_fix(home: Path, mode: int) -> None:
    credentials.write(Credentials("https://a", {"https://a": ADA}))
    file = home / "picloud" / "credentials.toml"
    file.chmod(mode)
    with pytest.raises(Failure, match=f"chmod 600 {file}"):
        credentials.read()
    assert "pic_secret" not in str(credentials.path())


@pytest.mark.parametrize(
    "text", ["default = 1", "x =", '[logins."https://a"]\nkey = 1', "logins = 1", "\xff"]
)
def test_a_broken_file_is_named(home: Path, text: str) -> None:
    credentials.write(Credentials(None, {}))
    (home / "picloud" / "credentials.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(Failure, match=r"credentials\.toml"):
        credentials.read()


def test_after_a_logout_the_login_before_is_the_default() -> None:
    kept = Credentials(None, {}).with_login("https://a", ADA).with_login("https://b", BOB)
    assert kept.without("https://b") == Credentials("https://a", {"https://a": ADA})
    assert kept.without("https://a").default == "https://b"
    assert kept.without("https://a").without("https://b") == Credentials(None, {})


def test_a_key_is_in_no_representation() -> None:
    assert "pic_secret" not in repr(Credentials("https://a", {"https://a": ADA}))


@given(st.text(st.characters(exclude_categories=("Cs",))))
def test_any_text_is_read_back_from_toml(text: str) -> None:
    assert text == "x" or tomllib.loads(f"x = {toml_text(text)}\n[{toml_key(text)}]\n") == {
        "x": text,
        text: {},
    }


def test_toml_contains_no_control_characters() -> None:
    text = "a\x1b[2J\x7f\x9b\u202e\u2066\u2028é"
    written = toml_text(text)
    assert plain(written) == written
    assert "é" in written
    assert tomllib.loads(f"x = {written}") == {"x": text}
