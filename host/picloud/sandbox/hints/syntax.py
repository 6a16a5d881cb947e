"""Hints for syntax of other languages."""

from __future__ import annotations

import re

from picloud.sandbox.hints.habits import BEFORE, BETWEEN, WORDS
from picloud.sandbox.hints.place import Place

_RESERVED = re.compile(r"'(\w+)' is a reserved (?:keyword|symbol)")
_OPERATORS = {
    "?": "write if a { b } else { c }",
    "++": "write i += 1",
    "--": "write i -= 1",
    "=>": "a closure is |x| x + 1",
    "->": "a closure is |x| x + 1",
    ":=": "write let x = ...",
    "<>": "write !=",
    "#": "a comment begins with //",
    "@": "decorators do not exist",
    "~": "write x ^ -1",
}
_OPERATOR = re.compile(r"(?:Unknown operator: )?'([^'\w]+)'(?: is a reserved symbol)?")
_KEY = re.compile(r"[{,]\s*(?:\w+|\"[^\"]*\"|'[^']*')\s*$")
_MAP_KEY = re.compile(r"[{,]\s*$")
_EXPECTED = re.compile(r"(?:Expecting|Unexpected)\b.*")
_PYTHON_BLOCK = re.compile(r"\s*(?:if|for|while|else|elif|def|try|except|class)\b")
_WORD = re.compile(r"[A-Za-z_]\w*")


def hint(message: str, place: Place) -> str | None:
    """Return a hint for a syntax error, or None."""
    word = _WORD.match(place.after)
    if found := _RESERVED.fullmatch(message):
        return _reserved(found[1], place)
    if message.startswith("Expecting name of a property") or (
        message.startswith("Expecting '}' to end this object map") and word
    ):
        return _reserved(word[0], place) if word else None
    if message.startswith("Invalid character: '"):
        text = message[len("Invalid character: '") : -1]
        return f'a string has double quotes: "{text[:40]}"'
    if found := _OPERATOR.fullmatch(message):
        return _OPERATORS.get(found[1])
    if message.startswith("Expecting ':' to follow the property") and place.after.startswith("="):
        return "write #{ name: value }"
    if message.startswith("Expecting an iterable value, not a number"):
        return "write for i in 0..n"
    if message.startswith("Expecting an iterable value, not an object map"):
        return "write for key in map.keys()"
    if message == "Open string is not terminated":
        return "a text in double quotes ends on its line; in backticks it can span lines"
    if message.startswith("Cannot assign to constant "):
        return "declare it with let to change it"
    return _expected(place, word[0] if word else "") if _EXPECTED.match(message) else None


def _reserved(word: str, place: Place) -> str:
    """Say how to use a reserved word as a key, or what to write instead."""
    before = place.before.rstrip()
    if before.endswith("."):
        # The position is that of the word; `?.` needs its own form.
        base = place.base() or "map"
        return f'{word} is a reserved word; write {base}["{word}"]'
    if re.match(r"\w+\s*:(?!:)", place.after) and _MAP_KEY.search(before):
        return f'{word} is a reserved word; write the key in quotes: "{word}": ...'
    is_name = re.search(r"(?:\b(?:let|const|fn)\s*|\|)$", before)
    return f"{word} is a reserved word; use another name" if is_name or word not in WORDS else WORDS[word]


def _expected(place: Place, word: str) -> str | None:
    """Return a hint for something that stands where Rhai expects something else."""
    before, after = place.before, place.after
    previous = re.search(r"([A-Za-z_]\w*)\s*$", before)
    if after.startswith(":") and _KEY.search(before) and not after.startswith("::"):
        return "a map begins with #{: #{ name: value }"
    if after.startswith(("=>", "->")) or re.search(r"\([\w\s,]*\)\s*[=-]>", place.line):
        return "a closure is |x| x + 1, a case of a switch 1 => ..."
    if after.startswith(":") and _PYTHON_BLOCK.match(before):
        return "a block has braces: if condition { ... }"
    if after.startswith(":") and re.search(r"(?:\blet|\bconst|\(|,)\s*\w+\s*$", before):
        return "variables and parameters have no declared types"
    if re.search(r"\bfunction\s*\([^()]*\)\s*$", before):
        return "a closure is |x| x + 1"
    if word in BETWEEN and not (word == "is" and not previous):
        return BETWEEN[word]
    if previous and previous[1] in BETWEEN and previous[1] != "of":
        return BETWEEN[previous[1]]
    if re.search(r"\bfor\s*\(\s*$", before):
        return "write for i in 0..n { ... } or for item in list { ... }"
    if re.search(r"\bimport\s+\w+\s*$|\bimport\s*$", before):
        return 'write import "name" as name;'
    if previous and previous[1] in ("let", "const") and after.startswith(("{", "[")):
        return "take the parts one by one: let a = value.a; let b = value.b;"
    if previous and re.search(r"\b(?:let|const)\s+\w+\s*$", before) and after.startswith(","):
        return "one variable for each let: let a = 1; let b = 2;"
    if previous and previous[1] in BEFORE:
        return BEFORE[previous[1]]
    if previous and previous[1] in ("f", "r", "b") and after.startswith(('"', "`")):
        return "use `text ${value}` in backticks"
    if re.search(r"\[[^\]]*$", before):
        if after.startswith(":"):
            return "write text[start..end], or list.extract(start, length)"
        if word == "for":
            return "write list.map(|item| ...)"
    if re.search(r"\bswitch\b[^{]*\{(?:[^}]*,)?\s*$", before):
        return "write switch value { 1 => ..., _ => ... }"
    return None
