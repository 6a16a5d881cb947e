"""The parser of `.sql` files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from picloud.db import queries
from picloud.db.queries import QueryFileError, load, parse

_FOLDER = Path(queries.__file__).with_name("queries")

names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
purposes = st.lists(st.from_regex(r"[A-Za-z][A-Za-z ,.]{0,40}[a-z]", fullmatch=True), min_size=1, max_size=3)
statements = st.lists(
    st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Zl", "Zp"]), max_size=60)
    .map(lambda line: f"{line} 1")
    .filter(lambda line: not line.startswith("--")),
    min_size=1,
    max_size=5,
)


@given(st.dictionaries(names, st.tuples(purposes, statements), max_size=6), st.integers(0, 3), st.booleans())
def test_every_valid_file_is_parsed(
    written: dict[str, tuple[list[str], list[str]]], blank: int, semicolon: bool
) -> None:
    text = "-- About this file.\n\n"
    for name, (purpose, sql) in written.items():
        text += f"-- name: {name}\n" + "".join(f"-- {line}\n" for line in purpose)
        text += "\n".join(sql) + (";" if semicolon else "") + "\n" * (blank + 1)
    read = parse(text, "x.sql")
    assert list(read) == list(written)
    for name, (purpose, sql) in written.items():
        assert read[name].purpose == " ".join(purpose)
        assert read[name].sql == "\n".join(sql).strip()
        assert text.split("\n")[read[name].line - 1] == f"-- name: {name}"


@given(st.text(alphabet=st.sampled_from("-- name:\nab;1"), max_size=200))
def test_every_other_text_is_an_error_with_file_and_line(text: str) -> None:
    message = ""
    try:
        parse(text, "x.sql")
    except QueryFileError as error:
        message = str(error)
    assert re.match(r"x\.sql:\d+: |$", message)


GOOD = "-- name: a\n-- Why.\nSELECT 1;\n"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        (GOOD + GOOD, 4, "line 1"),
        (GOOD + "-- name: b\nSELECT 1;\n", 4, "comment"),
        (GOOD + "-- name: b\n--\nSELECT 1;\n", 4, "comment"),
        (GOOD + "-- name: b\n-- Why.\n\n;\n", 4, "statement"),
        (GOOD + "--name:b\n-- Why.\nSELECT 1;\n", 4, "name line"),
        (GOOD + "-- name: Bad-Name\n-- Why.\nSELECT 1;\n", 4, "name line"),
        ("\nSELECT 1;\n" + GOOD, 2, "-- name: "),
    ],
)
def test_an_error_names_its_line(text: str, line: int, what: str) -> None:
    with pytest.raises(QueryFileError) as caught:
        parse(text, "x.sql")
    assert str(caught.value).startswith(f"x.sql:{line}: ")
    assert what in str(caught.value)


def test_a_comment_inside_a_statement_stays_in_it() -> None:
    assert (
        parse("-- name: a\n-- Why.\nSELECT 1\n-- really\n + 1;", "x.sql")["a"].sql
        == "SELECT 1\n-- really\n + 1"
    )


@pytest.mark.parametrize("noun", sorted(path.stem for path in _FOLDER.glob("*.sql")))
def test_our_own_files_are_in_the_form_and_each_query_is_an_attribute(noun: str) -> None:
    loaded = load(noun)
    assert loaded is load(noun)
    assert dir(loaded) == sorted(query.name for query in loaded.all())
    for query in loaded.all():
        assert getattr(loaded, query.name) == query.sql


def test_a_missing_query_is_reported_with_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "only_here.sql").write_text(GOOD)
    monkeypatch.setattr(queries, "_FOLDER", tmp_path)
    with pytest.raises(AttributeError, match=r"only_here\.sql.* b$"):
        _ = load("only_here").b


def test_a_missing_file_is_reported() -> None:
    with pytest.raises(QueryFileError, match=r"nowhere\.sql"):
        load("nowhere")
