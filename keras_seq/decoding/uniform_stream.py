"""Random numbers that are the same on every backend and runtime."""

from keras import ops

from keras_seq.recurrent.cell import Tensor

_MULTIPLIERS = (171, 172, 170)
_MODULI = (30269, 30307, 30323)
_MIXING_ROUNDS = 5


def seed_rows(seed: int | Tensor, rows: Tensor) -> Tensor:
    """The generator's state for each row: any seed and row start elsewhere.

    Args:
        seed: a number or a scalar integer, at least 0.
        rows: `(rows,)` int32, the numbers of the rows.

    Returns:
        `(rows, 3)` int32.
    """
    moduli = ops.convert_to_tensor(_MODULI, "int32")
    state = ops.mod(ops.cast(seed, "int32"), moduli)[None, :]
    # Neighbours are driven apart by squaring, which no linear rule undoes. All products stay below 2^31.
    for round_number in range(_MIXING_ROUNDS):
        state = ops.mod(state * state + ops.mod(rows, _MODULI[0])[:, None] + 7 * round_number + 11, moduli)
    return ops.maximum(state, 1)  # 0 would stay 0


def next_uniform(state: Tensor) -> tuple[Tensor, Tensor]:
    """The next number of each row's generator.

    Wichmann & Hill 1982, "Algorithm AS 183: An Efficient and Portable Pseudo-Random Number Generator", Applied
    Statistics 31(2): three small multiplicative generators, summed; the period is 7 * 10^12. It needs nothing but int32
    products below 2^31, so TensorFlow, JAX, PyTorch, an ONNX graph and a browser all draw the same numbers.

    Args:
        state: `(rows, 3)` int32, from `seed_rows` or from here.

    Returns:
        `(rows,)` float32 from 0 to 1, and the next state.

    Example:
    >>> from keras import ops
    >>> from keras_seq.decoding.uniform_stream import next_uniform, seed_rows
    >>> number, state = next_uniform(seed_rows(7, ops.arange(2)))
    >>> tuple(number.shape), bool(ops.all(number < 1))
    ((2,), True)
    """
    state = ops.mod(state * ops.convert_to_tensor(_MULTIPLIERS, "int32"), ops.convert_to_tensor(_MODULI, "int32"))
    total = ops.sum(ops.cast(state, "float32") / ops.convert_to_tensor(_MODULI, "float32"), axis=-1)
    return total - ops.floor(total), state
