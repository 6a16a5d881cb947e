"""One name is one thing: no two classes of the host have the same name."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

import picloud

HOST = Path(picloud.__file__).parent


def test_no_two_classes_have_the_same_name() -> None:
    homes: dict[str, list[str]] = defaultdict(list)
    for path in sorted(HOST.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(str(path.relative_to(HOST)))
    assert len(homes) > 200
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}
