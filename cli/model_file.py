"""Loads a `.keras` file, with one clear line for each way that can fail."""

import importlib
import importlib.util
import os
import re
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from keras_seq.cli.errors import CommandError, missing_extra
from keras_seq.cli.quiet import import_tensorflow

_EXPORT_PACKAGES = ("keras", "tensorflow", "onnx", "tf2onnx")
_HDF5 = b"\x89HDF\r\n\x1a\n"


def require_export_extra(what: str, backend: str | None = "tensorflow") -> None:
    """Checks that what an export needs is installed, and chooses Keras' backend.

    Args:
        what: What the command is about to do, for the message.
        backend: The backend to run Keras on, whatever the machine's settings say; None to leave them.

    Raises:
        CommandError: Packages are missing; it names them and the extra.
    """
    missing = missing_packages()
    if missing:
        raise missing_extra(what, missing)
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend


def missing_packages() -> list[str]:
    """What the extra `export` would bring and is not installed."""
    return [name for name in _EXPORT_PACKAGES if importlib.util.find_spec(name) is None]


def check_model_file(path: Path) -> None:
    """Checks that `path` looks like a model of Keras, before anything heavy is imported.

    Raises:
        CommandError: It does not exist, or is something else.
    """
    save = "Save the model with model.save('model.keras')"
    if not path.exists():
        raise CommandError(f"{path} does not exist. {save}, and give that file.")
    if path.is_dir():
        raise CommandError(f"{path} is a folder, not a model file. {save}, and give that file.")
    try:
        whole = _is_hdf5(path) or _is_keras_zip(path)
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror}.") from error
    if not whole:
        raise CommandError(f"{path} is no model file of Keras, or it is damaged. {save}, and give that file.")


def _is_hdf5(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_HDF5)) == _HDF5


def _is_keras_zip(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "config.json" in archive.namelist()
    except zipfile.BadZipFile:
        return False


def load_model(path: Path, imports: Sequence[str] = ()) -> Any:
    """Loads a model, as `keras.saving.load_model` does.

    Args:
        path: A file that `model.save` wrote.
        imports: Modules that register the model's own classes, to be imported before; they may lie in the working
            folder.

    Returns:
        The `keras.Model`.

    Raises:
        CommandError: The file is no model, a module cannot be imported, or a class is unknown.
    """
    check_model_file(path)
    import_tensorflow()
    import keras

    import keras_seq  # noqa: F401  registers its layers

    _import_modules(imports)
    try:
        return keras.saving.load_model(path)
    except Exception as error:  # Keras raises many kinds
        raise CommandError(_why_not_loaded(path, error)) from error


def _import_modules(names: Sequence[str]) -> None:
    if names and "" not in sys.path:
        sys.path.insert(0, "")  # as `python -m` has it; a script installed by pip has not
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in (name, name.partition(".")[0]):
                raise
            raise CommandError(
                f"--import {name}: there is no such module here. Give its dotted name, and run in its folder or "
                "set PYTHONPATH."
            ) from error


def _why_not_loaded(path: Path, error: Exception) -> str:
    text = str(error)
    unknown = re.search(r"(?:Could not locate (?:class|function)|Unknown (?:layer|object)):? '([^']+)'", text)
    if unknown:
        return (
            f"{path} uses {unknown[1]!r}, which Keras does not know. Give --import MODULE, the module that defines it "
            "under @keras.saving.register_keras_serializable()."
        )
    if "safe_mode" in text or "enable_unsafe_deserialization" in text:
        return (
            f"{path} holds Python code (a Lambda layer), which is not run unasked. Make it a registered layer, or load "
            "it with safe_mode=False in Python and use keras_seq.export there."
        )
    first = text.strip().splitlines()[0] if text.strip() else type(error).__name__
    return f"{path} cannot be loaded: {first[:400]}"
