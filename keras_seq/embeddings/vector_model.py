"""What the models that learn word vectors have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras

from keras_seq.embeddings.counted_vocabulary import CountedVocabulary


class VectorModel(keras.Model):
    """A model that learns a vector for each word of a vocabulary, by a loss and an optimizer of its own.

    Args:
        vocabulary: the words and their counts.
        name: of the model.

    Raises:
        TypeError: for a vocabulary of another kind.
    """

    def __init__(self, vocabulary: CountedVocabulary, name: str | None = None, **kwargs: Any):
        super().__init__(name=name, **kwargs)
        if not isinstance(vocabulary, CountedVocabulary):
            raise TypeError(f"`vocabulary` must be a CountedVocabulary. Received: {type(vocabulary).__name__}")
        self.vocabulary = vocabulary
        # XLA would turn the sparse gradients of TensorFlow into whole tables.
        self.supports_jit = keras.backend.backend() != "tensorflow"
        self._own_optimizer = False
        self._compile_options: dict[str, Any] = {}

    def default_optimizer(self, steps: int) -> keras.Optimizer:
        """The optimizer for as many steps as a `fit` has, where `compile` is given none."""
        raise NotImplementedError

    def compile(self, optimizer: Any = None, **kwargs: Any) -> None:
        """Configures the training.

        Args:
            optimizer: as in Keras; `None` for the one that the class describes.
            **kwargs: as in Keras, but for `loss`, which the model has already.

        Raises:
            ValueError: for a `loss`.
        """
        if kwargs.get("loss") is not None:
            raise ValueError(
                f"{type(self).__name__} has its own loss; `compile` takes none. Received: loss={kwargs['loss']!r}"
            )
        self._own_optimizer, self._compile_options = optimizer is None, kwargs
        super().compile(optimizer=self.default_optimizer(1) if optimizer is None else optimizer, **kwargs)

    def get_compile_config(self) -> dict[str, Any]:
        """What `compile` was given."""
        config = super().get_compile_config()
        return {**config, "optimizer": None} if self._own_optimizer else config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Calls `compile` with what it was given."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit_batches(
        self, batches: Iterable[Any], epochs: int, steps: int, steps_per_execution: int = 1, **kwargs: Any
    ) -> keras.callbacks.History:
        """Learns from batches of which there is no end.

        Args:
            batches: what `call` is called on, each a tuple of arrays.
            epochs: how many epochs to make.
            steps: how many batches each has, a multiple of `steps_per_execution`.
            steps_per_execution: how many steps to make before Keras looks at the result, unless `compile` was told.
            **kwargs: as in `fit`.
        """
        if self._own_optimizer:
            super().compile(optimizer=self.default_optimizer(max(1, epochs * steps)), **self._compile_options)
        compiled_with = self.steps_per_execution
        if "steps_per_execution" not in self._compile_options:
            self.steps_per_execution, self.train_function = steps_per_execution, None
        data = ((tuple(batch),) for batch in batches)
        try:
            return super().fit(data, epochs=epochs, steps_per_epoch=steps, shuffle=False, **kwargs)
        finally:
            self.steps_per_execution = compiled_with

    def evaluate_batches(self, batches: Iterable[Any], steps: int, **kwargs: Any) -> Any:
        """The loss over batches.

        Args:
            batches: what `call` is called on, each a tuple of arrays.
            steps: how many there are.
            **kwargs: as in `evaluate`.
        """
        return super().evaluate(((tuple(batch),) for batch in batches), steps=steps, **kwargs)

    def get_config(self) -> dict[str, Any]:
        """The arguments of the constructor that all these models have."""
        vocabulary = {"words": list(self.vocabulary.words), "counts": self.vocabulary.counts.tolist()}
        return {"name": self.name, "vocabulary": vocabulary}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> VectorModel:
        """A model from the arguments of the constructor."""
        return cls(**{**config, "vocabulary": CountedVocabulary(**config["vocabulary"])})
