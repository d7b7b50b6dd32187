"""The graph `step` of a language model: what it takes of a text that goes on, and what it says."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import BundleError, InputError
from keras_seq.serving.fields import shorten
from keras_seq.serving.inputs import check_array
from keras_seq.serving.tensor_spec import TensorSpec
from keras_seq.serving.text.tokenizer import Tokenizer
from keras_seq.serving.token_choice import TokenChoice
from keras_seq.serving.token_steps import TokenSteps

STEP = "step"


class TokenGraph:
    """Knows the graph and does not run it: a `Stream` does, or many at a time.

    Args:
        bundle: A language model's, exported with `streaming=True`.

    Raises:
        BundleError: If the bundle has no such graph, or it does not take ids and give logits.
    """

    def __init__(self, bundle: Bundle):
        if STEP not in bundle.manifest.graphs:
            raise BundleError(
                f"{bundle.path} has no graph {STEP!r}, which stream() runs. Export a language model with "
                "`streaming=True` beside `generate=`; what an encoder-decoder finds comes whole, from generate()."
            )
        spec = bundle.graph(STEP)
        logits = [output for output in spec.outputs if output.dtype.startswith("float") and len(output.shape) == 3]
        if [_is_ids(tensor) for tensor in spec.inputs] != [True] or len(logits) != 1:
            takes = ", ".join(map(str, (*spec.inputs, "→", *spec.outputs)))
            raise BundleError(
                f"Graph {STEP!r} of {bundle.path} must take ids (batch, time) and give logits (batch, time, "
                f"vocabulary), as that of a language model does, for stream() to choose tokens. It has: {takes}."
            )
        self._input, self._output = spec.inputs[0], logits[0].name
        self._vocabulary = logits[0].shape[-1]
        self._limit = spec.limits.get("time")

    def steps(
        self, prompt: Sequence[int] | np.ndarray, choice: TokenChoice, tokenizer: Tokenizer | None = None
    ) -> TokenSteps:
        """What there is to run for a prompt.

        Args:
            prompt: Integers of one axis, padding behind them at most; may be empty.
            choice: How to choose, and how many tokens.
            tokenizer: Of the tokens; None where there is none.

        Raises:
            InputError: If the ids do not suit, padding stands between them, or the model has too few positions.
            BundleError: If the manifest speaks of ids that the model does not have.
        """
        largest = max(choice.start_id, choice.end_id, *choice.banned_ids)
        if isinstance(self._vocabulary, int) and largest >= self._vocabulary:
            raise BundleError(
                f"bundle.json: the ids of `decoding` must be from 0 to {self._vocabulary - 1}, those of the model. "
                f"Received: {largest}. Export the model again."
            )
        ids = np.asarray(prompt)
        if ids.ndim != 1:
            raise InputError(
                f"stream() goes on with one prompt: a text, or ids of one axis. Received: {shorten(prompt)}. Give one "
                "after the other; generate() takes several."
            )
        ids = self._check_ids(ids, choice.pad_id) if ids.size else np.zeros(0, "int32")
        if self._limit is not None and len(ids) + choice.max_length > self._limit:
            raise InputError(
                f"The model takes {self._limit} steps at most, and a prompt of {len(ids)} tokens with max_length="
                f"{choice.max_length} may come to {len(ids) + choice.max_length}. Ask for fewer with max_length, or "
                "shorten the prompt."
            )
        return TokenSteps(ids, choice, tokenizer)

    def feeds(self, chunk: np.ndarray) -> dict[str, np.ndarray]:
        """A chunk of ids, `(steps,)`, as the graph takes it."""
        return {self._input.name: chunk[np.newaxis].astype(self._input.dtype)}

    def logits(self, outputs: Mapping[str, np.ndarray]) -> np.ndarray:
        """What the graph says behind the last step of a chunk, `(vocabulary,)`, given all that it says."""
        return outputs[self._output][0, -1]

    def _check_ids(self, ids: np.ndarray, pad: int | None) -> np.ndarray:
        ids = check_array(ids[np.newaxis], self._input)[0]
        if pad is None:
            return ids
        ids = ids[: len(ids) - int((ids[::-1] != pad).argmax())] if (ids != pad).any() else ids[:0]
        if (ids == pad).any():
            raise InputError(
                f"A prompt must have no padding (id {pad}) but behind its tokens. Received: {shorten(ids.tolist())}."
            )
        return ids


def _is_ids(spec: TensorSpec) -> bool:
    return spec.dtype.startswith("int") and len(spec.shape) == 2 and "time" in spec.shape
