"""The settings of a server: the fields of `Settings`, and a table made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo

from picloud.config.kinds import (
    APP_SLUG,
    FOLDER,
    HOST,
    NAMES,
    NETWORKS,
    PORTS,
    POSTGRES_URL,
    SERVERS,
    SHARE,
    STRING,
    SWITCH,
    TOKEN,
    Kind,
    integer,
    number,
    one_of,
)
from picloud.config.machine import cores, memory_mb
from picloud.config.ports import SERVICES, Ports
from picloud.config.secret_names import SECRET_NAMES
from picloud.sandbox.compiling import FUEL_PER_MINUTE
from picloud.sandbox.limits import PER_SCRIPT
from picloud.sandbox.memory import growth_part

PREFIX = "PICLOUD_"
CEILING_PREFIX = "sandbox_"
CHECKOUT = Path(__file__).resolve().parents[3]

Networks: TypeAlias = Annotated[tuple[IPv4Network | IPv6Network, ...], NETWORKS]
Duration: TypeAlias = Annotated[float, number(0.01)]
Days: TypeAlias = Annotated[int, integer(0, 36_500)]
Rows: TypeAlias = Annotated[int, integer(1, 10**12)]
MiB: TypeAlias = Annotated[int, integer(1, 10**9)]

_LEAST_MEMORY_MB = 64

# How far a ceiling can be moved: 32-bit memory, the wasm stack, a day; else a thousandfold.
_HIGHEST = {"MiB": 4096, "levels": 1024, "seconds": 86_400}


def _data_dir() -> Path:
    in_checkout = (CHECKOUT / "pyproject.toml").exists()
    return (CHECKOUT if in_checkout else Path.cwd()) / "data"


def _guest_memory_mb() -> int:
    return max(_LEAST_MEMORY_MB, memory_mb() // 2)


def _computed(value: Any, shown: str, description: str) -> Any:
    """Declare a field whose default is computed at start; `shown` is its default on the reference page."""
    return Field(default_factory=value, description=description, json_schema_extra={"default": shown})


def _ceiling(name: str) -> Kind:
    limit = PER_SCRIPT[name]
    return integer(1, _HIGHEST.get(limit.unit, 1000 * limit.ceiling))


def _movable(name: str) -> Any:
    limit = PER_SCRIPT[name]
    text = f"Ceiling of {name} that a script can set (default of a script: {limit.default:,} {limit.unit})."
    return Field(limit.ceiling, description=text)


class Settings(BaseModel):
    """Every setting with its value. Descriptions are for the operator; secrets have `repr=False`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    host: Annotated[str, STRING] = Field(
        "127.0.0.1",
        description="Address to listen on. 0.0.0.0 or :: opens the server to the network: put a TLS proxy in "
        "front.",
    )
    port: Annotated[int, integer(0, 65535)] = Field(
        8123, description="TCP port to listen on; 0 takes any free port."
    )
    trusted_proxies: Networks = Field(
        (),
        description="Proxies in front of this server. Only their X-Forwarded-For, X-Forwarded-Proto and "
        "X-Forwarded-Host headers are trusted. Without this setting, all clients of a proxy count as one.",
    )
    admin_host: Annotated[str | None, HOST] = Field(
        None,
        description="The only host that serves the admin API, its documents and /admin; it serves no app. "
        "By default, every host serves them.",
    )
    metrics_token: Annotated[str | None, TOKEN] = Field(
        None,
        description="Bearer token for GET /metrics from other machines. By default, only this machine can "
        "read the metrics.",
        repr=False,
    )
    max_connections: Annotated[int, integer(16, 1_000_000)] = Field(
        4096,
        description="Maximum open connections per worker. When full, the connections idle the longest are "
        "closed.",
    )
    max_connections_per_address: Annotated[int, integer(1, 1_000_000)] = Field(
        512,
        description="Maximum open connections per worker from one IPv4 address or IPv6 /64 network. Trusted "
        "proxies are exempt.",
    )
    request_head_seconds: Duration = Field(
        15, description="Timeout for receiving the head of a request; then the client gets a 408."
    )
    request_body_seconds: Duration = Field(
        30, description="Timeout for receiving the body of a request; then the client gets a 408."
    )
    keep_alive_seconds: Duration = Field(15, description="Idle timeout of a connection between requests.")
    response_stall_seconds: Duration = Field(
        30,
        description="A client that receives less than 64 KiB of a response in this time is disconnected.",
    )
    max_transfer_mb: Annotated[int, integer(16, 1_000_000)] = Field(
        256,
        description="Memory per worker for request bodies being received, and the same again for unsent "
        "responses, in MiB. When exceeded, the oldest transfer of the address with the most is aborted.",
    )
    max_streams: Annotated[int, integer(0, 1_000_000)] = Field(
        512,
        description="Maximum open event streams per worker, such as `picloud logs --follow`; further callers "
        "get a 503. Keep it well below PICLOUD_MAX_CONNECTIONS.",
    )
    max_streams_per_app: Annotated[int, integer(0, 1_000_000)] = Field(
        64, description="Maximum open event streams per worker and app; further callers get a 429."
    )
    stream_heartbeat_seconds: Annotated[float, number(0.01, 60)] = Field(
        15,
        description="An event stream sends something at least this often. Set it lower than the idle timeout "
        "of the proxies in front.",
    )
    data_dir: Annotated[Path, FOLDER] = _computed(
        _data_dir,
        "data in the checkout; of an installed package: data in the current folder",
        "Folder for the database, compiled modules and files; created with mode 0700.",
    )
    disk_reserve_mb: Annotated[int, integer(0, 10**9)] = Field(
        128,
        description="Free space to keep on the disk of the embedded database, in MiB. If less is free, only "
        "deletions work.",
    )
    workers: Annotated[int, integer(1, 256)] = _computed(cores, "number of cores", "Worker processes.")
    database_url: Annotated[str | None, POSTGRES_URL] = Field(
        None, description="A PostgreSQL 15 or newer to use instead of the embedded one.", repr=False
    )
    database_pool_size: Annotated[int, integer(2, 1000)] = Field(
        10, description="Database connections of a worker."
    )
    bootstrap_username: Annotated[str | None, STRING] = Field(
        None,
        description="Name of the owner to create on first start. By default, the server prints a one-time "
        "setup link instead.",
    )
    bootstrap_password: Annotated[str | None, STRING] = Field(
        None,
        description="Password of that owner, 10 to 256 bytes. Ignored once a user exists.",
        repr=False,
    )
    session_ttl_hours: Duration = Field(
        24, description="A session expires after this many hours without use."
    )
    max_sessions_per_user: Annotated[int, integer(1, 100_000)] = Field(
        100, description="Maximum sessions per user; one more ends the session idle the longest."
    )
    max_keys_per_user: Annotated[int, integer(1, 100_000)] = Field(
        100, description="Maximum API keys per user, including expired keys; one more is rejected."
    )
    audit_retention_days: Days = Field(
        365, description="Days to keep entries of the audit log; 0 keeps them permanently."
    )
    execution_retention_days: Days = Field(
        30, description="Days to keep executions with their log lines; 0 keeps them permanently."
    )
    redact_names: Annotated[tuple[str, ...], NAMES] = Field(
        SECRET_NAMES,
        description="Names of secrets. Values of these names are redacted in records of executions: in "
        "headers, queries, forms, JSON and log lines. Case and separators do not matter (api_key is also "
        "apiKey); a name of up to four letters matches whole words only. A list replaces the default.",
    )
    max_concurrent_executions: Annotated[int, integer(1, 100_000)] = Field(
        256, description="Maximum concurrent executions per worker; further callers get a 503."
    )
    app_share: Annotated[float | int, SHARE] = Field(
        0.5,
        description="The share of PICLOUD_MAX_CONCURRENT_EXECUTIONS that one app can use, and of "
        "PICLOUD_MEMORY_MB.",
    )
    event_share: Annotated[float | int, SHARE] = Field(
        0.25,
        description="The share of PICLOUD_MAX_CONCURRENT_EXECUTIONS for executions caused by events. "
        "Requests can use it while no event needs it.",
    )
    memory_mb: Annotated[int, integer(_LEAST_MEMORY_MB, 10**9)] = _computed(
        _guest_memory_mb,
        "half of the memory of the machine, or of its cgroup",
        "Memory for all running scripts of this server in MiB; each worker has an equal part. When it is in "
        "use, executions wait up to 2 seconds for it and then get a 503.",
    )
    script_cache_size: Annotated[int, integer(1, 1_000_000)] = Field(
        256, description="Compiled scripts a worker keeps in memory."
    )
    script_cache_mb: Annotated[int, integer(1, 1_000_000)] = Field(
        64, description="Memory of a worker for compiled scripts, in MiB."
    )
    default_app: Annotated[str | None, APP_SLUG] = Field(
        "default",
        description="The app that also answers hosts that no app has claimed, as long as no other app has "
        "claimed any; - turns it off.",
    )
    compile_fuel_per_minute: Annotated[int, integer(1_000_000_000, 10**15)] = Field(
        FUEL_PER_MINUTE,
        description="Fuel for compiling the scripts of an app, per minute and worker, for saves and for "
        "first runs each. Then saves get a 429, and first runs a 503. A usual script takes ten million.",
    )
    http_allow_private: Annotated[bool, SWITCH] = Field(
        False,
        description="For development only: scripts can also call private addresses and this machine, but not "
        "the port this server listens on.",
    )
    http_deny: Networks = Field(
        (),
        description="Addresses that scripts cannot call, in addition to private addresses and those of this "
        "machine. Add the public addresses of your own infrastructure.",
    )
    http_deny_ports: Annotated[tuple[Ports, ...], PORTS] = Field(
        tuple(map(Ports.parse, SERVICES.split(", "))),
        description="Ports above 1023 that scripts cannot call; below, only 80 and 443 are open. A list "
        "replaces the default.",
    )
    http_dns: Annotated[tuple[str, ...], SERVERS] = Field(
        (), description="Name servers for the hosts that scripts call, instead of the system's."
    )
    http_calls: Annotated[int, integer(1, 100_000)] = Field(
        256, description="Outbound calls in flight per worker."
    )
    http_app_calls: Annotated[int, integer(1, 100_000)] = Field(
        32,
        description="Outbound calls in flight per worker and app; further calls wait until their deadline.",
    )
    http_app_mb: Annotated[int, integer(1, 1_000_000)] = Field(
        64, description="Memory per worker and app for the bodies of outbound calls, in MiB."
    )
    http_app_mb_per_minute: Annotated[int, integer(1, 100_000_000)] = Field(
        1024,
        description="Maximum size of all bodies that one app sends and receives by outbound calls per minute "
        "and worker, in MiB.",
    )
    module_import_depth_max: Annotated[int, integer(1, 64)] = Field(
        8, description="Maximum depth of module imports."
    )
    quota_kv_rows: Rows = Field(
        1_000_000,
        description="Maximum kv entries per app; writes that add more are rejected.",
    )
    quota_kv_mb: MiB = Field(1024, description="Maximum size of kv keys and values per app, in MiB.")
    quota_docs_rows: Rows = Field(1_000_000, description="Maximum documents per app.")
    quota_docs_mb: MiB = Field(4096, description="Maximum size of documents per app, as JSON, in MiB.")
    quota_files_rows: Rows = Field(100_000, description="Maximum files per app.")
    quota_files_mb: MiB = Field(10_240, description="Maximum size of files per app, in MiB.")
    quota_scripts_rows: Rows = Field(
        100_000,
        description="Maximum script versions per app. Every save adds a version; deleting a script deletes "
        "its versions.",
    )
    quota_scripts_mb: MiB = Field(
        1024, description="Maximum size of the sources of script versions per app, in MiB."
    )
    quota_log_mb: MiB = Field(
        256,
        description="Maximum size of the execution log per app, in MiB; above it, the oldest executions are "
        "deleted.",
    )
    quota_log_total_mb: MiB = Field(
        4096,
        description="Maximum size of the execution logs of all apps, in MiB; above it, the oldest executions "
        "of the apps with the largest logs are deleted.",
    )
    shutdown_grace_seconds: Annotated[float, number(0)] = Field(
        10, description="How long the server waits for running requests when it stops; then it aborts them."
    )
    log_format: Annotated[str, one_of("auto", "json", "pretty")] = Field(
        "auto", description="auto is pretty on a terminal and JSON otherwise."
    )
    log_level: Annotated[str, one_of("debug", "info", "warning", "error")] = Field(
        "info", description="Lowest level that is logged."
    )
    sandbox_max_fuel: Annotated[int, _ceiling("max_fuel")] = _movable("max_fuel")
    sandbox_max_operations: Annotated[int, _ceiling("max_operations")] = _movable("max_operations")
    sandbox_memory_limit_mb: Annotated[int, _ceiling("memory_limit_mb")] = _movable("memory_limit_mb")
    sandbox_timeout_seconds: Annotated[int, _ceiling("timeout_seconds")] = _movable("timeout_seconds")
    sandbox_max_string_size: Annotated[int, _ceiling("max_string_size")] = _movable("max_string_size")
    sandbox_max_array_size: Annotated[int, _ceiling("max_array_size")] = _movable("max_array_size")
    sandbox_max_map_size: Annotated[int, _ceiling("max_map_size")] = _movable("max_map_size")
    sandbox_max_call_levels: Annotated[int, _ceiling("max_call_levels")] = _movable("max_call_levels")
    sandbox_max_expr_depth: Annotated[int, _ceiling("max_expr_depth")] = _movable("max_expr_depth")
    sandbox_max_host_calls: Annotated[int, _ceiling("max_host_calls")] = _movable("max_host_calls")

    @model_validator(mode="after")
    def _both_or_neither(self) -> Settings:
        if (self.bootstrap_username is None) != (self.bootstrap_password is None):
            raise ValueError(
                "PICLOUD_BOOTSTRAP_USERNAME and PICLOUD_BOOTSTRAP_PASSWORD go together: set both or neither"
            )
        return self

    @property
    def ceilings(self) -> Mapping[str, int]:
        """The maximum that a script can set, by name of the limit."""
        return MappingProxyType({name: getattr(self, CEILING_PREFIX + name) for name in PER_SCRIPT})

    @property
    def limits(self) -> dict[str, int]:
        """The limits of the instance, by their names in `picloud.sandbox.limits`."""
        return {**self.ceilings, "max_import_depth": self.module_import_depth_max}

    @property
    def app_slots(self) -> int:
        """Maximum concurrent executions per worker and app (at least 1)."""
        return self._slots(self.app_share)

    @property
    def event_slots(self) -> int:
        """Maximum concurrent executions caused by events per worker (at least 1)."""
        return self._slots(self.event_share)

    @property
    def worker_memory(self) -> int:
        """Memory for the running scripts of a worker, in bytes."""
        return self.memory_mb * 1024 * 1024 // self.workers

    @property
    def worker_app_memory(self) -> int:
        """Memory for the running scripts of an app in a worker, in bytes."""
        share = self.app_slots / self.max_concurrent_executions
        return min(growth_part(self.worker_memory), int(share * self.worker_memory))

    def _slots(self, share: float | int) -> int:
        if isinstance(share, int):
            return min(share, self.max_concurrent_executions)
        return max(1, int(share * self.max_concurrent_executions))


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting, as a row of the table.

    Attributes:
        name: its field of `Settings`, and its key in `server.toml`.
        kind: the values it accepts.
        help: one or two sentences for the operator.
        default: the default, as text.
        secret: whether its value must not be shown.
    """

    name: str
    kind: Kind
    help: str
    default: str
    secret: bool

    @classmethod
    def of_field(cls, name: str, field: FieldInfo) -> Setting:
        """Return the setting for a field of `Settings`."""
        (kind,) = (item for item in field.metadata if isinstance(item, Kind))
        extra = field.json_schema_extra
        default = str(extra["default"]) if isinstance(extra, dict) else format_value(field.default)
        return cls(name, kind, field.description or "", default, not field.repr)

    @property
    def env(self) -> str:
        """Name of the environment variable."""
        return PREFIX + self.name.upper()


def format_value(value: object) -> str:
    """A value as it can be written in a variable or in the file; empty for None."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


TABLE: tuple[Setting, ...] = tuple(
    Setting.of_field(name, field) for name, field in Settings.model_fields.items()
)
