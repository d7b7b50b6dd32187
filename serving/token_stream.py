"""Goes on with a prompt token by token, on the graph `step` of a language model."""

from collections.abc import Iterator, Sequence

import numpy as np

from keras_seq.serving.bundle import Bundle
from keras_seq.serving.errors import BundleError, InputError
from keras_seq.serving.fields import shorten
from keras_seq.serving.generated_token import GeneratedToken
from keras_seq.serving.inputs import check_array
from keras_seq.serving.stream import Stream
from keras_seq.serving.tensor_spec import TensorSpec
from keras_seq.serving.token_choice import TokenChoice

STEP = "step"


class TokenStreams:
    """What all texts that are generated at a time share: the graph in memory.

    Any number of threads may use it.

    Args:
        bundle: A language model's, exported with `streaming=True`.
        **settings: `num_threads` and `providers`, as in `Stream`.

    Raises:
        BundleError: If the bundle has no such graph, or it does not take ids and give logits.
    """

    def __init__(self, bundle: Bundle, **settings):
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
        self._stream = Stream(bundle, graph=STEP, keep_outputs=False, **settings)

    def check_prompt(self, prompt: Sequence[int] | np.ndarray, choice: TokenChoice) -> np.ndarray:
        """The ids of a prompt, `(length,)` int32, without padding behind them.

        Args:
            prompt: Integers of one axis; may be empty.
            choice: How many tokens there will be.

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
        return ids

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

    def run(self, prompt: np.ndarray, choice: TokenChoice) -> Iterator[GeneratedToken]:
        """Goes on with a prompt. Nothing is computed beyond what is asked for.

        Args:
            prompt: What `check_prompt` gave.
            choice: How to choose.

        Yields:
            The tokens, the end token included.

        Raises:
            ServingError: If the graph has been closed meanwhile, or ONNX Runtime fails.
        """
        stream, choose = self._stream.new(), choice.chooser()
        chunk = [choice.start_id, *prompt]
        for _ in range(choice.max_length):
            logits = stream.feed({self._input.name: np.array([chunk], self._input.dtype)})[self._output]
            token, log_prob = choose(logits[0, -1])
            yield GeneratedToken(token, log_prob)
            if token == choice.end_id:
                return
            chunk = [token]

    def close(self):
        """Free the graph and its threads."""
        self._stream.close()


def _is_ids(spec: TensorSpec) -> bool:
    return spec.dtype.startswith("int") and len(spec.shape) == 2 and "time" in spec.shape
