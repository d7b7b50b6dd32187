"""Processor time and memory of a process and all it started, from /proc."""

import os
from collections import defaultdict
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the name, from the state on; None where the process has gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):  # it ended between two looks
        return None


def family(pid: int) -> list[int]:
    """The process and everything below it that is alive."""
    children = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            children[int(stat[1])].append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children[parent]
    return found


def cpu_seconds(pids: list[int]) -> float:
    """User and system time that the processes, and those of their children that have ended, used so far."""
    stats = [stat for pid in pids if (stat := _stat(pid))]
    return sum(int(value) for stat in stats for value in stat[11:15]) / _TICKS


def resident_mb(pids: list[int]) -> float:
    """Megabytes (10^6 bytes) resident, pages that processes share counted once for each."""
    stats = [stat for pid in pids if (stat := _stat(pid))]
    return sum(int(stat[21]) for stat in stats) * _PAGE / 1e6
