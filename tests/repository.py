"""What the tests of the whole repository need to know: where its sources lie, and their import names."""

import configparser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_options = configparser.ConfigParser()
_options.read(ROOT / "setup.cfg", encoding="utf-8")
_lines = _options["options"]["package_dir"].strip().splitlines()

PACKAGES = _options["options"]["packages"].split()
"""The packages that setup.cfg lists."""

FOLDERS = {name.strip(): ROOT / folder.strip() for name, folder in (line.split("=") for line in _lines)}
"""Import name to folder, for each folder at the top level."""


def modules() -> dict[str, Path]:
    """Import name to file of every source file under `FOLDERS`, whether setup.cfg lists its package or not."""
    found = {}
    for package, folder in FOLDERS.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            found[".".join([package, *parts])] = path
    return found
