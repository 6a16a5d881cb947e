"""Host -> app: which app claims the host of a request."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from picloud.routing.hosts import host_name


class DomainTable:
    """All claims of the instance: an immutable snapshot of the database rows."""

    __slots__ = ("_below", "_default", "_exact")

    def __init__(self, claims: Iterable[tuple[str, UUID]], default: UUID | None = None) -> None:
        """Create the table.

        Args:
            claims: pairs of normalised claim and the app that made it.
            default: the app for unclaimed hosts, as long as no other app has a claim.
        """
        self._default = default
        self._exact: dict[str, UUID] = {}
        self._below: dict[str, UUID] = {}
        for claim, app_id in claims:
            if app_id != default:
                self._default = None
            if claim.startswith("*."):
                self._below[claim[2:]] = app_id
            else:
                self._exact[claim] = app_id

    def find(self, header: str) -> tuple[UUID, str] | None:
        """Find the app for a request.

        Args:
            header: the Host header as it came.

        Returns:
            The app with the most specific claim on it, or the default app, and the host's name as routes
            are compared with; or None.
        """
        # Most clients send the name as it was claimed; only then is there nothing to normalise.
        app_id = self._exact.get(header)
        if app_id is not None:
            return app_id, header
        name = host_name(header)
        app_id = self._exact.get(name)
        if app_id is not None:
            return app_id, name
        if self._below:
            rest = name
            while rest:
                rest = rest.partition(".")[2]
                app_id = self._below.get(rest)
                if app_id is not None:
                    return app_id, name
        return (self._default, name) if self._default is not None and name else None
