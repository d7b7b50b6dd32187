"""Who may import whom. The rules are read off the sources, so that an import inside a function counts too."""

import ast
import subprocess
import sys

import pytest

from tests.repository import FOLDERS, modules

MODULES = modules()
TENSORFLOW_ALLOWED = (
    "keras_seq.text",
    "keras_seq.recurrent.kernels",
    "keras_seq.decoding.tensorflow_graph",
    "keras_seq.export",
    "keras_seq.cli",
)
LAYERS = [name for name in MODULES if not name.startswith(("keras_seq.export", "keras_seq.serving", "keras_seq.cli"))]
SERVING = [name for name in MODULES if name.startswith("keras_seq.serving")]
EXPORT = [name for name in MODULES if name.startswith("keras_seq.export")]


def within(module, packages):
    return any(module == package or module.startswith(package + ".") for package in packages)


def imports(name):
    """Full names of everything that a module imports, at its top or anywhere inside."""
    names = set()
    for node in ast.walk(ast.parse(MODULES[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("import_module", "__import__"):
            names.update(argument.value for argument in node.args if isinstance(argument, ast.Constant))
    return names


def offenders(name, forbidden):
    return sorted(imported for imported in imports(name) if within(imported, forbidden))


@pytest.mark.parametrize("name", LAYERS)
def test_layers_know_nothing_of_export_and_serving(name):
    forbidden = ("keras_seq.export", "keras_seq.serving", "keras_seq.cli", "onnx", "onnxruntime", "tf2onnx")
    assert offenders(name, forbidden) == []


@pytest.mark.parametrize("name", [name for name in MODULES if not within(name, TENSORFLOW_ALLOWED)])
def test_tensorflow_is_named_where_a_backend_is_chosen_and_nowhere_else(name):
    assert offenders(name, ("tensorflow", "tensorflow_text")) == []


@pytest.mark.parametrize("name", SERVING)
def test_serving_needs_neither_layers_nor_exporter_nor_what_they_need(name):
    forbidden = ("keras", "tensorflow", "tf2onnx", "onnx", "jax", "torch", "keras_seq.export", "keras_seq.cli")
    assert offenders(name, forbidden) == []
    ours = {imported for imported in imports(name) if within(imported, ["keras_seq"])}
    assert {imported for imported in ours if not within(imported, ["keras_seq.serving"])} == set()


@pytest.mark.parametrize("name", EXPORT)
def test_export_knows_nothing_of_the_command_line(name):
    assert offenders(name, ("keras_seq.cli",)) == []


@pytest.mark.parametrize("name", MODULES)
def test_folders_are_imported_by_their_full_name(name):
    bare = tuple(package.rpartition(".")[2] for package in FOLDERS if "." in package)
    assert offenders(name, bare) == []


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is_for(name):
    assert ast.get_docstring(ast.parse(MODULES[name].read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    "statement",
    [
        "import keras_seq, keras_seq.serving",
        "import keras_seq.serving as s; [getattr(s, name) for name in s.__all__]",
        "import keras_seq.cli",
    ],
)
def test_what_runs_on_a_small_device_loads_no_framework(statement):
    program = f"{statement}; import sys; print(*sorted(sys.modules))"
    output = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    loaded = set(output.split())
    assert "keras_seq" in loaded
    assert loaded.isdisjoint({"keras", "tensorflow", "jax", "torch", "onnx", "tf2onnx", "keras_seq.export"})
