"""Where products of 8-bit integers are faster than those of floats, and where only the file gets smaller.

The limits are what was measured (docs/quantization.md), on processors with AMX and with AVX2 alone. From there on the
integer form is not slower on either, with one row or many, but in one place: without VNNI the `Scan` of a GRU of 512
units takes 1.2 times as long at batch 1 where the float node has two threads. It stays, for what it gains elsewhere.
"""

from __future__ import annotations

from keras_seq.export.quantization.decision import FLOAT, HALF, INTEGER, STORED

__all__ = [
    "ACTIVATIONS",
    "LSTM_UNITS",
    "PRODUCT_ELEMENTS",
    "SCAN_ACTIVATIONS",
    "SCAN_UNITS",
    "STORED_ELEMENTS",
    "choose_half",
    "choose_product",
    "choose_recurrent",
    "choose_stored",
]

PRODUCT_ELEMENTS = 32_768
"""From this many weights on an integer product wins back what it takes to make integers of its input."""
LSTM_UNITS = 64
"""From this many units on `DynamicQuantizeLSTM` is faster than `LSTM`."""
SCAN_UNITS = 512
"""From this many units on a `Scan` over integer products beats the native `GRU` or `RNN`, whatever the batch."""
STORED_ELEMENTS = 1024
"""Smaller weights stay as they are: a scale for each output and two nodes more would take as much."""
ACTIVATIONS = {"RNN": ("Tanh",), "GRU": ("Sigmoid", "Tanh"), "LSTM": ("Sigmoid", "Tanh", "Tanh")}
"""What a native recurrent node computes where it names no activations."""
_NOT_WORTH_IT = f"fewer than {STORED_ELEMENTS:,} weights are not worth it"
SCAN_ACTIVATIONS = ("Sigmoid", "Tanh", "Relu", "Softsign", "Softplus")
"""What the body of a `Scan` can compute by one node without settings."""


def choose_product(elements: int) -> tuple[str, str]:
    """The form of a weight that inputs are multiplied by, and why.

    Args:
        elements: How many numbers it has.
    """
    if elements >= PRODUCT_ELEMENTS:
        return INTEGER, "the product is one of integers"
    return choose_stored(elements, f"with fewer than {PRODUCT_ELEMENTS:,} weights a product of floats is as fast")


def choose_recurrent(operator: str, units: int, elements: int, activations: tuple[str, ...]) -> tuple[str, str]:
    """The form of the weights of a native recurrent node, and why.

    Args:
        operator: `"RNN"`, `"GRU"` or `"LSTM"`.
        units: Of the layer.
        elements: How many numbers its weights have.
        activations: By the names that ONNX gives them.
    """
    if operator == "LSTM":
        if units >= LSTM_UNITS:
            return INTEGER, "one DynamicQuantizeLSTM"
        return choose_stored(elements, f"below {LSTM_UNITS} units the float node is faster")
    if units < SCAN_UNITS:
        return choose_stored(elements, f"below {SCAN_UNITS} units the float node is faster")
    foreign = [name for name in activations if name not in SCAN_ACTIVATIONS]
    if foreign:
        return choose_stored(elements, f"its activation {foreign[0]} has no place in a Scan of integer products")
    return INTEGER, "a Scan over integer products, the inputs' product outside"


def choose_half(elements: int, fits: bool = True) -> tuple[str, str]:
    """The form of a weight where 16 bits are asked for, and why.

    Args:
        elements: How many numbers it has.
        fits: Whether all of them have a place among the floats of 16 bits.
    """
    if elements < STORED_ELEMENTS:
        return FLOAT, _NOT_WORTH_IT
    if not fits:
        return FLOAT, "it has numbers beyond those of 16 bits"
    return HALF, "half as large, and float32 again when the graph is loaded"


def choose_stored(elements: int, reason: str) -> tuple[str, str]:
    """The form of a weight that takes no part in integer products.

    Args:
        elements: How many numbers it has.
        reason: Why it does not.
    """
    if elements < STORED_ELEMENTS:
        return FLOAT, _NOT_WORTH_IT
    return STORED, reason
