"""The terms that beam search divides log-probabilities by, so that short hypotheses do not win for being short."""

from keras import ops

from keras_seq.recurrent.cell import Tensor

LENGTH_TERMS = ("power", "gnmt")


def length_term(lengths: Tensor, alpha: float | Tensor, kind: str = "power") -> Tensor:
    """The length term of hypotheses.

        power:  T^alpha                     as in "1/T_y^alpha sum log P(y<t> | x, y<1>, …, y<t-1>)"
        gnmt:   ((5 + T) / 6)^alpha         Wu et al. 2016, https://arxiv.org/abs/1609.08144, equation 14

    Args:
        lengths: T, the end token counted, of any shape.
        alpha: 0 for no normalisation, 1 for the mean (with `"power"`); a number or a scalar tensor.
        kind: `"power"` or `"gnmt"`.

    Returns:
        Floats of the shape of `lengths`.

    Example:
    >>> from keras_seq.decoding import length_term
    >>> float(length_term(4, 0.5)), float(length_term(7, 1.0, "gnmt"))
    (2.0, 2.0)
    """
    lengths = ops.cast(lengths, "float32")
    return ops.power(lengths if kind == "power" else (lengths + 5.0) / 6.0, alpha)
