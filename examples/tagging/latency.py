"""Times the bundle against Keras and against Keras' own ONNX export, in one process and one run."""

from __future__ import annotations

import itertools
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import tensorflow as tf

import keras_seq
from keras_seq.serving import Predictor
from tagging.features import Features, pad
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


def measure(
    model: keras.Model, bundle: Path, batches: Sequence[Inputs], seconds: float = 0.6, rounds: int = 3
) -> list[Latency]:
    """Times each way to run the model on each batch.

    Args:
        model: The trained tagger.
        bundle: What `export_model` wrote of it.
        batches: The inputs, one dict a batch size.
        seconds: How long to call each way in each round.
        rounds: How many rounds. Each way's calls come in one block, after a pause, so that the threads of one runtime,
            which spin a little after each call, take no core from the next.

    Returns:
        The bundle first, then Keras' own ONNX export, then Keras.
    """
    predictor, session = Predictor(bundle), export_with_keras(model)
    names = [entry.name for entry in session.get_inputs()]
    ways: dict[str, Callable[[Inputs], np.ndarray]] = {
        "this bundle": lambda inputs: predictor.predict(inputs)["tags"],
        "Keras' own ONNX export": lambda inputs: session.run(None, {name: inputs[name] for name in names})[0],
        "Keras, tf.function": tf.function(model, reduce_retracing=True),
        "Keras, predict_on_batch": model.predict_on_batch,
    }
    times: dict[str, list[list[float]]] = {name: [[] for _ in batches] for name in ways}
    for _ in range(rounds):
        for name, run in ways.items():
            time.sleep(0.15)
            for inputs, taken in zip(batches, times[name], strict=True):
                taken += _calls(run, inputs, seconds / len(batches))
    expected = [model.predict_on_batch(inputs) for inputs in batches]
    return [
        Latency(
            name,
            [1000 * statistics.median(taken) for taken in times[name]],
            max(float(abs(np.asarray(run(i)) - e).max()) for i, e in zip(batches, expected, strict=True)),
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
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras asks NumPy for a name that NumPy warns about
        path = str(Path(folder) / "keras.onnx")
        with keras_seq.portable_kernels():  # tf2onnx cannot convert the fast training loops
            model.export(path, format="onnx", verbose=False)
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def typical_batch(features: Features, sentences: Sequence[Sentence], batch_size: int, length: int) -> Inputs:
    """Makes a batch of real words for timing, every row full.

    Args:
        features: The vocabularies.
        sentences: Where to take the words from.
        batch_size: The number of rows.
        length: The words in each.

    Returns:
        The model's inputs.
    """
    words = itertools.cycle(word for sentence in sentences for word in sentence.words)
    rows = [list(itertools.islice(words, length)) for _ in range(batch_size)]
    ids, characters = zip(*(features.encode(row) for row in rows), strict=True)
    return {"words": pad(ids), "characters": pad(characters)}


def _calls(run: Callable[[Inputs], object], inputs: Inputs, seconds: float) -> list[float]:
    for _ in range(3):
        run(inputs)
    taken: list[float] = []
    while sum(taken) < seconds:
        start = time.perf_counter()
        np.asarray(run(inputs))
        taken.append(time.perf_counter() - start)
    return taken
