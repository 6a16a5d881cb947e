"""The host interface: what a guest may call, read from `interface.toml`, and the check of every call.

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
        capability: what a principal needs, "" for nothing.
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
        """Make the decoder of the parameters."""
        untyped = (index for index, (_, types, _) in enumerate(self.params) if types[0] in (dict, list))
        object.__setattr__(self, "_untyped", tuple(untyped))
        types = (_message_type(types, optional) for _, types, optional in self.params)
        object.__setattr__(self, "_decoder", BoundedDecoder(tuple[tuple(types)]))  # type: ignore[misc]

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
        except ValueError as error:
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
class Interface:
    """The host interface of this build.

    Attributes:
        digest: SHA-256 of interface.toml in hex; the guest carries the same.
        sdk: SDK version scripts see.
        functions: the host functions in the order of the file.
    """

    digest: str
    sdk: str
    functions: tuple[Signature, ...]

    @classmethod
    def load(cls, file: Path = INTERFACE_FILE) -> Interface:
        """Read interface.toml.

        Args:
            file: where it is.

        Raises:
            InterfaceMismatch: the file is of another ABI version.
        """
        content = file.read_bytes()
        table = tomllib.loads(content.decode())
        if table["abi"] != ABI_VERSION:
            raise InterfaceMismatch(
                f"interface.toml is of ABI {table['abi']}, this host speaks {ABI_VERSION}"
            )
        functions = tuple(
            Signature(
                name=entry["name"],
                namespace=entry["namespace"],
                capability=entry["capability"],
                counted=entry["counted"],
                params=tuple(
                    (
                        param["name"],
                        _PYTHON_TYPES[param["type"].removesuffix("?")],
                        param["type"].endswith("?"),
                    )
                    for param in entry["params"]
                ),
                result=entry["result"],
                doc=entry["doc"],
            )
            for entry in table["host"]
        )
        return cls(hashlib.sha256(content).hexdigest(), table["sdk"], functions)

    def check_table(self, functions: Mapping[str, HostFunction]) -> None:
        """See that the services offer exactly what the interface lists.

        Raises:
            InterfaceMismatch: naming what is missing or too many.
        """
        listed = {signature.name for signature in self.functions if signature.namespace != "log"}
        if listed != set(functions):
            missing, extra = sorted(listed - set(functions)), sorted(set(functions) - listed)
            raise InterfaceMismatch(f"host functions missing: {missing}, not in interface.toml: {extra}")
