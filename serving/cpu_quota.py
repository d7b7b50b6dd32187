"""How many processors this process may really use."""

import os
from collections.abc import Iterator
from pathlib import Path


def cpu_quota(root: str | Path = "/") -> int:
    """Number of threads worth starting: the processors this process may run on, or fewer where a container limits it.

    `os.cpu_count()` counts the machine's processors. A container with a quota of two on a machine of 64 would start 64
    threads, use up its share at once and be put to sleep for the rest of each scheduling period.

    Args:
        root: Where `proc` and `sys` are mounted; other than `/` in tests.

    Returns:
        At least 1: the smaller of the scheduler's affinity mask and the control groups' quota (versions 1 and 2, each
        from the process's own group up to the top), rounded down.

    Example:
        >>> cpu_quota() >= 1
        True
    """
    affinity = getattr(os, "sched_getaffinity", None)  # Linux alone has it
    processors = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([processors, *(int(quota) for quota in _cgroup_quotas(Path(root)))]))


def _cgroup_quotas(root: Path) -> Iterator[float]:
    """Quotas, in processors, of the control groups this process belongs to."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:  # not Linux, or no /proc: nothing limits us that could be read
        return
    for line in groups:
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            for folder in _to_the_top(root / "sys/fs/cgroup", group):
                yield from _quota_v2(folder)
        elif "cpu" in controllers.split(","):
            for mount in (root / "sys/fs/cgroup" / controllers, root / "sys/fs/cgroup/cpu"):
                for folder in _to_the_top(mount, group):
                    yield from _quota_v1(folder)


def _to_the_top(mount: Path, group: str) -> Iterator[Path]:
    """The group's folder and those above it. In a container the group's path may be the host's and not exist here."""
    folder = mount / group.strip("/")
    yield folder
    while folder != mount:
        folder = folder.parent
        yield folder


def _read(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:  # the group sets no quota, or belongs to the host and is not visible here
        return []


def _quota_v2(folder: Path) -> Iterator[float]:
    fields = _read(folder / "cpu.max")  # "200000 100000" or "max 100000"
    if len(fields) == 2 and fields[0] != "max":
        yield int(fields[0]) / int(fields[1])


def _quota_v1(folder: Path) -> Iterator[float]:
    quota, period = _read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us")
    if quota and period and int(quota[0]) > 0:  # -1: no limit
        yield int(quota[0]) / int(period[0])
