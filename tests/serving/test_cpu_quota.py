"""The number of threads: what the container allows, not what the machine has."""

import os

import pytest

from keras_seq.serving.cpu_quota import cpu_quota


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A machine of 61 processors with the given files below its root."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(61)), raising=False)

    def build(**files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return build


def test_without_control_groups_the_affinity_counts(machine):
    assert cpu_quota(machine()) == 61


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"sys/fs/cgroup/cpu.max": "300000 100000\n"}, 3),
        ({"sys/fs/cgroup/cpu.max": "350000 100000\n"}, 3),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 61),
        ({"sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 61),
        ({"sys/fs/cgroup/a/cpu.max": "700000 100000\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, 7),
        ({}, 61),
    ],
    ids=["whole", "fraction", "less than one", "no limit", "more than there are", "group above", "not visible"],
)
def test_version_2(machine, files, expected):
    assert cpu_quota(machine(**{"proc/self/cgroup": "0::/a/b\n"}, **files)) == expected


@pytest.mark.parametrize(
    ("folder", "quota", "expected"),
    [("cpu,cpuacct/job", "500000", 5), ("cpu,cpuacct", "500000", 5), ("cpu", "200000", 2), ("cpu", "-1", 61)],
)
def test_version_1(machine, folder, quota, expected):
    groups = {"proc/self/cgroup": "5:memory:/job\n4:cpu,cpuacct:/job\n"}
    limits = {"cpu.cfs_quota_us": quota, "cpu.cfs_period_us": "100000"}
    files = {f"sys/fs/cgroup/{folder}/{name}": text for name, text in limits.items()}
    assert cpu_quota(machine(**groups, **files)) == expected


def test_without_affinity_the_processors_count(machine, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 13)
    assert cpu_quota(machine()) == 13
