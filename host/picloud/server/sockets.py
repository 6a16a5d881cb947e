"""The listening sockets of the workers."""

from __future__ import annotations

import errno
import logging
import resource
import socket
import sys
from ipaddress import ip_address

_BACKLOG = 1024  # connections waiting to be accepted
_OTHER_FILES = 256  # of a worker: database, logs, modules

_log = logging.getLogger(__name__)


class CannotListen(Exception):
    """The address or port cannot be used; the message says why and how to fix it."""


def listen(host: str, port: int, workers: int) -> list[socket.socket]:
    """Open the listening sockets: one per worker on Linux, where the kernel balances connections.

    The parent opens them, so that connections made while a worker restarts wait for its successor.

    Args:
        host: an address or name of this machine.
        port: TCP port; 0 takes a free one.
        workers: number of workers.

    Returns:
        One socket per worker; on systems other than Linux, the same socket for all.

    Raises:
        CannotListen: the port is in use or not permitted, or the host is not an address of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # First without SO_REUSEPORT: with it, a second server of this user would silently share the port.
        with _bound(family, address, share=False) as probe:
            probe.listen()
            port = probe.getsockname()[1]
        address = (address[0], port, *address[2:])
        count = workers if sys.platform == "linux" else 1
        sockets = [_bound(family, address, share=True) for _ in range(count)]
        for one in sockets:
            one.listen(_BACKLOG)
    except OSError as error:
        raise CannotListen(_why(error, host, port)) from error
    return [sockets[slot % count] for slot in range(workers)]


def allow_open_files(connections: int) -> None:
    """Raise the limit on open files of this process and its children to what the connections need.

    Args:
        connections: maximum connections of a worker.
    """
    needed = connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < needed:
        soft = needed if hard == unlimited else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < needed:
            _log.warning(
                "the limit of %d open files is too low for PICLOUD_MAX_CONNECTIONS=%d; raise the limit "
                "(ulimit -n, LimitNOFILE) or lower the setting",
                soft,
                connections,
            )


def warn_if_exposed(listening: socket.socket, proxied: bool, separate_admin_host: bool) -> None:
    """Warn if the server is reachable without TLS, or if apps share a host with the admin API.

    A server behind a proxy counts as reachable, even if it listens only on this machine.

    Args:
        listening: the socket.
        proxied: whether any proxy is trusted.
        separate_admin_host: whether the admin API has its own host.
    """
    address = listening.getsockname()[0]
    is_open = not ip_address(address.partition("%")[0]).is_loopback
    if is_open and not proxied:
        _log.warning(
            "listening on %s without TLS: passwords and tokens are sent unencrypted; use a TLS proxy and add "
            "it to PICLOUD_TRUSTED_PROXIES",
            address,
        )
    if (is_open or proxied) and not separate_admin_host:
        _log.warning(
            "the admin API is served on the hosts of the apps too: a page of a script can act as a user who "
            "is logged in there; set PICLOUD_ADMIN_HOST to give the admin API its own host"
        )


def _bound(family: int, address: tuple[object, ...], share: bool) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind(address)
    except BaseException:
        opened.close()
        raise
    opened.setblocking(False)
    return opened


def _why(error: OSError, host: str, port: int) -> str:
    if isinstance(error, socket.gaierror):
        return (
            f"{host!r} is not an address of this machine; set --host to an address or name of it, such as "
            "127.0.0.1"
        )
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; stop the program that uses it, or set another port with --port"
    if error.errno == errno.EACCES:
        return f"no permission to open port {port}; set a port above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is not an address of this machine; set --host to one, or to 0.0.0.0 for all"
    return f"cannot listen on {host} port {port}: {error.strerror}"
