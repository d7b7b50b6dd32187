"""What the two transformers share as Keras models: their blocks' arguments, their config."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from keras_seq.models.argument_checks import check_dropout, check_heads, check_sizes, check_start_and_end
from keras_seq.models.configured_model import ConfiguredModel
from keras_seq.recurrent.cell import Tensor


class TransformerModel(ConfiguredModel):
    """Mixin over a Keras model, with `activation` among its constructor's arguments."""

    def check_arguments(self, *sizes: str, vocabulary: str, optional: tuple[str, ...]) -> None:
        """Checks the arguments that both have.

        Args:
            *sizes: names of those that must be positive integers, beside the common ones.
            vocabulary: the name of the one that is the size of the target's vocabulary.
            optional: names of those that may be `None` instead.

        Raises:
            ValueError: names the one that is wrong.
        """
        optional = ("num_key_value_heads", *optional)
        check_sizes(self, vocabulary, *sizes, "features", "num_heads", "feed_forward_units", optional=optional)
        check_start_and_end(self, vocabulary)
        check_dropout(self)
        check_heads(self)

    def stack_arguments(self, max_length: int | None) -> dict[str, Any]:
        """Arguments of a stack of blocks.

        Args:
            max_length: how many positions it may have to learn.
        """
        names = ("num_heads", "feed_forward_units", "position", "num_key_value_heads", "activation", "norm")
        names = (*names, "norm_first", "dropout", "gradient_checkpointing")
        return {
            **{name: getattr(self, name) for name in names},
            "max_length": max_length if self.position == "learned" else None,
            "dtype": self.dtype_policy,
        }

    def token_embedding(self, vocabulary_size: int, name: str) -> keras.layers.Embedding:
        """Embeddings of variance 1 / features: of variance 1 when they are multiplied by the root of the features.

        Tied to the output they give logits of that variance from outputs that were normalised. The id 0 is padding.
        """
        return keras.layers.Embedding(
            vocabulary_size,
            self.features,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=self.features**-0.5),
            mask_zero=True,
            dtype=self.dtype_policy,
            name=name,
        )

    def tied_table(self, embedding: keras.layers.Embedding) -> Tensor | None:
        """The embeddings, where the output layer shares them."""
        return ops.convert_to_tensor(embedding.embeddings) if self.tie_output else None

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor."""
        return {**super().get_config(), "activation": self.decoder.get_config()["activation"]}
