"""The next tokens of one text, without the running: it says what to feed, and is told what came of it."""

from collections import deque

import numpy as np

from keras_seq.serving.generated_token import GeneratedToken
from keras_seq.serving.text.tokenizer import Tokenizer
from keras_seq.serving.token_choice import TokenChoice


class TokenSteps:
    """One text that goes on token by token.

    Whoever has the graph runs it, in a thread or in an event loop, one text or a thousand at a time:

    ```python
    while steps.chunk is not None:
        logits = run(steps.chunk)  # of a stream that begins with the first chunk
        print(steps.take(logits))
    ```

    Args:
        prompt: Ids, `(length,)`; may be empty.
        choice: How to choose.
        tokenizer: Of the tokens; None where there is none.
    """

    def __init__(self, prompt: np.ndarray, choice: TokenChoice, tokenizer: Tokenizer | None = None):
        self._choose = choice.chooser()
        self._end_id = choice.end_id
        self._left = choice.max_length
        self._chunk = np.array([choice.start_id, *prompt], "int32") if self._left else None
        self._ids: deque[int] = deque()
        self._pieces = None
        if tokenizer is not None:
            special = (tokenizer.pad_id, tokenizer.start_id, tokenizer.end_id)
            begun = bool(np.isin(prompt, special, invert=True).any())
            self._pieces = tokenizer.pieces(iter(self._ids.popleft, None), begun)

    @property
    def chunk(self) -> np.ndarray | None:
        """The ids to feed next, `(steps,)` int32: start token and prompt, then token by token; None at the end."""
        return self._chunk

    def take(self, logits: np.ndarray) -> GeneratedToken:
        """Choose the next token.

        Args:
            logits: What the graph says behind the last of the ids fed, `(vocabulary,)`.
        """
        token, log_prob = self._choose(logits)
        self._left -= 1
        self._chunk = np.array([token], "int32") if self._left and token != self._end_id else None
        if self._pieces is None:
            return GeneratedToken(token, log_prob)
        self._ids.append(token)
        return GeneratedToken(token, log_prob, next(self._pieces))
