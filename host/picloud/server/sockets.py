"""The sockets the workers accept connections on."""

from __future__ import annotations

import errno
import logging
import resource
import socket
import sys
from ipaddress import ip_address

_BACKLOG = 1024  # connections that wait to be accepted
_OTHER_FILES = 256  # of a worker: database, logs, modules

_log = logging.getLogger(__name__)


class CannotListen(Exception):
    """The address or port cannot be listened on; the text says why and what mends it."""


def listen(host: str, port: int, workers: int) -> list[socket.socket]:
    """Open the sockets, one per worker where the kernel spreads connections over them (Linux).

    The parent opens them, so that a connection made while a worker is restarted waits for the next
    one instead of being refused.

    Args:
        host: an address or name of this machine.
        port: TCP port; 0 takes a free one.
        workers: how many will accept.

    Returns:
        One socket per worker; elsewhere than on Linux the same one for all.

    Raises:
        CannotListen: the port is taken or not allowed, or the host is no address of this machine.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # First without SO_REUSEPORT: with it, a second server of this user would share the port in silence.
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
    """Let this process and its children have as many files open as they take connections.

    Args:
        connections: most connections of a worker.
    """
    needed = connections + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    if soft != unlimited and soft < needed:
        soft = needed if hard == unlimited else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < needed:
            _log.warning(
                "a process may have %d files open here, too few for PICLOUD_MAX_CONNECTIONS=%d: raise the "
                "limit (ulimit -n, LimitNOFILE) or lower that",
                soft,
                connections,
            )


def warn_if_exposed(listening: socket.socket, proxied: bool, apart: bool) -> None:
    """Warn when others can connect without a proxy, and when what they reach shares the admin's host.

    Whoever has a proxy in front serves others, also where only this machine can connect to the server.

    Args:
        listening: the socket.
        proxied: whether any proxy is trusted.
        apart: whether the admin API has a host of its own.
    """
    address = listening.getsockname()[0]
    is_open = not ip_address(address.partition("%")[0]).is_loopback
    if is_open and not proxied:
        _log.warning(
            "listening on %s without TLS: passwords and tokens cross the network in clear; put a TLS proxy "
            "in front and name it in PICLOUD_TRUSTED_PROXIES",
            address,
        )
    if (is_open or proxied) and not apart:
        _log.warning(
            "the admin API answers on the hosts of the apps too: a page that a script serves there acts in "
            "the name of whoever is logged in; give it a host of its own with PICLOUD_ADMIN_HOST"
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
            f"{host!r} is no address of this machine: give --host an address or name of it, such as 127.0.0.1"
        )
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use: stop what listens there, or take another with --port"
    if error.errno == errno.EACCES:
        return f"port {port} may not be opened by this user: take one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{host} is no address of this machine: give --host one that is, or 0.0.0.0 for all"
    return f"cannot listen on {host} port {port}: {error.strerror}"
