"""How the layers become known to Keras, each case in an interpreter of its own."""

import os
import subprocess
import sys

import pytest

LAYERS_ARE_KNOWN = """
import keras
for name in ("LSTM", "GRUCell", "StackedRNN", "Bidirectional", "Seq2Seq", "SequenceCrossentropy", "SequenceAccuracy"):
    assert keras.saving.get_registered_object(f"keras_seq>{name}").__name__ == name
assert keras.__loader__ is keras.__spec__.loader
assert "keras_seq" not in type(keras.__loader__).__module__
assert not [finder for finder in sys.meta_path if "keras_seq" in type(finder).__module__]
"""


def run(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", "import sys\n" + code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("imports", "environment"),
    [
        ("import keras_seq\nassert 'keras' not in sys.modules", {}),
        ("import keras_seq\nkeras_seq.BeamSearch", {}),
        # The order is the same under every backend, and this one is loaded in a third of TensorFlow's time.
        ("import keras\nimport keras_seq", {"KERAS_BACKEND": "numpy"}),
        ("from keras_seq.recurrent import lstm", {"KERAS_BACKEND": "numpy"}),
        ("import keras_seq\nkeras_seq.GRU", {"KERAS_BACKEND": "numpy"}),
    ],
)
def test_keras_knows_every_layer_whichever_is_imported_first(imports, environment):
    run(imports + LAYERS_ARE_KNOWN, **environment)


def test_a_keras_that_cannot_be_imported_says_why_and_may_be_tried_again():
    run(
        """
import keras_seq, os
os.environ["KERAS_BACKEND"] = "abacus"
for _ in range(2):
    try:
        import keras
    except ValueError as error:
        assert "abacus" in str(error)
    else:
        raise AssertionError
"""
    )
