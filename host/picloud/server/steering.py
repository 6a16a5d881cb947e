"""Steers new connections away from workers that cannot accept them.

Each worker has a listening socket of its own on the same port, and the kernel chooses one by a hash of the
addresses. While a worker does not respond or restarts, a filter chooses among the others. What waits in the
socket of the worker stays there for its successor.

Linux: SO_ATTACH_REUSEPORT_CBPF in socket(7), https://docs.kernel.org/networking/filter.html
"""

from __future__ import annotations

import ctypes
import logging
import socket
import struct
import sys
from collections.abc import Sequence

_log = logging.getLogger(__name__)

_SO_ATTACH_REUSEPORT_CBPF, _SO_DETACH_REUSEPORT_BPF = 51, 68  # asm-generic/socket.h
# linux/bpf_common.h and linux/filter.h
_LOAD_WORD, _MODULO, _JUMP_EQUAL, _RETURN = 0x20, 0x94, 0x15, 0x06
_RANDOM = (-0x1000 + 56) & 0xFFFF_FFFF
_INSTRUCTION = struct.Struct("=HBBI")


class Steering:
    """The sockets of one port."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        """Create it. Args: sockets: one per worker, in the order in which they began to listen."""
        self._sockets = sockets
        self._filtered = False

    def only(self, slots: Sequence[int]) -> None:
        """Give new connections to some workers only.

        Args:
            slots: the workers; all or none of them stands for no filter.
        """
        if sys.platform != "linux" or len(self._sockets) < 2:
            return  # all accept from one socket
        wanted = 0 < len(slots) < len(self._sockets)
        try:
            if wanted:
                self._attach(_filter(slots))
            elif self._filtered:
                self._sockets[0].setsockopt(socket.SOL_SOCKET, _SO_DETACH_REUSEPORT_BPF, 0)
            self._filtered = wanted
        except OSError as error:  # then connections wait until the worker was replaced
            _log.warning("new connections cannot be kept from a worker: %s", error.strerror)

    def _attach(self, code: bytes) -> None:
        buffer = ctypes.create_string_buffer(code, len(code))
        program = struct.pack("HP", len(code) // _INSTRUCTION.size, ctypes.addressof(buffer))
        self._sockets[0].setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, program)


def _filter(slots: Sequence[int]) -> bytes:
    """Return a program that chooses one of the slots at random."""
    code = [(_LOAD_WORD, 0, 0, _RANDOM), (_MODULO, 0, 0, len(slots))]
    for number, slot in enumerate(slots):
        code += [(_JUMP_EQUAL, 0, 1, number), (_RETURN, 0, 0, slot)]
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in [*code, (_RETURN, 0, 0, slots[0])])
