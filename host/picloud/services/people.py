"""What scripts keep, as people look through it and change it: refusals in the API's words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from picloud.errors import Invalid, NotFound, QuotaExceeded, ServiceError
from picloud.services.kv import check_names
from picloud.services.quotas import QuotaUsedUp

MOST_COUNTED = 1000
"""Of each collection in a list of them."""


def find_name(collection: str, key: str = "-") -> None:
    """Refuse to look for what no collection or key can be called.

    Raises:
        NotFound: nothing is called that.
    """
    try:
        check_names(collection, key)
    except ServiceError:
        raise NotFound from None


@contextmanager
def refusals(field: str) -> Iterator[None]:
    """What would be thrown in a script, as an error of the API.

    Args:
        field: what is to blame.

    Raises:
        QuotaExceeded: the quota is used up.
        Invalid: anything else is not acceptable.
    """
    try:
        yield
    except QuotaUsedUp as error:
        raise QuotaExceeded(str(error)) from None
    except ServiceError as error:
        raise Invalid(str(error), field=field) from None
