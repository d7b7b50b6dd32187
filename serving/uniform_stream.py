"""The random numbers of `keras_seq.decoding`, in NumPy: the same to the last bit."""

import numpy as np

_MULTIPLIERS = np.array([171, 172, 170], "int32")
_MODULI = np.array([30269, 30307, 30323], "int32")
_MIXING_ROUNDS = 5


class UniformStream:
    """The numbers that one row of a batch draws, one a step.

    Wichmann & Hill 1982, "Algorithm AS 183: An Efficient and Portable Pseudo-Random Number Generator", Applied
    Statistics 31(2). An exported decode loop draws by the same rule, so a seed gives one text wherever it runs.

    Args:
        seed: From 0 to 2^31 - 1.
        row: The row's number in the batch.

    Example:
        >>> stream = UniformStream(seed=7)
        >>> [f"{stream.next():.6f}" for _ in range(3)]
        ['0.042698', '0.014024', '0.744773']
    """

    def __init__(self, seed: int, row: int = 0):
        state = np.int32(seed) % _MODULI
        for round_number in range(_MIXING_ROUNDS):
            state = (state * state + np.int32(row % _MODULI[0] + 7 * round_number + 11)) % _MODULI
        self._state = np.maximum(state, np.int32(1))

    def next(self) -> np.float32:
        """The next number, from 0 to 1."""
        self._state = self._state * _MULTIPLIERS % _MODULI
        total = (self._state.astype("float32") / _MODULI.astype("float32")).sum(dtype="float32")
        return total - np.floor(total)
