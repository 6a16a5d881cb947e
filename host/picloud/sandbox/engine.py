"""The compiled guest: wasmtime's engine, its machine code on disk, and what the guest says of itself."""

from __future__ import annotations

import hashlib
import os
import platform
import tempfile
from pathlib import Path

from msgspec import Struct
from msgspec.msgpack import Decoder

from picloud.core.interface import ABI_VERSION, Interface, InterfaceMismatch
from picloud.sandbox import capi
from picloud.sandbox.abi import REPLY_TAKE, unpack_address

GUEST_FILE = Path(__file__).parents[1] / "assets" / "guest.wasm"

EXPORTS = (b"info", b"reserve", b"compile", b"run")

# How much a guest burns before others get a turn: 0.3-0.5 ms on the machines this was measured on.
SLICE_FUEL = 1_000_000
# A stack that holds the deepest script the ceilings allow; what is left of ASYNC_STACK is for host calls,
# which run Python on it.
WASM_STACK = 1024 * 1024
ASYNC_STACK = 2 * 1024 * 1024
KEEP_RESIDENT = 8 * 1024 * 1024
PAGE = 4096
"""What images are made of, in bytes; the unit in which guest memory is compared and copied."""


class GuestInfo(Struct, frozen=True):
    """What the guest's `info` export says; addresses are the same in every instance.

    Attributes:
        abi: version of the ABI it was built for.
        interface: SHA-256 of the interface.toml it was built from, in hex.
        sdk: SDK version.
        rhai: interpreter version.
        input: (address, capacity) of the input buffer.
        reply: (address, capacity) of the reply buffer.
        oom: address of the u32 that is 1 once the guest's memory could not grow.
        scratch: address ranges [start, end) whose content is dead between two calls, so no image needs them.
    """

    abi: int
    interface: str
    sdk: str
    rhai: str
    input: tuple[int, int]
    reply: tuple[int, int]
    oom: int
    scratch: tuple[tuple[int, int], ...] = ()


_INFO = Decoder(GuestInfo)


class Engine:
    """What guests are made from: one a process.

    Attributes:
        interface: the host interface it was checked against.
        info: what the guest says of itself.
        pristine: linear memory of a fresh instance, for telling which pages a compile changed.
        live: the (start, end) of it that an image may need: all but the scratch space, in whole pages.
        digest: SHA-256 of guest.wasm in hex.
    """

    def __init__(
        self,
        cache_folder: Path,
        slots: int,
        max_memory_mb: int,
        guest: Path = GUEST_FILE,
        interface: Interface | None = None,
    ) -> None:
        """Load the guest, compiling it first where this machine has not yet.

        Args:
            cache_folder: folder for the machine code; only this user may write it.
            slots: how many guest instances may live at once.
            max_memory_mb: largest linear memory of a guest, in MiB.
            guest: the guest's WebAssembly.
            interface: what to check it against; the packaged interface.toml when None.

        Raises:
            InterfaceMismatch: the guest was built from another interface.
            capi.WasmError: the guest is not valid, or needs imports that are not ours.
        """
        self.interface = interface or Interface.load()
        wasm = guest.read_bytes()
        self.digest = hashlib.sha256(wasm).hexdigest()
        self._engine = capi.WasmEngine(slots, max_memory_mb << 20, WASM_STACK, ASYNC_STACK, KEEP_RESIDENT)
        names = [signature.name for signature in self.interface.hosts] + [REPLY_TAKE]
        artifact = _machine_code(self._engine, wasm, self.digest, cache_folder)
        self.template = capi.Template(self._engine, artifact, names, _forward)
        self.info, self.pristine = self._ask(max_memory_mb << 20)
        self.live = _live(self.info, len(self.pristine))

    def _ask(self, memory_limit: int) -> tuple[GuestInfo, bytes]:
        guest = capi.Guest(self.template, memory_limit, SLICE_FUEL, SLICE_FUEL)
        try:
            if missing := [name.decode() for name in EXPORTS if not guest.exports(name)]:
                raise InterfaceMismatch(f"the guest does not export {', '.join(missing)}")
            pristine = guest.read(0, guest.memory_size())
            guest.start(b"info")
            if not guest.poll():
                raise InterfaceMismatch("the guest's info does not answer")
            info = _INFO.decode(guest.read(*unpack_address(guest.result())))
        except ValueError as error:
            raise InterfaceMismatch(f"the guest's info cannot be read: {error}") from None
        finally:
            guest.close()
        if info.abi != ABI_VERSION or info.interface != self.interface.digest:
            raise InterfaceMismatch(
                "guest.wasm was built from another interface.toml; run guest-runtime/build.sh"
            )
        return info, pristine

    def close(self) -> None:
        """Free the engine; no guest of it may be alive."""
        self.template.close()
        self._engine.close()


def _forward(guest: capi.Guest, index: int, pointer: int, length: int) -> int | None:
    """Hand a host call to whoever drives the guest (`run.Run`)."""
    return guest.owner.called(index, pointer, length)  # type: ignore[no-any-return]  # owner is a run


def _live(info: GuestInfo, size: int) -> tuple[tuple[int, int], ...]:
    """The memory between the dead ranges; the guest's buffers are dead between two calls, too."""
    buffers = [(start, start + capacity) for start, capacity in (info.input, info.reply)]
    live, at = [], 0
    for start, end in sorted((*info.scratch, *buffers)):
        first, last = -(-start // PAGE) * PAGE, end // PAGE * PAGE
        if first < last:
            live.append((at, first))
            at = last
    return (*live, (at, size))


def _machine_code(engine: capi.WasmEngine, wasm: bytes, digest: str, folder: Path) -> Path:
    """The compiled guest's file, made if it is not there.

    The name holds everything the code depends on. wasmtime runs this file's content as machine code, so
    the folder must be ours alone, and the file appears whole or not at all.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = folder.stat()
    if owner.st_uid != os.geteuid() or owner.st_mode & 0o022:
        raise PermissionError(
            f"{folder} must belong to the user that runs PiCloud and be writable by no one else"
        )
    settings = f"{capi.WASMTIME_VERSION}|{WASM_STACK}|{platform.machine()}|{_cpu_features()}"
    key = hashlib.sha256(settings.encode()).hexdigest()[:16]
    file = folder / f"guest-{digest[:16]}-{key}.cwasm"
    if not file.exists():
        artifact = engine.compile(wasm)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as temporary:
            temporary.write(artifact)
        Path(temporary.name).replace(file)
        for other in folder.glob("guest-*.cwasm"):  # of versions before; who runs one still has it open
            if other != file:
                other.unlink(missing_ok=True)
    return file


def _cpu_features() -> str:
    """A line that changes when the data folder is moved to a machine with another CPU."""
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        return platform.processor()
