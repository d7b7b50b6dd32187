"""What any model is asked that writes a target for a source."""

from __future__ import annotations

import keras
from keras import ops

from keras_seq.models import input_checks
from keras_seq.models.generating_model import GeneratingModel
from keras_seq.models.teacher_forcing import one_step_late, target_log_probs
from keras_seq.recurrent.cell import Tensor


class EncoderDecoderModel(GeneratingModel):
    """Mixin over a Keras model that is called on `(source, target_in)`.

    Beside what `GeneratingModel` asks for it has `source_vocabulary_size` and `max_source_length`.
    """

    max_target_length: int | None = None
    """The longest target; `None` for any length."""

    def log_prob(self, source: Tensor, target: Tensor, per_token: bool = False) -> Tensor:
        """The log-probability of targets, log P(y|x), by teacher forcing.

        It is the distribution that `generate` searches, in which padding has no probability.

        Args:
            source: ids `(batch, time)`, or features.
            target: ids `(batch, target time)`, the end token included, padding behind it. Without an end token the
                result is the probability that a target begins so.
            per_token: whether to return the logarithms of each token, 0 at the padding, instead of their sum.

        Returns:
            `(batch,)` float32, or `(batch, target time)`.
        """
        self.check_target(target)
        input_checks.check_padding_last("target", target)
        source, target = self._checked_source(source), ops.convert_to_tensor(target, dtype="int32")
        input_checks.check_same_batch(source=source, target=target)
        logits = self((source, one_step_late(target, self.start_id)), training=False)
        return target_log_probs(logits, target, per_token)

    def check_source(self, source: Tensor) -> None:
        """Checks sources as far as they are known.

        Raises:
            ValueError: for ids outside the vocabulary, a source that is too long, or another number of axes.
        """
        input_checks.check_rank("source", source, "batch, time")
        input_checks.check_ids("source", source, self.source_vocabulary_size)
        input_checks.check_length("source", source, self.max_source_length)

    def check_target(self, target: Tensor) -> None:
        """Checks targets as far as they are known.

        Raises:
            ValueError: for ids outside the vocabulary, a target that is too long, or another number of axes.
        """
        input_checks.check_rank("target", target, "batch, target time")
        input_checks.check_ids("target", target, self.vocabulary_size)
        input_checks.check_length("target", target, self.max_target_length)

    def _checked_source(self, source: Tensor) -> Tensor:
        """Sources as a tensor, when they have been checked; makes the weights if there are none yet."""
        if not hasattr(source, "shape"):
            source = ops.convert_to_tensor(source)
        if not self.built:
            self.build([tuple(source.shape), (None, None)])
        self.check_source(source)
        return ops.convert_to_tensor(source, dtype=self.decoding_specs.dtype)

    @property
    def input_specs(self) -> tuple[keras.InputSpec, keras.InputSpec]:
        """What `call` takes, the source and the target, with names, shapes and dtypes."""
        return self.decoding_specs, keras.InputSpec(shape=(None, None), dtype="int32", name="target")

    @property
    def decoding_specs(self) -> keras.InputSpec:
        """What `start_decoding` takes: the source."""
        return keras.InputSpec(shape=(None, None), dtype="int32", name="source")

    @property
    def vocabulary_sizes(self) -> dict[str, int]:
        """How many ids there are for each input that consists of ids, by name."""
        sizes = {"source": self.source_vocabulary_size, "target": self.vocabulary_size}
        return {name: size for name, size in sizes.items() if size is not None}

    @property
    def axis_names(self) -> dict[str, dict[int, str]]:
        """The names of the dynamic axes that are not called `batch` and `time`, by input."""
        return {"target": {1: "target"}}

    @property
    def size_limits(self) -> dict[str, int]:
        """The largest sizes of dynamic axes, by the axis' name."""
        limits = {"time": self.max_source_length, "target": self.max_target_length}
        return {name: size for name, size in limits.items() if size is not None}
