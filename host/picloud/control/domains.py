"""Domains: the hosts that an app has claimed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import UniqueViolationError
from uuid_utils.compat import uuid7

from picloud.core.errors import Conflict, Invalid, NotFound
from picloud.core.ids import parse_id
from picloud.core.pagination import Page, PageRequest
from picloud.db.changes import ChangeNotifier
from picloud.db.pool import Connection, Database
from picloud.db.queries import load
from picloud.identity import audit
from picloud.identity.actor import Actor
from picloud.identity.capabilities import may
from picloud.routing.hosts import covering, parse_claim

MAX_DOMAINS = 1000
"""Domains of one app."""

_SQL, _ROUTES = load("domains"), load("routes")


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain of an app.

    Attributes:
        id: the domain.
        app_id: its app.
        pattern: a normalised host, or `*.` and a name for all hosts below it.
        kind: "exact" or "wildcard".
        created_at: when it was claimed.
    """

    id: UUID
    app_id: UUID
    pattern: str
    kind: str
    created_at: datetime


class Domains:
    """The domains of apps."""

    def __init__(self, database: Database, changes: ChangeNotifier, admin_host: str | None = None) -> None:
        """Create a `Domains`.

        Args:
            admin_host: the host of the admin API, which no app can claim, or None.
        """
        self._database = database
        self._admin_host = admin_host
        self._changes = changes

    async def create(self, app_id: UUID, pattern: str, actor: Actor) -> Domain:
        """Claim a host, or all hosts below a name.

        A host inside another app's wildcard takes requests away from that app, so claiming it requires
        `domain.manage` in that app too.

        Args:
            pattern: `api.example.com` or `*.example.com`.

        Raises:
            Invalid: the pattern is not valid, or it is the host of the admin API.
            Conflict: an app has claimed it; or it is inside another app's wildcard; or the app has
                `MAX_DOMAINS` domains. The details name the other app if the actor can read it.
            NotFound: the app was deleted in the meantime.
        """
        claim = parse_claim(pattern)
        require_not_admin_host(claim, self._admin_host, "pattern")
        try:
            async with self._changes.transaction("domains") as connection:
                if await connection.fetchrow(_ROUTES.routes_lock, app_id) is None:
                    raise NotFound("app", app_id)
                await self._require_free(connection, app_id, claim, actor)
                if await connection.fetchval(_SQL.domain_count, app_id) >= MAX_DOMAINS:
                    raise Conflict(f"an app can have at most {MAX_DOMAINS} domains", limit=MAX_DOMAINS)
                row = await connection.fetchrow(_SQL.domain_insert, app_id, uuid7(), claim)
                assert row is not None
                domain = Domain(**row)
                await audit.write(
                    connection, actor, app_id=app_id, target=domain.id, after=_audit_fields(domain)
                )
        except UniqueViolationError:  # a concurrent claim was faster
            raise _taken(claim) from None
        return domain

    async def list(self, app_id: UUID, page: PageRequest) -> Page[Domain]:
        """List an app's domains, oldest first."""
        rows = await self._database.fetch(_SQL.domains_list, app_id, page.after, page.limit + 1)
        return Page.of(rows, page.limit, lambda row: Domain(**row))

    async def delete(self, app_id: UUID, domain_id: str, actor: Actor, force: bool = False) -> None:
        """Delete a domain.

        Args:
            force: also delete routes on hosts that no domain of the app covers any more.

        Raises:
            NotFound: the app has no such domain.
            Conflict: there are such routes (they are in the details) and `force` is not given.
        """
        parsed = parse_id(domain_id)
        if parsed is None:
            raise NotFound("domain", domain_id)
        async with self._changes.transaction("domains", "routes") as connection:
            await connection.execute(_ROUTES.routes_lock, app_id)
            row = await connection.fetchrow(_SQL.domain_delete, app_id, parsed)
            if row is None:
                raise NotFound("domain", domain_id)
            hosts = await _uncovered(connection, app_id)
            if hosts and not force:
                routes = await connection.fetch(_ROUTES.routes_on_hosts, app_id, hosts)
                raise Conflict(
                    "routes use hosts of this domain; use ?force=true to delete them too",
                    routes=[dict(route) for route in routes],
                )
            if hosts:
                await connection.execute(_ROUTES.routes_delete_on_hosts, app_id, hosts)
            before = {**_audit_fields(Domain(**row)), "hosts_of_deleted_routes": hosts}
            await audit.write(connection, actor, app_id=app_id, target=parsed, before=before)

    async def _require_free(self, connection: Connection, app_id: UUID, claim: str, actor: Actor) -> None:
        around = await connection.fetchrow(_SQL.domain_around, covering(claim))
        if around is None:
            return
        other, pattern = around["app_id"], around["pattern"]
        principal = actor.principal
        seen = principal is None or may(principal, "app.read", other)
        if pattern == claim and other == app_id:
            raise Conflict(f"this app has already claimed the host {claim!r}", field="pattern", app_id=other)
        if pattern == claim:
            raise _taken(claim, other if seen else None)
        if other != app_id and not (principal is None or may(principal, "domain.manage", other)):
            details: dict[str, object] = {"field": "pattern"}
            if seen:
                details |= {"app_id": other, "inside": pattern}
            raise Conflict(
                f"the host {claim!r} is inside another app's wildcard; "
                "requires the capability domain.manage in that app",
                **details,
            )


def require_not_admin_host(host: str, admin_host: str | None, field: str) -> None:
    """Check that a host is not the host of the admin API.

    Args:
        host: a normalised host.
        admin_host: the host of the admin API, or None.
        field: the field with the host.

    Raises:
        Invalid: it is the host of the admin API.
    """
    if host == admin_host:
        raise Invalid("this host is reserved for the admin API (PICLOUD_ADMIN_HOST)", field=field)


def _taken(claim: str, app_id: UUID | None = None) -> Conflict:
    details: dict[str, object] = (
        {"field": "pattern"} if app_id is None else {"field": "pattern", "app_id": app_id}
    )
    return Conflict(f"the host {claim!r} is already claimed", **details)


async def _uncovered(connection: Connection, app_id: UUID) -> list[str]:
    """The hosts of an app's routes that no domain of the app covers."""
    claims = {row["pattern"] for row in await connection.fetch(_SQL.domain_patterns, app_id)}
    hosts = [row["host_shape"] for row in await connection.fetch(_ROUTES.route_hosts, app_id)]
    return [host for host in hosts if claims.isdisjoint(covering(host))]


def _audit_fields(domain: Domain) -> dict[str, object]:
    return {"pattern": domain.pattern}
