"""Names that apps choose freely, such as the key of an entry, in the path or in the query.

Clients and proxies take `.` and `..` in a path for steps, also when they are percent-encoded (RFC 3986,
5.2.4; WHATWG URL, 4.4). So every such name can be given in the query instead, with `-` in its place in the
path: `/apps/shop/kv/carts/-?entry=..`.
"""

from __future__ import annotations

from collections.abc import Mapping

from multidict import MultiDict, MultiMapping

from picloud.core.errors import Invalid

FREE_NAMES = ("collection", "entry")
"""Path parameters that can have any text."""
ELSEWHERE = "-"
"""What the path has when the query has the name."""


def take_names(
    path: Mapping[str, str], query: MultiMapping[str]
) -> tuple[Mapping[str, str], MultiMapping[str]]:
    """Take the names of the path that are in the query.

    Args:
        path: path parameters by name.
        query: query parameters.

    Returns:
        Both, with the names in the path.

    Raises:
        Invalid: a name is in both, or twice in the query.
    """
    named = [name for name in FREE_NAMES if name in path and name in query]
    if not named:
        return path, query
    for name in named:
        if path[name] != ELSEWHERE:
            raise Invalid(
                f"{name} is in the path and in the query; put '{ELSEWHERE}' into the path", field=name
            )
        if len(query.getall(name)) > 1:
            raise Invalid("a query parameter is given twice", field=name)
    rest = MultiDict((name, value) for name, value in query.items() if name not in named)
    return {**path, **{name: query[name] for name in named}}, rest
