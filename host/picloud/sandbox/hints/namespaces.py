"""The functions of interface.toml: which one a call could have meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache

from picloud.core.interface import Interface


@dataclass(frozen=True, slots=True)
class _Known:
    """The functions of one namespace in interface.toml: name -> signature.

    Attributes:
        functions: called as `namespace::name`.
        methods: called on its collections.
    """

    functions: Mapping[str, str]
    methods: Mapping[str, str]


NAMES = frozenset(entry.namespace for entry in Interface.load().functions)
"""The namespaces."""
SYNONYMS = {
    "crypto": {
        "hash": "sha256",
        "md5": "sha256",
        "sha1": "sha256",
        "sha512": "sha256",
        "hmac": "hmac_sha256",
    },
    "docs": dict.fromkeys(("insert", "insert_one", "add", "save", "set"), "create")
    | {"put": "update", "replace": "update", "remove": "delete", "query": "find", "all": "list"},
    "files": dict.fromkeys(("put", "save", "write", "upload"), "create")
    | {"read": "get", "download": "get", "remove": "delete", "stat": "head"},
    "http": dict.fromkeys(("call", "send", "axios"), "request") | {"fetch": "get"},
    "json": {"encode": "stringify", "dumps": "stringify", "decode": "parse", "loads": "parse"},
    "kv": {"put": "set", "remove": "delete", "exists": "has", "contains": "has", "incr": "increment"},
    "log": {"log": "info", "debug": "trace", "warning": "warn", "print": "info"},
    "random": {"random": "float", "randint": "int", "integer": "int", "choice": "int"},
    "regex": {
        "test": "is_match",
        "match": "captures",
        "exec": "captures",
        "search": "find",
        "sub": "replace_all",
    },
    "time": {"time": "now_ms", "timestamp": "now_ms", "date": "now"},
    "url": {"parse": "decode_query", "quote": "encode", "unquote": "decode"},
    "vars": {"env": "get", "getenv": "get"},
}
"""Names of other languages and libraries, for functions that have another name here."""


def suggest(name: str, first: str) -> str | None:
    """Suggest what a call of a missing function could have meant.

    Args:
        name: the name, with its namespace if it was called with one.
        first: type of the first argument, as in messages.
    """
    namespace, colons, function = name.rpartition("::")
    if colons and namespace in _known():
        return method(namespace, function)
    namespace = first.removesuffix("::collection")
    if namespace != first and namespace in _known():
        synonym = SYNONYMS.get(namespace, {}).get(name, name)
        return _nearest(synonym, _known()[namespace].methods, "", "it")
    return None


def method(namespace: str, function: str) -> str | None:
    """Suggest how to write `namespace.function(...)`, for example `docs.insert(...)`."""
    if namespace not in _known():
        return None
    known = _known()[namespace]
    name = SYNONYMS.get(namespace, {}).get(function, function)
    if name in known.methods:
        return f"use {namespace}::collection(name).{known.methods[name]}"
    return _nearest(name, known.functions, f"{namespace}::", namespace)


def _nearest(name: str, known: Mapping[str, str], prefix: str, whose: str) -> str:
    """Suggest the function with the same meaning or the closest name, else list all names."""
    if name in known:
        return f"use {prefix}{known[name]}"
    if near := get_close_matches(name, known, 1):
        return f"use {prefix}{known[near[0]]}"
    return f"{whose} has {', '.join(sorted(known))}"


@cache
def _known() -> dict[str, _Known]:
    functions: dict[str, dict[str, str]] = {}
    for entry in Interface.load().functions:
        functions.setdefault(entry.namespace, {})[entry.name] = entry.signature
    return {
        namespace: _Known({"collection": named.pop("collection")}, named)
        if "collection" in named
        else _Known(named, {})
        for namespace, named in functions.items()
    }
