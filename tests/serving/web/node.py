"""Runs tests in JavaScript with Node, and hands their results over to pytest."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.repository import ROOT

WEB = ROOT / "serving" / "web"
JS = Path(__file__).parent / "js"
OLDEST = 18
SECONDS = 300  # for one file of tests, on a machine that does other things


@dataclass(frozen=True)
class JsTest:
    """One test in JavaScript that has run."""

    name: str
    passed: bool
    said: str


@cache
def node() -> str:
    """Node's program. Where there is none, or the packages are not there, the tests that ask are skipped."""
    found = shutil.which("node")
    version = subprocess.run([found, "--version"], capture_output=True, text=True).stdout if found else ""
    if not found or int(version.lstrip("v").partition(".")[0]) < OLDEST:
        pytest.skip(
            f"THE JAVASCRIPT CLIENT IS NOT TESTED: there is no Node {OLDEST} or newer. Found: "
            f"{version.strip() or 'none'}. Install it with npm, for one with `apt-get install nodejs npm`."
        )
    if not (WEB / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("THE JAVASCRIPT CLIENT IS NOT TESTED: its packages are not installed. `make node` does it.")
    return found


def run_program(*arguments: str | Path, **options) -> subprocess.CompletedProcess:
    """Runs Node."""
    return subprocess.run([node(), *map(str, arguments)], capture_output=True, text=True, timeout=SECONDS, **options)


def run_tests(file: str, cases: Path | None = None, *, ort: str = "web") -> list[JsTest]:
    """Runs a file of tests.

    Args:
        file: Its name under `js/`.
        cases: The folder that `CASES` names there.
        ort: Which ONNX Runtime, `web` or `native`.
    """
    environment = {**os.environ, "CASES": str(cases), "ORT": ort, "NODE_NO_WARNINGS": "1"}
    # The quick compiler alone: the good one works on WebAssembly's 14 MB for longer than the tests take.
    done = run_program("--liftoff-only", "--test-reporter=tap", JS / file, env=environment)
    # What stands between two results is said of the second but for its own block, which is indented.
    found = re.findall(r"^(not )?ok \d+ - (.*)\n((?:  .*\n)*)", done.stdout, re.MULTILINE)
    tests = [JsTest(name, not failed, said) for failed, name, said in found]
    wanted = re.search(r"^1\.\.(\d+)$", done.stdout, re.MULTILINE)
    whole = (
        wanted is not None
        and int(wanted[1]) == len(tests) > 0
        and (done.returncode == 0) == all(test.passed for test in tests)
    )
    assert whole, f"{file} did not run to its end ({done.returncode}):\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return tests


def check(subtests, tests: Sequence[JsTest]):
    """Each of the tests as one of pytest's."""
    for test in tests:
        with subtests.test(test.name):
            assert test.passed, f"{test.name}\n{test.said}"


def write_cases(folder: Path, **cases: Any) -> Path:
    """Writes `cases.json`, which `helpers.js` reads: arrays as objects, rows of them as lists."""
    (folder / "cases.json").write_text(json.dumps(plain(cases), allow_nan=False), encoding="utf-8")
    return folder


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, np.ndarray):
        data = value.ravel().tolist()
        if value.dtype.kind == "f":  # JSON has no such numbers, and JavaScript reads these names
            names = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
            data = [names.get(str(one), one) for one in data]
        return {"dtype": str(value.dtype), "dims": list(value.shape), "data": data}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, bytes):
        return {"bytes": list(value)}
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(one) for key, one in value.items()}
    return [plain(one) for one in value] if isinstance(value, (list, tuple)) else value
