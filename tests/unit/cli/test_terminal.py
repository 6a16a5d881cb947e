from __future__ import annotations

import pytest

from picloud.cli.terminal import bar, table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert table(("a", "bb"), [("long", "x"), ("s", "y")]) == "a     bb\nlong  x\ns     y"


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, ""), (1, "██████████"), (0.5, "█████"), (2, "██████████"), (0.01, "▏"), (0.99, "█████████▉")],
)
def test_a_bar_is_as_long_as_its_value_says(value: float, shown: str) -> None:
    assert bar(value, 1, 10) == shown
