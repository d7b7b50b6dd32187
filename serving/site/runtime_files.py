"""Where onnxruntime-web comes from: a folder, the checkout, a cache, or npm."""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from keras_seq.serving.errors import ServingError, listed
from keras_seq.serving.whole_folder import whole_folder

PACKAGE = "onnxruntime-web"
WASM = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
"""What runs in WebAssembly, with one thread or several; the first file is the one to import."""
WEBGPU = ("ort.webgpu.min.mjs", "ort-wasm-simd-threaded.asyncify.mjs", "ort-wasm-simd-threaded.asyncify.wasm")
"""What runs on a graphics processor besides."""

_NPM_SECONDS = 300


@dataclass(frozen=True)
class RuntimeFiles:
    """The files of onnxruntime-web.

    Attributes:
        folder: The folder `dist` of the package, or one that holds the same files.
        version: Its version; empty where the folder does not say.
    """

    folder: Path
    version: str

    @classmethod
    def find(
        cls, folder: str | Path | None = None, *, webgpu: bool = False, say: Callable[[str], None] = lambda line: None
    ) -> "RuntimeFiles":
        """The files in `folder`; without one those of the checkout, those that were fetched before, or fetched now.

        Args:
            folder: The package, or its folder `dist`.
            webgpu: Whether the files for graphics processors are wanted too.
            say: Told of what takes time.

        Raises:
            ServingError: If they are not there, or cannot be fetched.
        """
        wanted = (*WASM, *(WEBGPU if webgpu else ()))
        if folder is not None:
            return cls._in(Path(folder), wanted)
        version, integrity = _pinned()
        installed = Path(str(_web())) / "node_modules" / PACKAGE
        if _version(installed) == version:
            return cls._in(installed, wanted)
        cached = _cache() / f"{PACKAGE}-{version}"
        if not cached.is_dir():
            say(f"fetching {PACKAGE} {version}")
            _fetch(version, integrity, cached)
        return cls._in(cached, wanted)

    @classmethod
    def _in(cls, folder: Path, wanted: tuple[str, ...]) -> "RuntimeFiles":
        dist = folder / "dist" if (folder / "dist").is_dir() else folder
        missing = [name for name in wanted if not (dist / name).is_file()]
        if missing:
            raise ServingError(
                f"{folder} does not hold {PACKAGE}: there is no {listed(missing)}. Expected the npm package, or its "
                "folder `dist`."
            )
        return cls(dist, _version(folder) or _version(folder.parent) or "")


def _web():
    return resources.files("keras_seq.serving") / "web"


def _pinned() -> tuple[str, str]:
    """The version that the JavaScript client was tested with, and the digest of its package."""
    lock = json.loads((_web() / "package-lock.json").read_text(encoding="utf-8"))
    entry = lock["packages"][f"node_modules/{PACKAGE}"]
    return entry["version"], entry["integrity"]


def _version(package: Path) -> str | None:
    try:
        found = json.loads((package / "package.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found.get("version") if found.get("name") == PACKAGE else None


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "keras_seq"


def _fetch(version: str, integrity: str, to: Path):
    npm = shutil.which("npm")
    by_hand = (
        f"Or get the package by other means (`npm pack {PACKAGE}@{version}` where there is npm), unpack it, and name "
        "its folder: --onnxruntime-web FOLDER."
    )
    if npm is None:
        raise ServingError(
            f"the page needs {PACKAGE} {version}, 14 MB that are no part of keras_seq, and there is no npm here to "
            f"fetch it with. Install Node.js, which brings npm. {by_hand}"
        )
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", f"{PACKAGE}@{version}", "--ignore-scripts", "--silent", "--pack-destination", folder]
        try:
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=_NPM_SECONDS, stdin=subprocess.DEVNULL
            )
        except subprocess.TimeoutExpired:
            raise ServingError(f"npm did not fetch {PACKAGE} {version} within {_NPM_SECONDS} s. {by_hand}") from None
        packed = sorted(Path(folder).glob("*.tgz"))
        if done.returncode or not packed:
            said = (done.stderr or done.stdout).strip()[-300:] or f"exit code {done.returncode}"
            raise ServingError(f"npm could not fetch {PACKAGE} {version}: {said}. Try again later. {by_hand}")
        _check(packed[0], integrity, version)
        with (
            whole_folder(to, mark="package.json", what="cache", overwrite=True) as unpacked,
            tarfile.open(packed[0]) as archive,
        ):
            for name in ("package.json", *(f"dist/{name}" for name in (*WASM, *WEBGPU))):
                (unpacked / name).parent.mkdir(exist_ok=True)
                content = archive.extractfile(f"package/{name}")
                (unpacked / name).write_bytes(content.read())


def _check(path: Path, integrity: str, version: str):
    kind, _, expected = integrity.partition("-")
    received = base64.b64encode(hashlib.new(kind, path.read_bytes()).digest()).decode()
    if received != expected:
        raise ServingError(
            f"what npm gave for {PACKAGE} {version} is another package than the one that keras_seq was tested with: "
            f"expected {kind} {expected}, received {received}. See which registry npm asks."
        )
