"""The table of knobs. The fields of `Settings` are its rows; the sandbox adds one per ceiling."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import MappingProxyType
from typing import Any

from picloud.config.kinds import (
    HOST,
    NETWORKS,
    PATH,
    PORTS,
    POSTGRES_URL,
    SERVERS,
    SHARE,
    SWITCH,
    TEXT,
    TOKEN,
    Kind,
    number,
    one_of,
    whole,
)
from picloud.config.ports import SERVICES, Ports
from picloud.sandbox.limits import KNOBS

PREFIX = "PICLOUD_"
CEILING_PREFIX = "sandbox_"
_MOST_ROWS, _MOST_MB = 10**12, 10**9
CHECKOUT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True, slots=True)
class Knob:
    """One row of the table.

    Attributes:
        name: field of `Settings`, and the key in `picloud.toml`.
        kind: what it accepts.
        help: one or two sentences for the operator.
        default: the default as the reference page shows it.
        secret: its value is never shown.
    """

    name: str
    kind: Kind
    help: str
    default: str
    secret: bool = False

    @property
    def env(self) -> str:
        """Name of the environment variable."""
        return PREFIX + self.name.upper()


def _knob(default: object, kind: Kind, text: str, shown: str | None = None, secret: bool = False) -> Any:
    """A field of `Settings` that is a knob; a callable default is computed at start."""
    default_text = shown if shown is not None else "" if default is None else str(default)
    metadata = {"kind": kind, "help": text, "default": default_text, "secret": secret}
    if callable(default):
        return field(default_factory=default, repr=not secret, metadata=metadata)
    return field(default=default, repr=not secret, metadata=metadata)


def _data_dir() -> Path:
    in_checkout = (CHECKOUT / "pyproject.toml").exists()
    return (CHECKOUT if in_checkout else Path.cwd()) / "data"


def cores() -> int:
    """How many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Settings:
    """Every knob with its value; what each means is its help text here."""

    host: str = _knob(
        "127.0.0.1",
        TEXT,
        "Address to listen on. 0.0.0.0 or :: opens the server to the network: put a TLS proxy in front.",
    )
    port: int = _knob(8123, whole(0, 65535), "TCP port to listen on; 0 takes any free one.")
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _knob(
        (),
        NETWORKS,
        "Proxies in front of this server. Only what comes from them has its X-Forwarded-For, "
        "X-Forwarded-Proto and X-Forwarded-Host believed; without it every client of a proxy looks like one.",
        shown="",
    )
    admin_host: str | None = _knob(
        None,
        HOST,
        "The only host the admin API, its documents and /admin answer on; no app answers there. Without it "
        "they answer on every host.",
    )
    metrics_token: str | None = _knob(
        None,
        TOKEN,
        "Bearer token that opens GET /metrics to other machines. Without it only this machine may read them.",
        secret=True,
    )
    max_connections: int = _knob(
        4096,
        whole(16, 1_000_000),
        "Connections a worker holds; beyond it those make room that have waited for a request the longest.",
    )
    max_connections_per_address: int = _knob(
        512,
        whole(1, 1_000_000),
        "Connections a worker takes from one IPv4 address, or one IPv6 network of 64 bits, that is no "
        "trusted proxy.",
    )
    request_head_seconds: float = _knob(
        15, number(0.01), "How long the head of a request may take to arrive; beyond it callers get 408."
    )
    request_body_seconds: float = _knob(
        30, number(0.01), "How long the body of a request may take to arrive; beyond it callers get 408."
    )
    keep_alive_seconds: float = _knob(15, number(0.01), "How long a connection may be idle between requests.")
    response_stall_seconds: float = _knob(
        30, number(0.01), "A client that takes less than 64 KiB of an answer in this time is cut off."
    )
    max_transfer_mb: int = _knob(
        256,
        whole(16, 1_000_000),
        "Memory a worker holds in bodies that are arriving, and as much in answers not taken yet, in MiB; "
        "beyond it the address that holds the most loses its oldest.",
    )
    max_streams: int = _knob(
        512,
        whole(0, 1_000_000),
        "Event streams a worker serves at once, such as `picloud logs --follow`; more callers get 503. Keep "
        "it well below PICLOUD_MAX_CONNECTIONS.",
    )
    max_streams_per_app: int = _knob(
        64, whole(0, 1_000_000), "Event streams of one app a worker serves at once; more callers get 429."
    )
    stream_heartbeat_seconds: float = _knob(
        15,
        number(0.01, 60),
        "An event stream sends something at least this often. Set it lower than the idle timeout of the "
        "proxies in front.",
    )
    data_dir: Path = _knob(
        _data_dir,
        PATH,
        "Folder for the database, compiled modules and files; made with mode 0700.",
        shown="data in the checkout; of an installed package: data in the current folder",
    )
    workers: int = _knob(cores, whole(1, 256), "Worker processes.", shown="number of cores")
    database_url: str | None = _knob(
        None,
        POSTGRES_URL,
        "A PostgreSQL 15 or newer to use instead of the embedded one.",
        secret=True,
    )
    database_pool_size: int = _knob(10, whole(2, 1000), "Database connections a worker may hold open.")
    bootstrap_username: str | None = _knob(
        None, TEXT, "Name of the owner made at the first start; without it a one-time setup link is printed."
    )
    bootstrap_password: str | None = _knob(
        None, TEXT, "Password of that owner, 10 to 256 bytes. Inert once a user exists.", secret=True
    )
    session_ttl_hours: float = _knob(24, number(0.01), "A session ends after this many hours without use.")
    max_sessions_per_user: int = _knob(
        100,
        whole(1, 100_000),
        "Sessions of one user; one more ends the one that was not used for the longest time.",
    )
    max_keys_per_user: int = _knob(
        100, whole(1, 100_000), "API keys of one user, expired ones too; one more is refused."
    )
    audit_retention_days: int = _knob(
        365, whole(0, 36_500), "Days the audit log keeps what happened; 0 keeps it for ever."
    )
    execution_retention_days: int = _knob(
        30,
        whole(0, 36_500),
        "Days the execution log keeps what ran, with what it logged; 0 keeps it for ever.",
    )
    max_concurrent_executions: int = _knob(
        256, whole(1, 100_000), "Executions a worker runs at once; beyond it callers get 503."
    )
    app_share: float | int = _knob(0.5, SHARE, "The part of these that one app may hold.")
    event_share: float | int = _knob(
        0.25,
        SHARE,
        "The part of these for executions that events cause: they never hold more. Requests use it too while "
        "no event needs it.",
    )
    script_cache_size: int = _knob(256, whole(1, 1_000_000), "Compiled scripts a worker keeps.")
    script_cache_mb: int = _knob(64, whole(1, 1_000_000), "Memory a worker keeps them in, in MiB.")
    http_allow_private: bool = _knob(
        False,
        SWITCH,
        "For development only: scripts may call private addresses and this machine too, but not the port "
        "this server listens on.",
        shown="false",
    )
    http_deny: tuple[IPv4Network | IPv6Network, ...] = _knob(
        (),
        NETWORKS,
        "Addresses scripts may not call, besides all that are not of the public internet and this machine's. "
        "Put the public addresses of your own infrastructure here.",
        shown="",
    )
    http_deny_ports: tuple[Ports, ...] = _knob(
        PORTS.parse(SERVICES),
        PORTS,
        "Ports scripts may not call, of those from 1024; below that only 80 and 443 are open. A list "
        "that is given replaces this one.",
        shown=SERVICES,
    )
    http_dns: tuple[str, ...] = _knob(
        (), SERVERS, "Name servers to ask for the hosts that scripts call, instead of the system's.", shown=""
    )
    http_calls: int = _knob(256, whole(1, 100_000), "Calls of scripts to the outside a worker has under way.")
    http_app_calls: int = _knob(
        32,
        whole(1, 100_000),
        "Of these, most of one app; more wait in line as long as their deadline lets them.",
    )
    http_app_mb: int = _knob(
        64, whole(1, 1_000_000), "Bodies that the calls of one app may hold in a worker at once, in MiB."
    )
    http_app_mb_per_minute: int = _knob(
        1024,
        whole(1, 100_000_000),
        "Bodies that one app may send and receive by calls within a minute in a worker, in MiB.",
    )
    module_import_depth_max: int = _knob(8, whole(1, 64), "How deep modules may import modules.")
    quota_kv_rows: int = _knob(
        1_000_000,
        whole(1, _MOST_ROWS),
        "Entries of kv an app may keep; beyond it a write that adds one is refused.",
    )
    quota_kv_mb: int = _knob(1024, whole(1, _MOST_MB), "Keys and values of kv an app may keep, in MiB.")
    quota_docs_rows: int = _knob(1_000_000, whole(1, _MOST_ROWS), "Documents an app may keep.")
    quota_docs_mb: int = _knob(4096, whole(1, _MOST_MB), "Documents an app may keep, as JSON, in MiB.")
    quota_files_rows: int = _knob(100_000, whole(1, _MOST_ROWS), "Files an app may keep.")
    quota_files_mb: int = _knob(10_240, whole(1, _MOST_MB), "Files an app may keep, in MiB.")
    quota_scripts_rows: int = _knob(
        100_000,
        whole(1, _MOST_ROWS),
        "Versions of all scripts an app may keep; every save is one, and all are kept until their script is "
        "deleted.",
    )
    quota_scripts_mb: int = _knob(1024, whole(1, _MOST_MB), "Sources of these versions, in MiB.")
    shutdown_grace_seconds: float = _knob(
        10, number(0), "How long a stop waits for running requests before it cuts them off."
    )
    log_format: str = _knob(
        "auto", one_of("auto", "json", "pretty"), "auto is pretty on a terminal and JSON otherwise."
    )
    log_level: str = _knob("info", one_of("debug", "info", "warning", "error"), "Least level that is logged.")
    ceilings: Mapping[str, int] = field(
        default_factory=lambda: MappingProxyType(
            {knob.name: knob.ceiling for knob in KNOBS if knob.per_script}
        )
    )

    @property
    def limits(self) -> dict[str, int]:
        """What the instance allows an execution, by the names of `picloud.sandbox.limits.KNOBS`."""
        return {**self.ceilings, "max_import_depth": self.module_import_depth_max}

    @property
    def app_slots(self) -> int:
        """Executions of one app a worker runs at once (at least 1)."""
        return self._slots(self.app_share)

    @property
    def event_slots(self) -> int:
        """Executions caused by events a worker runs at once (at least 1)."""
        return self._slots(self.event_share)

    def _slots(self, share: float | int) -> int:
        if isinstance(share, int):
            return min(share, self.max_concurrent_executions)
        return max(1, int(share * self.max_concurrent_executions))


# As far as a ceiling can be moved: 32-bit memory, the wasm stack, a day; else a thousandfold.
_HIGHEST = {"MiB": 4096, "levels": 1024, "seconds": 86_400}

TABLE: tuple[Knob, ...] = (
    *(Knob(item.name, **item.metadata) for item in fields(Settings) if item.metadata),
    *(
        Knob(
            CEILING_PREFIX + limit.name,
            whole(1, _HIGHEST.get(limit.unit, 1000 * limit.ceiling)),
            f"Most {limit.unit} a script may ask for as {limit.name} (else it gets {limit.default:,}).",
            str(limit.ceiling),
        )
        for limit in KNOBS
        if limit.per_script
    ),
)
