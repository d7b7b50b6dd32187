"""What this machine's processor multiplies 8-bit integers with."""

from __future__ import annotations

import platform
from pathlib import Path

__all__ = ["instruction_set"]

_CPUINFO = Path("/proc/cpuinfo")
_BEST_FIRST = (
    ("amx_int8", "AMX"),
    ("avx512_vnni", "AVX-512 VNNI"),
    ("avx_vnni", "AVX VNNI"),
    ("avx512bw", "AVX-512 without VNNI"),
    ("avx2", "AVX2 without VNNI"),
    ("i8mm", "Arm I8MM"),
    ("asimddp", "Arm dot products"),
)


def instruction_set(cpuinfo: Path = _CPUINFO) -> str:
    """The best instructions for products of 8-bit integers that the processor has, by name.

    Args:
        cpuinfo: Where Linux tells it; elsewhere it is not told.

    Returns:
        Such as `"AVX-512 VNNI"`, or the machine's architecture where nothing more is known.
    """
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    flags = {
        flag for line in lines if line.lower().startswith(("flags", "features")) for flag in line.split(":")[-1].split()
    }
    found = [name for flag, name in _BEST_FIRST if flag in flags]
    return found[0] if found else f"{platform.machine()}, instructions unknown"
