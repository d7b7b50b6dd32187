"""One small model and its bundle for all tests, and the command line called in this process."""

import json
import os
import shutil
import sys
from collections import namedtuple
from pathlib import Path

import pytest

from keras_seq.cli.main import main
from tests.serving.toy_decoder import write_decoder

VOCABULARY, EMBEDDING, UNITS, TAGS = 23, 5, 7, 3
METADATA = {"task": "tagging", "labels": ["A", "B", "C"]}

Done = namedtuple("Done", "code out err")


def build_model(seed=0):
    import keras

    import keras_seq

    keras.utils.set_random_seed(seed)
    words = keras.Input((None,), dtype="int32", name="words")
    hidden = keras.layers.Embedding(VOCABULARY, EMBEDDING, mask_zero=True, name="embedding")(words)
    hidden = keras_seq.LSTM(UNITS, return_sequences=True, name="lstm")(hidden)
    return keras.Model(words, keras.layers.Dense(TAGS, name="tags")(hidden), name="tagger")


@pytest.fixture(scope="session")
def model_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("models") / "tagger.keras"
    build_model().save(path)
    return path


@pytest.fixture(scope="session")
def other_model_path(tmp_path_factory):
    """The same architecture with other weights."""
    path = tmp_path_factory.mktemp("models") / "other.keras"
    build_model(seed=1).save(path)
    return path


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory):
    from keras_seq.export import export_model

    path = tmp_path_factory.mktemp("bundles") / "tagger"
    export_model(build_model(), path, streaming=True, metadata=METADATA)
    return path


@pytest.fixture(scope="session")
def decoder_path(tmp_path_factory):
    """A bundle whose only graph is `generate`, made by hand."""
    return write_decoder(tmp_path_factory.mktemp("bundles") / "dates")


@pytest.fixture
def bundle_copy(bundle_path, tmp_path):
    """A bundle that a test may damage."""
    return Path(shutil.copytree(bundle_path, tmp_path / "copy"))


@pytest.fixture
def onnx_only_path(bundle_copy):
    """The bundle with `model.onnx` and nothing else to compare it with."""
    manifest = json.loads((bundle_copy / "bundle.json").read_text())
    manifest["saved_model"] = None
    del manifest["graphs"]["step"]
    manifest["files"] = {"model.onnx": manifest["files"]["model.onnx"]}
    (bundle_copy / "bundle.json").write_text(json.dumps(manifest))
    return bundle_copy


@pytest.fixture
def keras_seq_command(capsys, monkeypatch):
    """Calls `keras-seq` with arguments; gives the exit code and what went to stdout and stderr."""
    for name in ("KERAS_BACKEND", "TF_NUM_INTRAOP_THREADS", "TF_CPP_MIN_LOG_LEVEL"):  # put back after the test
        monkeypatch.setenv(name, os.environ.get(name, ""))
        if not os.environ[name]:
            monkeypatch.delenv(name)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def call(*arguments):
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture
def without_export_extra(monkeypatch):
    """As on a machine that only serves."""
    for name in ("tensorflow", "tf2onnx"):
        monkeypatch.setitem(sys.modules, name, None)
