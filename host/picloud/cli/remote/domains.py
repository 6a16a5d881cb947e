"""`picloud domains`."""

from __future__ import annotations

from typing import Any

from picloud.cli.exits import NOT_FOUND, Failure
from picloud.cli.remote.context import Context
from picloud.cli.remote.output import column, moment
from picloud.cli.remote.resource import FORCE, Noun, Verb, in_body, in_path


async def _domain(context: Context, pattern: str) -> Any:
    """Return the id of a domain, given by its host or id."""
    for domain in await context.client.items("apps/{app}/domains", app=context.app):
        if pattern.lower().removesuffix(".") in (domain["pattern"], domain["id"]):
            return domain["id"]
    raise Failure(f"domain {pattern!r} not found in app {context.app}", NOT_FOUND, "not_found")


NOUN = Noun(
    "domains",
    "domains of an app",
    (
        Verb(
            name="list",
            help="list the domains of an app",
            path="apps/{app}/domains",
            columns=(column("pattern"), column("kind"), column("created_at", "claimed", moment)),
        ),
        Verb(
            name="add",
            help="claim a domain for an app",
            method="POST",
            path="apps/{app}/domains",
            arguments=(in_body("pattern", "api.example.com, or *.example.com for all subdomains"),),
            success="claimed domain {pattern}",
        ),
        Verb(
            name="remove",
            help="delete a domain",
            method="DELETE",
            path="apps/{app}/domains/{domain}",
            arguments=(in_path("domain", "the claimed host, or its id", read=_domain), FORCE),
            destroys="deletes the domain {domain}: the app is no longer served there",
            success="deleted domain {given_domain}",
        ),
    ),
)
add = NOUN.add
