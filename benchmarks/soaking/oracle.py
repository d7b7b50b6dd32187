"""A bundle in the process that asks: questions by chance, and the right answers to them."""

import random
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq.serving import Bundle, Generator, Predictor, Stream, TensorSpec

_MOST_STEPS = 40


class Oracle:
    """What a model answers, computed here.

    Args:
        name: Under which the server has it.
        path: The bundle.
        texts: Texts that suit its tokenizer, if it has one.
        comes_and_goes: Whether it is unloaded now and then, so that it may be missing.
    """

    def __init__(self, name: str, path: Path, texts: tuple[str, ...] = (), comes_and_goes: bool = False):
        self.name, self.texts, self.comes_and_goes = name, texts, comes_and_goes
        bundle = Bundle.load(path)
        graphs = bundle.manifest.graphs
        self.predictor = Predictor(bundle, num_threads=1) if "model" in graphs else None
        self.generator = Generator(bundle, num_threads=1) if "generate" in graphs else None
        self.stream = Stream(bundle, num_threads=1, keep_outputs=False) if "step" in graphs else None
        self.labels = bundle.manifest.labels

    def draw_inputs(self, rng: random.Random) -> dict[str, np.ndarray]:
        """A batch of one to four rows of one length, for the graph `model`."""
        rows, steps = rng.randint(1, 4), self._draw_steps(rng, "model")
        return self._draw(self.predictor.inputs, rows, steps, rng)

    def draw_chunks(self, rng: random.Random) -> list[dict[str, np.ndarray]]:
        """Chunks of one sequence, `(1, steps, ...)`, for the graph `step`."""
        steps, chunks = self._draw_steps(rng, "step"), []
        while steps:
            size = rng.randint(1, steps)
            chunks.append(self._draw(self.stream.inputs, 1, size, rng))
            steps -= size
        return chunks

    def draw_texts(self, rng: random.Random) -> list[str]:
        """One to three texts."""
        return [rng.choice(self.texts) for _ in range(rng.randint(1, 3))]

    def _draw_steps(self, rng: random.Random, graph: str) -> int:
        most = min(self._bundle_limit(graph), _MOST_STEPS)
        return min(most, 1 + int(rng.expovariate(1 / 10)))

    def _bundle_limit(self, graph: str) -> int:
        spec = self.stream.spec if graph == "step" else self.predictor.bundle.graph(graph)
        return spec.limits.get("time", _MOST_STEPS)

    @staticmethod
    def _draw(specs: tuple[TensorSpec, ...], rows: int, steps: int, rng: random.Random) -> dict[str, np.ndarray]:
        made, numpy_rng = {}, np.random.default_rng(rng.getrandbits(32))
        for spec in specs:
            shape = (rows, steps, *spec.shape[2:])
            if spec.maximum is not None:
                made[spec.name] = numpy_rng.integers(1, spec.maximum + 1, shape).astype(spec.dtype)
            else:
                made[spec.name] = numpy_rng.normal(size=shape).astype(spec.dtype)
        return made


def differences(found: dict[str, Any], expected: dict[str, Any], tolerance: float) -> str:
    """What is wrong with an answer, in words; empty if nothing is.

    Args:
        found: Output name to array or nested lists.
        expected: Likewise.
        tolerance: Absolute, and relative to values above 1.

    Example:
        >>> differences({"y": [1.0, 2.0]}, {"y": np.array([1.0, 2.5])}, 1e-6)
        'y differs by 0.5'
    """
    if found.keys() != expected.keys():
        return f"outputs {sorted(found)}, not {sorted(expected)}"
    for name, right in expected.items():
        array, right = np.asarray(found[name]), np.asarray(right)
        if array.shape != right.shape:
            return f"{name} has shape {array.shape}, not {right.shape}"
        if right.dtype.kind == "f":
            difference = np.abs(array - right)
            if not (difference <= tolerance * np.maximum(1, np.abs(right))).all():
                return f"{name} differs by {difference.max():.3g}"
        elif not np.array_equal(array, right):
            return f"{name} is not the same"
    return ""
