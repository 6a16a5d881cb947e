"""-0.0 in the JSON of jsonb."""

from __future__ import annotations

import json
import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from picloud.services.docs import negative_zero
from picloud.services.docs.conditions import write_json

TEXTS = st.text(st.sampled_from('0.-,:[]{} "\\e\n'), max_size=8) | st.sampled_from(
    ["0.00", '"0.00"', "\\", '\\"', ": 0.00,"]
)
VALUES = st.recursive(
    st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 0, 10.0, 0.001]) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=15,
)


def signs(value: Any) -> Any:
    """The value, with every zero as its sign."""
    match value:
        case float() if value == 0:
            return f"zero {math.copysign(1, value)}"
        case list():
            return [signs(item) for item in value]
        case dict():
            return {name: signs(item) for name, item in value.items()}
    return value


@given(value=VALUES)
def test_what_is_written_is_restored(value: Any) -> None:
    stored = write_json(value)
    assert signs(json.loads(negative_zero.restore(stored))) == signs(value)
    assert signs(json.loads(negative_zero.restore(spaced(value)))) == signs(value)


def spaced(value: Any) -> str:
    """The JSON with the spaces of PostgreSQL."""
    match value:
        case list():
            return f"[{', '.join(map(spaced, value))}]"
        case dict():
            return f"{{{', '.join(f'{spaced(name)}: {spaced(item)}' for name, item in value.items())}}}"
    return write_json(value)
