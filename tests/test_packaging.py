"""The wheel has everything, under the right names, and its base installation serves without Keras and TensorFlow."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.repository import FOLDERS, PACKAGES, ROOT, modules

NO_INDEX = re.compile(
    r"No matching distribution found for (?!keras.seq)|Could not find a version|ConnectionError|Temporary failure"
)


def run(*command, **options):
    """Runs a program outside the repository's folder, where the sources could be taken for the installed packages."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(command, capture_output=True, text=True, env=environment, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built from a copy: setuptools leaves folders beside the sources."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for folder in FOLDERS.values():
        shutil.copytree(folder, copy / folder.name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(out),
        str(copy),
    ]
    built = run(*pip, cwd=copy)
    assert built.returncode == 0, built.stderr
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def small_device(wheel, tmp_path_factory) -> Path:
    """The Python of a clean environment with the wheel and its base dependencies, and nothing else."""
    folder = tmp_path_factory.mktemp("device")
    assert run(sys.executable, "-m", "venv", str(folder)).returncode == 0
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    installed = run(str(python), "-m", "pip", "install", "--quiet", "--retries", "1", str(wheel), cwd=folder)
    if installed.returncode and NO_INDEX.search(installed.stderr):
        pytest.skip(f"the base dependencies cannot be installed, no package index answers: {installed.stderr[-300:]}")
    assert installed.returncode == 0, installed.stderr
    return python


def test_setup_cfg_lists_every_package():
    assert sorted(PACKAGES) == sorted(name for name, path in modules().items() if path.name == "__init__.py")


def test_every_folder_with_sources_is_a_package():
    folders = {path.parent for path in modules().values()}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_requirements_of_the_base_are_the_runtime_alone():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.match(r"\w+", requirement).group() for requirement in project["dependencies"]]
    assert sorted(names) == ["lazy_loader", "numpy", "onnxruntime"]


def test_wheel_holds_every_module_and_no_stray_top_level_name(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    expected = {
        name.replace(".", "/") + ("/__init__.py" if path.name == "__init__.py" else ".py")
        for name, path in modules().items()
    }
    assert expected - files == set()
    assert {file.split("/")[0] for file in files if ".dist-info/" not in file} == {"keras_seq"}
    assert any(file.endswith("licenses/LICENSE") for file in files)


def test_wheel_holds_what_browsers_run(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = set(archive.namelist())
    serving = FOLDERS["keras_seq.serving"]
    web = serving / "web"
    wanted = [path for folder in ("page", "server/page", "site/page") for path in (serving / folder).iterdir()]
    wanted += [web / "index.js", web / "package.json", web / "package-lock.json", *(web / "src").rglob("*.js")]
    assert {f"keras_seq/serving/{path.relative_to(serving).as_posix()}" for path in wanted} - files == set()
    assert not any("node_modules" in file for file in files)


def test_every_module_of_the_wheel_can_be_imported(wheel, tmp_path):
    """From the wheel's own files, with the packages of this environment beside them."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    # The entry point's module exits when it is run, so `__main__` is left out.
    names = [name for name in modules() if not name.endswith("__main__")]
    program = f"""
import sys
sys.path.insert(0, {str(tmp_path)!r})
import importlib
for name in {names!r}:
    module = importlib.import_module(name)
    assert module.__file__.startswith({str(tmp_path)!r}), module.__file__
"""
    result = run(sys.executable, "-c", program, cwd=tmp_path)
    assert result.returncode == 0, result.stderr


def test_base_installation_imports_all_four_names_and_no_framework(small_device, tmp_path):
    program = "import keras_seq, keras_seq.export, keras_seq.serving, keras_seq.cli; keras_seq.serving.Predictor"
    result = run(str(small_device), "-W", "error", "-c", program, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    frameworks = run(str(small_device), "-c", "import keras", cwd=tmp_path)
    assert "No module named 'keras'" in frameworks.stderr


@pytest.mark.parametrize(
    ("use", "extra"),
    [("from keras_seq.export import export_model", "export"), ("import keras_seq; keras_seq.LSTM", "train")],
)
def test_what_is_missing_from_the_base_names_its_extra(small_device, tmp_path, use, extra):
    result = run(str(small_device), "-c", use, cwd=tmp_path)
    assert result.returncode != 0
    assert f"pip install 'keras_seq[{extra}]'" in result.stderr


def test_command_without_its_extra_says_what_to_install(small_device, tmp_path):
    result = run(str(small_device.with_name("keras-seq")), "--help", cwd=tmp_path)
    assert result.returncode == 2
    assert "pip install 'keras_seq[cli]'" in result.stderr
    assert "Traceback" not in result.stderr
