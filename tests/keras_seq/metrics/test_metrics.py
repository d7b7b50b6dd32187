"""The package itself: what it loads, and what it says where something is missing."""

import subprocess
import sys

import pytest


def run(program):
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_sequences_are_judged_without_keras():
    program = (
        "import sys; from keras_seq.metrics import bleu, edit_distance, sequence_accuracy; "
        "print(edit_distance(['ab'], ['b'])[0], sequence_accuracy(['a'], ['a']), 'keras' in sys.modules)"
    )
    assert run(program).stdout.split() == ["1", "1.0", "False"]


@pytest.mark.parametrize(("name", "package"), [("bleu", "sacrebleu"), ("edit_distance", "rapidfuzz")])
def test_a_missing_package_is_named_with_the_line_that_installs_it(name, package):
    program = f"import sys; sys.modules[{package!r}] = None; from keras_seq.metrics import {name}"
    message = f"`{name}` needs {package}, which is not installed. Install it with: pip install 'keras_seq[metrics]'"
    assert message in run(program).stderr


def test_the_metric_is_known_to_keras_as_soon_as_keras_is_loaded():
    program = (
        "import keras_seq, keras; print(keras.saving.get_registered_object('keras_seq>SequenceAccuracy').__name__)"
    )
    assert run(program).stdout.split() == ["SequenceAccuracy"]
