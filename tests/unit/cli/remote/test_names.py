from __future__ import annotations

import os
import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from picloud.cli.remote.folder.file_names import file_names, script_name

NAMES = st.text(
    st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("./\\:~%aA"), min_size=1, max_size=128
)


@given(st.sets(NAMES, max_size=12))
@example(
    {"../../etc/passwd", "..", ".", "/", "a/b", "a\\b", ".ssh", "con", "NUL.x", "COM1", "a:b", "ß", "ss"}
)
@example({"com¹", "COM².x", "lpt³ ", "ＮＵＬ"})
@example({"greet", "Greet", "GREET", "greet-2", "é", "e\u0301"})
def test_every_name_gets_a_file_in_the_folder_that_no_other_has_on_any_file_system(names: set[str]) -> None:
    files = file_names(names, {})
    assert set(files) == names
    for file in files.values():
        assert os.path.basename(file) == file  # noqa: PTH119  # a name, not a path
        assert "\\" not in file
        assert not file.startswith((".", "-", " "))
        assert file.endswith(".rhai")
        assert len(file.encode()) <= 255
        stem = unicodedata.normalize("NFKC", file.partition(".")[0]).rstrip().casefold()
        assert stem not in {"con", "nul", "com1", "com2", "lpt3", "aux", "prn", "lpt1"}
        assert not set(file) & set('<>:"/\\|?*')
    folded = {unicodedata.normalize("NFKC", file).casefold() for file in files.values()}
    assert len(folded) == len(names)


def test_a_plain_name_is_its_file() -> None:
    assert file_names(["greet", "Say hello", "v1.2", "größe"], {}) == {
        "Say hello": "Say hello.rhai",
        "greet": "greet.rhai",
        "größe": "größe.rhai",
        "v1.2": "v1.2.rhai",
    }


def test_a_script_keeps_the_file_it_has_and_others_do_not_take_it() -> None:
    assert file_names(["a", "b", "lib"], {"lib": "lib/Util.rhai", "a": "b.rhai"}) == {
        "a": "b.rhai",
        "b": "b-2.rhai",
        "lib": "lib/Util.rhai",
    }


def test_names_that_need_no_change_come_before_those_that_become_like_them() -> None:
    assert file_names(["a/b", "a_b"], {}) == {"a/b": "a_b-2.rhai", "a_b": "a_b.rhai"}


def test_a_file_that_spells_accents_apart_is_the_script_that_spells_them_together() -> None:
    assert script_name("e\u0301.rhai") == "é"
