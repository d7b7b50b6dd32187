"""The weights of an encoder-decoder, as arrays, and how large it is."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

EPSILON = 1e-5
PAD_ID, START_ID, END_ID = 0, 1, 2


@dataclass(frozen=True)
class Sizes:
    """How large the model is; its layers normalise their inputs, and their activation is the exact GELU.

    Attributes:
        num_layers: Of the encoder, and of the decoder.
        features: Of embeddings and layers.
        num_heads: Of every attention.
        feed_forward_units: Inside the two products of a layer.
        vocabulary: Of source and target.
        max_length: Positions.
    """

    num_layers: int = 4
    features: int = 256
    num_heads: int = 8
    feed_forward_units: int = 1024
    vocabulary: int = 8000
    max_length: int = 512


class Linear(NamedTuple):
    """A product with `kernel`, `(inputs, outputs)`, and a `bias`."""

    kernel: np.ndarray
    bias: np.ndarray

    @staticmethod
    def joined(*parts: "Linear") -> "Linear":
        """One product for several of one input, their outputs side by side."""
        return Linear(np.concatenate([p.kernel for p in parts], axis=1), np.concatenate([p.bias for p in parts]))


class Norm(NamedTuple):
    """A layer normalisation."""

    gamma: np.ndarray
    beta: np.ndarray


class Attention(NamedTuple):
    """The four products of an attention, all `(features, features)`; the heads lie side by side."""

    query: Linear
    key: Linear
    value: Linear
    output: Linear


class Layer(NamedTuple):
    """A block of the encoder, or of the decoder, which has a cross attention; every sublayer behind its norm."""

    attention_norm: Norm
    attention: Attention
    cross_attention_norm: Norm | None
    cross_attention: Attention | None
    feed_forward_norm: Norm
    expand: Linear
    contract: Linear


@dataclass(frozen=True)
class Weights:
    """What every way to run the model is made from.

    Attributes:
        sizes: Of the model.
        source_table: Embeddings of the source's tokens, `(vocabulary, features)`, as they are added to the positions.
        target_table: Those of the target's.
        positions: `(max_length, features)`, the sinusoids of Vaswani et al. (2017).
        encoder: Its layers.
        encoder_norm: Behind the last.
        decoder: Its layers.
        decoder_norm: Behind the last.
        output: The logits' product. Its bias lets no hypothesis end, nor padding or the start be generated.
    """

    sizes: Sizes
    source_table: np.ndarray
    target_table: np.ndarray
    positions: np.ndarray
    encoder: tuple[Layer, ...]
    encoder_norm: Norm
    decoder: tuple[Layer, ...]
    decoder_norm: Norm
    output: Linear


def random_weights(sizes: Sizes, seed: int = 0) -> Weights:
    """Weights drawn at random, of a size at which attention and output decide clearly."""
    random, features = np.random.default_rng(seed), sizes.features

    def linear(inputs: int, outputs: int, scale: float = 1.0) -> Linear:
        kernel = random.normal(scale=scale / np.sqrt(inputs), size=(inputs, outputs))
        return Linear(kernel.astype("float32"), random.normal(scale=0.05, size=outputs).astype("float32"))

    def norm() -> Norm:
        gamma, beta = random.normal(1.0, 0.1, features), random.normal(scale=0.05, size=features)
        return Norm(gamma.astype("float32"), beta.astype("float32"))

    def attention() -> Attention:
        return Attention(*(linear(features, features, scale) for scale in (1.5, 1.5, 1.0, 1.0)))

    def layer(cross: bool) -> Layer:
        return Layer(
            norm(),
            attention(),
            norm() if cross else None,
            attention() if cross else None,
            norm(),
            linear(features, sizes.feed_forward_units),
            linear(sizes.feed_forward_units, features),
        )

    def table() -> np.ndarray:
        return random.normal(size=(sizes.vocabulary, features)).astype("float32")

    output = linear(features, sizes.vocabulary, 3.0)
    output.bias[[PAD_ID, START_ID]] = -1e4
    output.bias[END_ID] = -30.0
    return Weights(
        sizes,
        table(),
        table(),
        sinusoids(sizes.max_length, features),
        tuple(layer(cross=False) for _ in range(sizes.num_layers)),
        norm(),
        tuple(layer(cross=True) for _ in range(sizes.num_layers)),
        norm(),
        output,
    )


def sinusoids(length: int, features: int) -> np.ndarray:
    """Sine in the even features, cosine in the odd ones."""
    angles = np.arange(length)[:, np.newaxis] / 10000 ** (np.arange(0, features, 2) / features)
    return np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, -1)[:, :features].astype("float32")
