"""Promises of core/pagination.py."""

from __future__ import annotations

import contextlib
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.core.errors import Invalid
from picloud.core.pagination import Page, read_cursor, unmark_cursor, write_cursor


@given(st.uuids())
def test_a_cursor_gives_the_position_back(position: UUID) -> None:
    assert read_cursor(write_cursor(position)) == position


@given(st.text())
def test_any_other_text_is_rejected(cursor: str) -> None:
    with contextlib.suppress(Invalid):
        assert write_cursor(read_cursor(cursor)) == cursor


@pytest.mark.parametrize("cursor", ["", "=", "A" * 21, "A" * 22 + "==", "A" * 23, "A" * 21 + "B", "ü" * 22])
def test_an_unknown_cursor_is_rejected(cursor: str) -> None:
    with pytest.raises(Invalid):
        read_cursor(cursor)


@given(st.text(), st.text())
def test_a_cursor_is_its_lists_own(one: str, other: str) -> None:
    page = Page([1], write_cursor(UUID(int=7))).of_list(one)
    assert page.next_cursor is not None
    assert read_cursor(unmark_cursor(page.next_cursor, one)) == UUID(int=7)
    if one != other:
        with pytest.raises(Invalid):
            unmark_cursor(page.next_cursor, other)


def test_the_last_page_has_no_cursor_in_any_list() -> None:
    assert Page([1], None).of_list("/apps").next_cursor is None
