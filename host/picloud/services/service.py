"""A service: a namespace of functions for scripts, described by `SERVICE` in its folder.

`picloud.services.SERVICES` lists every descriptor. The table of host functions, the quotas, the deletion of
apps and `picloud run` use this list, so a new service adds one line to it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from uuid import UUID

from picloud.config import Settings
from picloud.core.app_limiter import AppLimiter
from picloud.core.generations import Generations
from picloud.core.interface import HostFunction, Interface
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Database
from picloud.services.quotas import StoreQuota
from picloud.services.unavailable import with_unavailable_stubs
from picloud.services.writes import Writes

ServiceT = TypeVar("ServiceT")
AdminT = TypeVar("AdminT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """The dependencies of the services of a worker.

    Attributes:
        settings: the configuration.
        changes: notifies other workers of a write.
        generations: show this worker that something was written.
        writes: opens writes.
        searches: limits the searches of each app.
        own_ports: ports that this instance listens on.
        closing: closes the resources of services when the worker stops.
    """

    settings: Settings
    database: Database
    changes: ChangeNotifier
    generations: Generations
    writes: Writes
    searches: AppLimiter
    own_ports: Collection[int]
    closing: AsyncExitStack


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """The dependencies of services without a server: for `picloud run`, `picloud bench` and tests.

    Attributes:
        variables: values for `vars`, by name.
        folder: the folder with modules `NAME.rhai`; None for no modules.
        outbound: configuration of outbound calls; None disables them.
        closing: closes the resources of services.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    outbound: Settings | None = None
    closing: AsyncExitStack = field(default_factory=AsyncExitStack)


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows that a service stores for an app.

    Attributes:
        name: name of the rows in the error of an app that is not empty.
        count: statement that counts the rows of app `$1`, up to 10,000.
        clear: statement that deletes the rows of app `$1`.
    """

    name: str
    count: str
    clear: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[ServiceT, AdminT]):
    """The descriptor of a service.

    Attributes:
        name: unique among services.
        make: creates the object that scripts call.
        admin: creates the object that the admin API calls; `no_admin` if there is none.
        host_functions: the host functions by import name.
        local: the host functions without a server; None if they need a server.
        capabilities: required by its host functions and endpoints.
        stored: its rows in the database.
        quota: the limit of an app's rows and bytes; None for no configurable limit.
        app_deleted: deletes data outside the database, after an app was deleted.
    """

    name: str
    make: Callable[[Dependencies], ServiceT]
    admin: Callable[[Dependencies, ServiceT], AdminT]
    host_functions: Callable[[ServiceT], Mapping[str, HostFunction]]
    local: Callable[[Local], Mapping[str, HostFunction]] | None = None
    capabilities: tuple[str, ...] = ()
    stored: tuple[Stored, ...] = ()
    quota: StoreQuota | None = None
    app_deleted: Callable[[ServiceT, UUID], Coroutine[Any, Any, None]] | None = None


def no_admin(_dependencies: Dependencies, _service: object) -> None:
    """The `admin` of a service that the admin API does not call."""


class Services:
    """The services of a worker, found by descriptor."""

    def __init__(self, services: Iterable[Service[Any, Any]], dependencies: Dependencies) -> None:
        """Create every service.

        Args:
            services: their descriptors.
            dependencies: their dependencies.
        """
        self._services = tuple(services)
        self._made: dict[str, Any] = {one.name: one.make(dependencies) for one in self._services}
        self._admins: dict[str, Any] = {
            one.name: one.admin(dependencies, self._made[one.name]) for one in self._services
        }

    def of(self, service: Service[ServiceT, Any]) -> ServiceT:
        """Return the object that scripts call."""
        made: ServiceT = self._made[service.name]
        return made

    def admin(self, service: Service[Any, AdminT]) -> AdminT:
        """Return the object that the admin API calls."""
        made: AdminT = self._admins[service.name]
        return made

    @property
    def host_functions(self) -> dict[str, HostFunction]:
        """Every host function by import name."""
        return {
            name: function
            for one in self._services
            for name, function in one.host_functions(self._made[one.name]).items()
        }

    async def app_deleted(self, app_id: UUID) -> None:
        """Delete the data of a deleted app outside the database."""
        for one in self._services:
            if one.app_deleted is not None:
                await one.app_deleted(self._made[one.name], app_id)


def local_functions(
    services: Iterable[Service[Any, Any]], local: Local, interface: Interface
) -> dict[str, HostFunction]:
    """Return every host function without a server, by import name.

    Args:
        services: their descriptors.
        local: their dependencies.
        interface: lists the host functions; the missing ones raise an error.
    """
    functions: dict[str, HostFunction] = {}
    for one in services:
        if one.local is not None:
            functions.update(one.local(local))
    return with_unavailable_stubs(functions, interface)
