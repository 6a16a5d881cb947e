"""The names of metrics follow Prometheus' conventions (https://prometheus.io/docs/practices/naming/)."""

from __future__ import annotations

import re

import pytest

from picloud.core.metrics import Family
from picloud.server.metrics import FAMILIES


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_named_by_the_conventions_and_described(family: Family) -> None:
    assert re.fullmatch(r"picloud_[a-z_]+", family.name)
    assert family.name.endswith("_total") == (family.kind == "counter")
    assert family.help.endswith(".")
    assert not set(family.help) & set('\\\n"')
    for name, values in family.labels.items():
        assert all(re.fullmatch(r"[a-z_0-9]+", value) for value in (name, *values))
