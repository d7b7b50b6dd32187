"""Computes a layer's insides again for the gradient, instead of keeping them."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import keras
from keras import ops

from keras_seq.recurrent.cell import Tensor


def checkpointed(layer: keras.layers.Layer, function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """`function` with its insides computed again when the gradient is taken (Chen et al. 2016, arXiv:1604.06174).

    That is `keras.remat`; but with that a `Dropout` inside drops other elements the second time than the first, and so
    gives the gradient of another function, or under JAX none, as its seed changes where nothing may change. Here the
    seeds are drawn outside, and the random numbers are those of the first time.

    Args:
        layer: whose sublayers draw the random numbers.
        function: takes tensors and calls the layer.
    """
    generators = [part.seed_generator for part in layer._flatten_layers() if hasattr(part, "seed_generator")]

    def call(*tensors: Tensor) -> Tensor:
        seeds = [generator.next() for generator in generators]

        def compute(*inputs: Tensor) -> Tensor:
            with _given_seeds(generators, seeds):
                return function(*inputs)

        return keras.remat(compute)(*tensors)

    return call


@contextlib.contextmanager
def _given_seeds(generators: list[Any], seeds: list[Tensor]) -> Iterator[None]:
    """Within: each generator counts on from the seed given, whatever was drawn from it before."""
    for generator, seed in zip(generators, seeds, strict=True):
        generator.next = _Counting(seed)
    try:
        yield
    finally:
        for generator in generators:
            del generator.next


class _Counting:
    """Stands for `SeedGenerator.next`: seeds that differ from one call to the next, and start from the same one.

    The generator itself counts in the second number of a seed, from one training step to the next; so this counts in
    the first.
    """

    def __init__(self, seed: Tensor):
        self.seed = seed
        self.calls = 0

    def __call__(self, ordered: bool = True) -> Tensor:
        self.calls += 1
        return self.seed + ops.convert_to_tensor([self.calls, 0], self.seed.dtype)
