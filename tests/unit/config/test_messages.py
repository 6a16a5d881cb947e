"""The messages about invalid settings, each once."""

from __future__ import annotations

from pathlib import Path

import pytest

from picloud.config import ConfigError, load

ADDRESSES = "addresses with commas between, such as 10.0.0.53, 127.0.0.1:5353, [::1]:53"
NETWORKS = "addresses and networks with commas between, such as 127.0.0.1, 10.1.0.0/16, ::1"


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("PORT", "many", "PICLOUD_PORT is 'many', not an integer from 0 to 65,535"),
        ("WORKERS", "0", "PICLOUD_WORKERS is '0', not an integer from 1 to 256"),
        (
            "APP_SHARE",
            "0",
            (
                "PICLOUD_APP_SHARE is '0', not a fraction such as 0.5 or 50%, "
                "or a number of executions such as 16"
            ),
        ),
        (
            "ADMIN_HOST",
            "*",
            "PICLOUD_ADMIN_HOST is '*', not a host without port, such as cloud.example.com",
        ),
        (
            "HTTP_ALLOW_PRIVATE",
            "perhaps",
            ("PICLOUD_HTTP_ALLOW_PRIVATE is 'perhaps', not true or false (also 1, yes, on or 0, no, off)"),
        ),
        (
            "HTTP_DENY_PORTS",
            "0",
            (
                "PICLOUD_HTTP_DENY_PORTS is '0', not ports and ranges with commas between, "
                "such as 5432, 6665-6669"
            ),
        ),
        ("HTTP_DNS", "a", f"PICLOUD_HTTP_DNS is 'a', not {ADDRESSES}"),
        ("HTTP_DENY", "a", f"PICLOUD_HTTP_DENY is 'a', not {NETWORKS}"),
        ("LOG_FORMAT", "xml", "PICLOUD_LOG_FORMAT is 'xml', not one of auto, json, pretty"),
        ("DATABASE_URL", "mysql://a", "PICLOUD_DATABASE_URL is not a postgresql:// URL"),
        ("METRICS_TOKEN", "a", "PICLOUD_METRICS_TOKEN is not 16 to 256 letters, digits and any of ._~+/=-"),
        (
            "BOOTSTRAP_USERNAME",
            "ada",
            "PICLOUD_BOOTSTRAP_USERNAME and PICLOUD_BOOTSTRAP_PASSWORD go together: set both or neither",
        ),
    ],
)
def test_an_invalid_setting_says_what_is_accepted(variable: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(environment={f"PICLOUD_{variable}": value})
    assert caught.value.lines == [message]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"port = true", "port in FILE is True, not an integer from 0 to 65,535"),
        (b"port =", "FILE is not valid TOML: Invalid value (at end of document)"),
        (None, "FILE cannot be read: No such file or directory"),
    ],
)
def test_an_invalid_file_is_named(content: bytes | None, message: str, tmp_path: Path) -> None:
    file = tmp_path / "server.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(None, file, {})
    assert [line.replace(str(file), "FILE") for line in caught.value.lines] == [message]


def test_names_without_effect_are_warnings(tmp_path: Path) -> None:
    file = tmp_path / "picloud.toml"
    file.write_text("prot = 1\n[sandbox]\nfoo = 1\n")
    warnings = load(None, file, {"PICLOUD_WORKRES": "3"}).warnings
    assert [line.replace(str(file), "FILE") for line in warnings] == [
        "unknown key in FILE: prot has no effect; did you mean port?",
        "unknown key in FILE: sandbox_foo has no effect; did you mean sandbox_max_fuel?",
        (
            "rename FILE to server.toml: picloud.toml is the project file of an app, and as the "
            "configuration of a server it is deprecated"
        ),
        "unknown environment variable PICLOUD_WORKRES has no effect; did you mean PICLOUD_WORKERS?",
    ]
