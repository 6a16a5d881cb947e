"""The messages of the server at its start and stop, each once."""

from __future__ import annotations

import errno
import logging
import os
import resource
import socket
from collections.abc import Callable

import pytest

from picloud import __version__
from picloud.config import load
from picloud.server import banner
from picloud.server.sockets import _why, allow_open_files, warn_if_exposed

ADMIN_HOST = (
    "the admin API is served on the hosts of the apps too: a page of a script can act as a user who is "
    "logged in there; set PICLOUD_ADMIN_HOST to give the admin API its own host"
)
PROXY = (
    "without TLS: passwords and tokens are sent unencrypted; use a TLS proxy and add it to "
    "PICLOUD_TRUSTED_PROXIES"
)


def failure(code: int) -> OSError:
    return OSError(code, os.strerror(code))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            socket.gaierror(-2, "x"),
            (
                "'box' is not an address of this machine; set --host to an address or name of it, "
                "such as 127.0.0.1"
            ),
        ),
        (
            failure(errno.EADDRINUSE),
            "port 80 is in use; stop the program that uses it, or set another port with --port",
        ),
        (failure(errno.EACCES), "no permission to open port 80; set a port above 1023 with --port"),
        (
            failure(errno.EADDRNOTAVAIL),
            "box is not an address of this machine; set --host to one, or to 0.0.0.0 for all",
        ),
        (failure(errno.ENOBUFS), "cannot listen on box port 80: No buffer space available"),
    ],
)
def test_an_address_that_cannot_be_listened_on_says_why(error: OSError, message: str) -> None:
    assert _why(error, "box", 80) == message


def exposed(host: str, proxied: bool = False) -> Callable[[], None]:
    def check() -> None:
        with socket.create_server((host, 0)) as listening:
            warn_if_exposed(listening, proxied, separate_admin_host=False)

    return check


def few_files() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resource, "getrlimit", lambda _: (1024, 2048))
        patch.setattr(resource, "setrlimit", lambda *_: None)
        allow_open_files(4096)


@pytest.mark.parametrize(
    ("work", "messages"),
    [
        (exposed("0.0.0.0"), [f"listening on 0.0.0.0 {PROXY}", ADMIN_HOST]),
        (exposed("127.0.0.1", proxied=True), [ADMIN_HOST]),
        (
            few_files,
            [
                (
                    "the limit of 2048 open files is too low for PICLOUD_MAX_CONNECTIONS=4096; raise the "
                    "limit (ulimit -n, LimitNOFILE) or lower the setting"
                )
            ],
        ),
        (
            banner.stopping,
            ["stopping after running requests have finished; press Ctrl-C again to abort them"],
        ),
    ],
)
def test_the_log_says_what_to_change(
    work: Callable[[], None], messages: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        work()
    assert caplog.messages == messages


@pytest.mark.parametrize(
    ("environment", "token", "text"),
    [
        ({}, None, "  http://localhost:81/hello\n  data in /data\n  MEMORY\n"),
        ({"PICLOUD_HOST": "fd00::1"}, None, "  http://[fd00::1]:81/hello\n  data in /data\n  MEMORY\n"),
        (
            {"PICLOUD_DATABASE_URL": "postgresql://me:s3cr3t@a/b"},
            None,
            "  http://localhost:81/hello\n  data in PICLOUD_DATABASE_URL\n  MEMORY\n",
        ),
        (
            {"PICLOUD_ADMIN_HOST": "admin.example"},
            "t0k3n",
            (
                "  http://localhost:81/hello\n  data in /data\n  MEMORY\n\n"
                "  No user yet. Create the owner (the link works once and expires in an hour):\n"
                "  http://admin.example:81/admin/setup?token=t0k3n\n"
            ),
        ),
        (
            {"PICLOUD_ADMIN_HOST": "admin.example", "PICLOUD_TRUSTED_PROXIES": "10.0.0.1"},
            "t0k3n",
            (
                "  http://localhost:81/hello\n  data in /data\n  MEMORY\n\n"
                "  No user yet. Create the owner (the link works once and expires in an hour):\n"
                "  https://admin.example/admin/setup?token=t0k3n\n"
            ),
        ),
    ],
)
def test_the_banner_says_where_the_server_is(
    environment: dict[str, str],
    token: str | None,
    text: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(banner, "summary", lambda _: "MEMORY")
    settings = load({"data_dir": "/data"}, None, {"PICLOUD_LOG_FORMAT": "pretty", **environment}).settings
    banner.ready(settings, 81, token)
    assert capsys.readouterr().out == (
        f"\nPiCloud {__version__} is ready\n\n{text}\n  Press Ctrl-C to stop.\n\n"
    )


def test_the_log_has_the_setup_link(caplog: pytest.LogCaptureFixture) -> None:
    settings = load({"data_dir": "/data"}, None, {"PICLOUD_LOG_FORMAT": "json"}).settings
    with caplog.at_level(logging.INFO):
        banner.ready(settings, 81, "t0k3n")
    assert caplog.messages == [
        "ready",
        "no user yet; open the link to create the owner: it works once and expires in an hour",
    ]
    assert vars(caplog.records[1])["setup_link"] == "http://localhost:81/admin/setup?token=t0k3n"
