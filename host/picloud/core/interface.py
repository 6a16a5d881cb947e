"""The host interface, read from `interface.toml`: what a guest can call, and the check of every call.

Everything that a guest sends is untrusted: one that breaks its interface is stopped, not corrected.
"""

from __future__ import annotations

import functools
import hashlib
import operator
import re
import tomllib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from msgspec import ValidationError

from picloud.core.msgpack import BoundedDecoder, encode, require_plain

ABI_VERSION = 1
INTERFACE_FILE = Path(__file__).parents[1] / "assets" / "interface.toml"
NIL = b"\xc0"

HostFunction = Callable[..., Coroutine[Any, Any, object]]
"""`await function(call, *params)`: one host function, as a service offers it."""

_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "bytes": (bytes,),
    "value": (bytes,),
    "int": (int,),
    "float": (float, int),
    "bool": (bool,),
    "map": (dict,),
    "list": (list,),
}


class InterfaceViolation(Exception):
    """The guest sent what its interface does not allow."""


class InterfaceMismatch(Exception):
    """Guest and host were built from different interfaces; build the guest again."""


def _message_type(types: tuple[type, ...], optional: bool) -> Any:
    """The type of a parameter as msgspec checks it."""
    checked = [dict[str, Any] if type_ is dict else type_ for type_ in types]
    return functools.reduce(operator.or_, [*checked, None] if optional else checked)


@dataclass(frozen=True, slots=True)
class Signature:
    """One `[[host]]` entry of interface.toml.

    Attributes:
        name: import name, such as `kv_get`.
        namespace: the namespace of the SDK it serves.
        capability: required of the principal, "" for none.
        counted: whether it counts against `max_host_calls`.
        params: (name, accepted Python types, may be nil) of each parameter.
        result: result type as written there.
        doc: one line.
    """

    name: str
    namespace: str
    capability: str
    counted: bool
    params: tuple[tuple[str, tuple[type, ...], bool], ...]
    result: str
    doc: str
    _decoder: BoundedDecoder[tuple[object, ...]] = field(init=False, repr=False, compare=False)
    _untyped: tuple[int, ...] = field(init=False, repr=False, compare=False)  # maps and lists, by position

    def __post_init__(self) -> None:
        """Create the decoder of the parameters."""
        untyped = (index for index, (_, types, _) in enumerate(self.params) if types[0] in (dict, list))
        object.__setattr__(self, "_untyped", tuple(untyped))
        types = tuple(_message_type(types, optional) for _, types, optional in self.params)
        decoder: BoundedDecoder[tuple[object, ...]]
        decoder = BoundedDecoder(tuple[types], any_depth=bool(self._untyped))  # type: ignore[valid-type]
        object.__setattr__(self, "_decoder", decoder)

    def decode(self, payload: bytes) -> tuple[object, ...]:
        """Check and unpack a request.

        Args:
            payload: MessagePack array of the parameters.

        Returns:
            One Python object a parameter.

        Raises:
            InterfaceViolation: not MessagePack, or not of this signature.
        """
        try:
            values = self._decoder.decode(payload)
            for index in self._untyped:
                require_plain(values[index])
        except ValidationError as error:
            raise InterfaceViolation(f"{self.name}: {self._explain(error)}") from None
        except (ValueError, RecursionError) as error:
            raise InterfaceViolation(f"{self.name}: not valid MessagePack: {error}") from None
        return values

    def _explain(self, error: ValidationError) -> str:
        """The message of msgspec, with the name of the parameter."""
        text = str(error)
        place = re.search(r"\$\[(\d+)\]", text)
        return f"{self.params[int(place[1])][0]}: {text}" if place else text

    def encode(self, result: object) -> bytes:
        """Pack what the host function returned."""
        if self.result == "value":
            return NIL if result is None else result  # type: ignore[return-value]  # services return MessagePack
        return encode(result)


@dataclass(frozen=True, slots=True)
class Function:
    """One `[[function]]` entry of interface.toml: what a script can call.

    Attributes:
        namespace: `kv` of `kv::collection`.
        name: without its namespace.
        signature: with parameters and result, for people.
        doc: what it does, in Markdown.
        example: an expression that is true.
    """

    namespace: str
    name: str
    signature: str
    doc: str
    example: str


class SharedLimits:
    """The `[limits]` of interface.toml: numbers and lists that guest and host share."""

    def __init__(self, table: Mapping[str, int | list[str]]) -> None:
        """Take the values of the table."""
        self._table = table

    def number(self, name: str) -> int:
        """A limit that is a number, in the unit that its name ends with.

        Raises:
            KeyError: interface.toml has no such limit.
        """
        value = self._table[name]
        assert isinstance(value, int), f"limits.{name} is not a number"
        return value

    def names(self, name: str) -> frozenset[str]:
        """A limit that is a list of strings.

        Raises:
            KeyError: interface.toml has no such limit.
        """
        value = self._table[name]
        assert isinstance(value, list), f"limits.{name} is not a list"
        return frozenset(value)


@dataclass(frozen=True, slots=True)
class Interface:
    """The host interface of this build.

    Attributes:
        digest: SHA-256 of interface.toml in hex; the guest carries the same.
        sdk: SDK version scripts see.
        hosts: the host functions in the order of the file.
        functions: what scripts can call, in the order of the file.
        limits: what guest and host share.
    """

    digest: str
    sdk: str
    hosts: tuple[Signature, ...]
    functions: tuple[Function, ...]
    limits: SharedLimits

    @classmethod
    def load(cls, file: Path = INTERFACE_FILE) -> Interface:
        """Read interface.toml, once per process and file.

        Args:
            file: where it is.

        Raises:
            InterfaceMismatch: the file is of another ABI version.
        """
        return _load(file)

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces that host functions and functions have."""
        return frozenset(one.namespace for one in self.hosts) | {one.namespace for one in self.functions}

    @property
    def service_functions(self) -> tuple[Signature, ...]:
        """The host functions that services offer: all but those of `log`, which the sandbox has itself."""
        return tuple(entry for entry in self.hosts if entry.namespace != "log")

    def check_table(self, functions: Mapping[str, HostFunction]) -> None:
        """Check that the services offer exactly what the interface lists.

        Raises:
            InterfaceMismatch: names the missing and the unknown functions.
        """
        listed = {signature.name for signature in self.service_functions}
        if listed != set(functions):
            missing, extra = sorted(listed - set(functions)), sorted(set(functions) - listed)
            raise InterfaceMismatch(f"host functions missing: {missing}, not in interface.toml: {extra}")


@functools.cache
def _load(file: Path) -> Interface:
    content = file.read_bytes()
    table = tomllib.loads(content.decode())
    if table["abi"] != ABI_VERSION:
        raise InterfaceMismatch(f"interface.toml has ABI {table['abi']}, but this server needs {ABI_VERSION}")
    return Interface(
        digest=hashlib.sha256(content).hexdigest(),
        sdk=table["sdk"],
        hosts=tuple(map(_signature, table["host"])),
        functions=tuple(Function(**entry) for entry in table["function"]),
        limits=SharedLimits(table["limits"]),
    )


def _signature(entry: Mapping[str, Any]) -> Signature:
    params = tuple((param["name"], *_type(param["type"])) for param in entry["params"])
    return Signature(**{**entry, "params": params})


def _type(text: str) -> tuple[tuple[type, ...], bool]:
    """The Python types of a parameter, and whether it may be nil."""
    return _PYTHON_TYPES[text.removesuffix("?")], text.endswith("?")


LIMITS = Interface.load().limits
"""Those of this build."""
