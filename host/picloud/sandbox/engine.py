"""The compiled guest: the wasmtime engine, machine code on disk, and the `info` of the guest."""

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
from picloud.sandbox.abi import MEMORY_RESERVE, REPLY_TAKE, unpack_address

GUEST_FILE = Path(__file__).parents[1] / "assets" / "guest.wasm"

EXPORTS = (b"info", b"reserve", b"compile", b"run")

# Fuel of a guest before other tasks run: 0.3 to 0.5 ms on the measured machines.
SLICE_FUEL = 1_000_000
# Large enough for the deepest script that the ceilings allow. The rest of ASYNC_STACK is for host calls,
# which run Python on it.
WASM_STACK = 1024 * 1024
ASYNC_STACK = 2 * 1024 * 1024
KEEP_RESIDENT = 8 * 1024 * 1024
PAGE = 4096
"""Bytes of a page; guest memory is compared and copied in pages."""


class GuestInfo(Struct, frozen=True):
    """The result of the `info` export of the guest; addresses are equal in every instance.

    Attributes:
        abi: ABI version.
        interface: SHA-256 of the interface.toml it was built from, in hex.
        sdk: SDK version.
        rhai: interpreter version.
        input: (address, capacity) of the input buffer.
        reply: (address, capacity) of the reply buffer.
        oom: address of the u32 that becomes 1 when the memory could not grow.
        stop: address of the u32 that ends the script at its next operation when the host writes 1; 0 if none.
        scratch: address ranges [start, end) that are unused between calls, and not part of images.
        place: address of two u32, line and column where the interpreter panicked; 0 if the guest has none.
    """

    abi: int
    interface: str
    sdk: str
    rhai: str
    input: tuple[int, int]
    reply: tuple[int, int]
    oom: int
    scratch: tuple[tuple[int, int], ...] = ()
    stop: int = 0
    place: int = 0


_INFO = Decoder(GuestInfo)


class Engine:
    """Creates guest instances; one per process.

    Attributes:
        interface: the host interface of the guest.
        info: the `info` of the guest.
        pristine: linear memory of a new instance, to find the pages that a compile changed.
        live: its (start, end) ranges for images: all but the scratch space, in whole pages.
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
        """Load the guest; compile it first, if the machine code is not cached.

        Args:
            cache_folder: folder for the machine code; only this user can write to it.
            slots: maximum of guest instances.
            max_memory_mb: largest linear memory of a guest, in MiB.
            guest: WebAssembly file of the guest.
            interface: the expected interface; None for the packaged interface.toml.

        Raises:
            InterfaceMismatch: the guest was built with another interface.
            capi.WasmError: the guest is not valid, or has unknown imports.
        """
        self.interface = interface or Interface.load()
        wasm = guest.read_bytes()
        self.digest = hashlib.sha256(wasm).hexdigest()
        self._engine = capi.WasmEngine(slots, max_memory_mb << 20, WASM_STACK, ASYNC_STACK, KEEP_RESIDENT)
        names = [signature.name for signature in self.interface.hosts] + [REPLY_TAKE, MEMORY_RESERVE]
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
                raise InterfaceMismatch("the info of the guest does not return")
            info = _INFO.decode(guest.read(*unpack_address(guest.result())))
        except ValueError as error:
            raise InterfaceMismatch(f"invalid info of the guest: {error}") from None
        finally:
            guest.close()
        if info.abi != ABI_VERSION or info.interface != self.interface.digest:
            raise InterfaceMismatch(
                "guest.wasm was built with another interface.toml; run guest-runtime/build.sh"
            )
        return info, pristine

    def release_idle(self) -> None:
        """Give the memory that ended guests have left back to the kernel, where none used it for a while."""
        self._engine.freed.trim()

    def trim_heap(self) -> None:
        """Give free pages of the C heap back to the kernel; it can take some milliseconds."""
        capi.trim_heap()

    def close(self) -> None:
        """Free the engine. Close its guests first."""
        self.template.close()
        self._engine.close()


def _forward(guest: capi.Guest, index: int, pointer: int, length: int) -> int | None:
    """Pass a host call to the owner of the guest (`run.Run`)."""
    return guest.owner.called(index, pointer, length)  # type: ignore[no-any-return]  # owner is a run


def _live(info: GuestInfo, size: int) -> tuple[tuple[int, int], ...]:
    """Return the memory outside the unused ranges; the buffers of the guest are unused between calls too."""
    buffers = [(start, start + capacity) for start, capacity in (info.input, info.reply)]
    live, at = [], 0
    for start, end in sorted((*info.scratch, *buffers)):
        first, last = -(-start // PAGE) * PAGE, end // PAGE * PAGE
        if first < last:
            live.append((at, first))
            at = last
    return (*live, (at, size))


def _machine_code(engine: capi.WasmEngine, wasm: bytes, digest: str, folder: Path) -> Path:
    """Return the file of the compiled guest, created if missing.

    Its name depends on everything that affects the code. wasmtime runs the file as machine code, so only this
    user can write to the folder, and the file is written atomically.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = folder.stat()
    if owner.st_uid != os.geteuid() or owner.st_mode & 0o022:
        raise PermissionError(
            f"{folder} must belong to the user that runs PiCloud, and other users must not have write access"
        )
    settings = f"{capi.WASMTIME_VERSION}|{WASM_STACK}|{platform.machine()}|{_cpu_features()}"
    key = hashlib.sha256(settings.encode()).hexdigest()[:16]
    file = folder / f"guest-{digest[:16]}-{key}.cwasm"
    if not file.exists():
        artifact = engine.compile(wasm)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as temporary:
            temporary.write(artifact)
        Path(temporary.name).replace(file)
        for other in folder.glob(
            "guest-*.cwasm"
        ):  # of older versions; a running process still has its file open
            if other != file:
                other.unlink(missing_ok=True)
    return file


def _cpu_features() -> str:
    """Return a line that differs between CPUs, in case the data folder moves to another machine."""
    try:
        with Path("/proc/cpuinfo").open() as lines:
            return next((line for line in lines if line.startswith(("flags", "Features"))), "")
    except OSError:
        return platform.processor()
