"""Times the bundle against Keras and against Keras' own ONNX export, in one process and one run."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import tensorflow as tf

from keras_seq.cli.timing import measure as time_calls
from keras_seq.serving import Predictor
from tagging.features import Features
from tagging.sentence import Sentence

Inputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class Latency:
    """One way to run the model.

    Args:
        name: What it is called.
        milliseconds: The median of a call for each batch, in order.
        difference: The largest absolute difference of any probability to Keras'.
    """

    name: str
    milliseconds: list[float]
    difference: float


def measure(model: keras.Model, bundle: Path, batches: Sequence[Inputs], rounds: int = 3) -> list[Latency]:
    """Times each way to run the model on each batch.

    Args:
        model: The trained tagger.
        bundle: What `export_model` wrote of it.
        batches: The inputs, one dict a batch size.
        rounds: How many blocks of calls each way gets on each batch.

    Returns:
        The bundle first, then Keras' own ONNX export, then Keras.
    """
    predictor, session = Predictor(bundle), export_with_keras(model)
    names = [entry.name for entry in session.get_inputs()]
    compiled = tf.function(model, reduce_retracing=True)
    ways: dict[str, Callable[[Inputs], np.ndarray]] = {
        "this bundle": lambda inputs: predictor.predict(inputs)["tags"],
        "Keras' own ONNX export": lambda inputs: session.run(None, {name: inputs[name] for name in names})[0],
        "Keras, tf.function": lambda inputs: compiled(inputs).numpy(),
        "Keras, predict_on_batch": model.predict_on_batch,
    }
    timings = [time_calls({n: partial(run, inputs) for n, run in ways.items()}, rounds=rounds) for inputs in batches]
    expected = [model.predict_on_batch(inputs) for inputs in batches]
    return [
        Latency(
            name,
            [1000 * timing[name].median_seconds for timing in timings],
            max(float(abs(run(i) - e).max()) for i, e in zip(batches, expected, strict=True)),
        )
        for name, run in ways.items()
    ]


def export_with_keras(model: keras.Model) -> onnxruntime.InferenceSession:
    """Exports a model as Keras does by itself, and loads that in ONNX Runtime.

    Args:
        model: The trained tagger.

    Returns:
        The session.
    """
    logger = tf.get_logger()
    level = logger.level
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks NumPy for a name that NumPy warns about
        logger.setLevel("ERROR")  # TensorFlow tries to write down the tables of all tokenizers, which nobody asked for
        path = str(Path(folder) / "keras.onnx")
        try:
            model.export(path, format="onnx", verbose=False)
        finally:
            logger.setLevel(level)
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def typical_batch(features: Features, sentences: Sequence[Sentence], batch_size: int, length: int) -> Inputs:
    """Makes a batch of real words for timing, every row full.

    Args:
        features: What the model is given.
        sentences: Where to take the words from.
        batch_size: The number of rows.
        length: The pieces of words in each.

    Returns:
        The model's inputs.
    """
    words = itertools.cycle(word for sentence in sentences for word in sentence.words)
    encoded = features.encode(list(itertools.islice(words, batch_size * length)))  # at least as many pieces
    inputs = {"words": encoded.words, "characters": encoded.characters}
    return {
        name: ids[: batch_size * length].reshape(batch_size, length, *ids.shape[1:]) for name, ids in inputs.items()
    }
