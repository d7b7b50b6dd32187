"""What only a fresh interpreter shows: what a command imports, and what it says where an extra is missing."""

import json
import subprocess
import sys

import pytest

FORBIDDEN = ("keras", "tensorflow", "jax", "torch", "onnx", "tf2onnx", "keras_seq.recurrent")


def _python(*arguments, stdin=""):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("blocked", ["typer", "rich"])
def test_without_the_extra_one_line_says_what_to_install(blocked):
    code = (
        f"import sys; sys.modules[{blocked!r}] = None; from keras_seq.cli.main import main; sys.exit(main(['--help']))"
    )
    done = _python("-c", code)
    assert done.returncode == 2
    assert done.stdout == ""
    expected = f"keras-seq: the command line needs {blocked}, which is not installed: pip install 'keras_seq[cli]'\n"
    assert done.stderr == expected


@pytest.mark.parametrize("arguments", [["inspect"], ["predict", "--json"], ["verify", "--files-only", "--json"]])
def test_serving_commands_load_neither_keras_nor_tensorflow(bundle_path, arguments):
    code = """
import sys
from keras_seq.cli.main import main
code = main(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""
    done = _python("-c", code, *arguments, bundle_path, stdin='{"words": [[4, 8]]}')
    assert done.returncode == 0, done.stderr
    assert [name for name in FORBIDDEN if name in done.stderr.split()] == []


def test_the_module_runs_as_the_command_does(bundle_path):
    done = _python("-m", "keras_seq.cli", "inspect", bundle_path, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["name"] == "tagger"


def test_explain_is_silent_about_tensorflow_and_prints_pure_json(model_path):
    done = _python("-m", "keras_seq.cli", "explain", model_path, "--json")
    assert done.stderr == f"loading {model_path}\n"
    assert json.loads(done.stdout)["model"] == "tagger"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="SIGPIPE semantics of Linux")
def test_a_reader_that_leaves_early_is_no_failed_check(bundle_path):
    script = f"{sys.executable} -m keras_seq.cli inspect {bundle_path} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.strip() in ("141", "0")  # 0 where all was written before the reader left
    assert done.stderr == ""
