from __future__ import annotations

import resource
import socket
import sys
from contextlib import ExitStack, closing

import pytest

from picloud.server.sockets import CannotListen, allow_open_files, listen, warn_if_exposed


def test_every_worker_gets_a_socket_on_the_same_port() -> None:
    with ExitStack() as stack:
        sockets = listen("127.0.0.1", 0, 3)
        for one in set(sockets):
            stack.enter_context(one)
        assert len(sockets) == 3
        assert len({one.getsockname()[1] for one in sockets}) == 1
        assert len(set(sockets)) == (3 if sys.platform == "linux" else 1)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux spreads connections over sockets")
def test_connections_are_spread_over_the_sockets() -> None:
    with ExitStack() as stack:
        sockets = [stack.enter_context(one) for one in listen("127.0.0.1", 0, 2)]
        address = sockets[0].getsockname()
        for _ in range(100):
            stack.enter_context(socket.create_connection(address))

        def waiting(one: socket.socket) -> int:
            count = 0
            while True:
                try:
                    accepted, _ = one.accept()
                except BlockingIOError:
                    return count
                accepted.close()
                count += 1

        counts = [waiting(one) for one in sockets]
        assert sum(counts) == 100
        assert all(count > 0 for count in counts)


def test_a_port_in_use_is_rejected_even_if_it_is_shared() -> None:
    with closing(socket.socket()) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"port {port} "):
            listen("127.0.0.1", port, 1)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such host"])
def test_a_host_of_another_machine_is_rejected(host: str) -> None:
    with pytest.raises(CannotListen, match=host):
        listen(host, 0, 1)


@pytest.mark.parametrize(
    ("host", "proxied", "apart", "warnings"),
    [
        ("127.0.0.1", False, False, []),
        ("127.0.0.1", True, False, ["PICLOUD_ADMIN_HOST"]),
        ("127.0.0.1", True, True, []),
        ("0.0.0.0", False, True, ["TLS"]),
        ("0.0.0.0", True, False, ["PICLOUD_ADMIN_HOST"]),
        ("0.0.0.0", True, True, []),
        ("::1", False, False, []),
        ("::", False, False, ["TLS", "PICLOUD_ADMIN_HOST"]),
    ],
)
def test_a_reachable_server_without_a_proxy_or_an_admin_host_is_a_warning(
    host: str, proxied: bool, apart: bool, warnings: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    with closing(listen(host, 0, 1)[0]) as listening:
        warn_if_exposed(listening, proxied, apart)
    assert len(caplog.records) == len(warnings)
    assert all(part in said for part, said in zip(warnings, caplog.messages, strict=True))


@pytest.mark.parametrize(
    ("before", "hard", "after", "warnings"),
    [
        (1024, 8192, 4352, 0),
        (1024, 2048, 2048, 1),
        (8192, 8192, 8192, 0),
        (1024, resource.RLIM_INFINITY, 4352, 0),
    ],
)
def test_the_limit_of_open_files_is_raised_for_the_connections(
    before: int,
    hard: int,
    after: int,
    warnings: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = [(before, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, new: limits.append(new))
    allow_open_files(4096)
    assert limits[-1] == (after, hard)
    assert len(caplog.records) == warnings
