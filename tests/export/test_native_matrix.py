"""Every recurrent layer in every setting becomes native ONNX nodes, and computes what Keras does on the CPU.

One functional model holds all calls of a layer in a wrapper; its nodes are counted and all outputs are compared.
How a call's arguments work together is the business of each kind by itself, and of each wrapper whatever is in it: so
each kind that runs forward has them meet in all ways, and so has each wrapper around an LSTM, which has two states. All
others have any two of them meet in every way.
"""

import contextlib
import itertools
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export.lowering.layer_note import layer_notes
from tests.export.graphs import (
    BATCH,
    FEATURES,
    MASK,
    TIME,
    UNITS,
    Traced,
    random_array,
    recurrent_nodes,
    run_keras,
    run_onnx,
    with_random_weights,
)
from tests.export.kinds import OURS, STOCK, Kind

pytestmark = pytest.mark.backend("tensorflow")


class Wrapper(NamedTuple):
    """A way to put a kind of layer into a model: `make(kind, **options)`, and its number of nodes and of cells."""

    make: Callable
    nodes: int = 1
    cells: int = 1
    nested_states: bool = False


def _forward(kind, **options):
    return kind.make_layer(**options)


def _backward(kind, **options):
    return kind.make_layer(go_backwards=True, **options)


def _rnn(kind, **options):
    return keras.layers.RNN(kind.make_cell(), **options)


def _rnn_backward(kind, **options):
    return keras.layers.RNN(kind.make_cell(), go_backwards=True, **options)


def _stacked_cells(kind, **options):
    return keras.layers.RNN([kind.make_cell(), kind.make_cell()], **options)


def _stacked_cells_backward(kind, **options):
    return keras.layers.RNN([kind.make_cell(), kind.make_cell()], go_backwards=True, **options)


def _bidirectional(wrapper, merge_mode):
    def make(kind, name, **options):
        return wrapper(kind.make_layer(name="rnn", **options), merge_mode=merge_mode, name=name)

    return Wrapper(make, cells=2)


def _stacked(**arguments):
    def make(kind, **options):
        return keras_seq.StackedRNN((UNITS, 2), cell=kind.cell, cell_arguments=kind.arguments, **arguments, **options)

    return Wrapper(make, nodes=2, cells=2)


MERGE_MODES = ("concat", "sum", "ave", "mul", None)
PLAIN = {"forward": Wrapper(_forward), "backward": Wrapper(_backward)}
BOTH_WAYS = {f"bidirectional-{mode}": _bidirectional(keras_seq.Bidirectional, mode) for mode in MERGE_MODES}
STOCK_BOTH_WAYS = {
    f"keras-bidirectional-{mode}": _bidirectional(keras.layers.Bidirectional, mode) for mode in MERGE_MODES
}
STACKED = {"stacked": _stacked(), "stacked-residual": _stacked(residual=True)}
STACKED_BACKWARD = _stacked(residual=True, go_backwards=True)
OVER_CELLS = {
    "RNN-of-cell": Wrapper(_rnn),
    "RNN-of-cell-backward": Wrapper(_rnn_backward),
    "RNN-of-cells": Wrapper(_stacked_cells, nodes=2, cells=2, nested_states=True),
    "RNN-of-cells-backward": Wrapper(_stacked_cells_backward, nodes=2, cells=2, nested_states=True),
}


class Variant(NamedTuple):
    return_sequences: bool
    return_state: bool
    zero_output_for_mask: bool
    masked: bool
    with_state: bool


ZERO_OUTPUTS = [Variant(True, False, True, True, True), Variant(False, False, True, True, True)]
PLAIN_CALLS = itertools.product((False, True), (False, True), (False,), (False, True), (False, True))
ALL = [*(Variant(*values) for values in PLAIN_CALLS), *ZERO_OUTPUTS]
# Any two arguments meet in every way.
PAIRS = [
    Variant(False, False, False, False, False),
    Variant(False, True, False, True, True),
    Variant(True, False, False, True, True),
    Variant(True, True, False, False, True),
    Variant(True, True, False, True, False),
]

FEW = [*PAIRS, *ZERO_OUTPUTS]


def _is_thorough(kind, wrapper):
    return wrapper[0] == "forward" or kind[0] in ("LSTM", "keras-LSTM")


def _cases():
    concat, *merges = BOTH_WAYS.items()
    stock_concat, *stock_merges = STOCK_BOTH_WAYS.items()
    cases = list(itertools.product(OURS.items(), [*PLAIN.items(), concat, *STACKED.items()]))
    cases += itertools.product(STOCK.items(), [*PLAIN.items(), stock_concat, *OVER_CELLS.items()])
    cases += [((name, OURS[name]), ("stacked-backward", STACKED_BACKWARD)) for name in ("GRU-reset_before", "LSTM")]
    # Merging comes after all that a kind or a mask does: each kind has one of the other modes.
    merged = list(zip(OURS.items(), itertools.cycle(merges), strict=False))
    merged += zip(STOCK.items(), itertools.cycle(stock_merges), strict=False)
    # Classes of both libraries mixed: each kind over its cell, and every merge mode of each Bidirectional.
    mixed = list(itertools.product(OURS.items(), [("RNN-of-cell", OVER_CELLS["RNN-of-cell"])]))
    mixed += zip(list(OURS.items())[-5:], STOCK_BOTH_WAYS.items(), strict=True)
    mixed += zip(STOCK.items(), BOTH_WAYS.items(), strict=True)
    thorough = [(*case, ALL) for case in cases if _is_thorough(*case)]
    others = [(*case, FEW) for case in cases if not _is_thorough(*case)]
    others += [(*case, FEW) for case in (*merged, *mixed)]
    return tuple(
        [pytest.param((kind, wrapper, calls), id=f"{k}-{w}") for (k, kind), (w, wrapper), calls in some]
        for some in (thorough, others)
    )


class Variants:
    """Calls of a kind of layer in a wrapper, as one functional model."""

    def __init__(self, kind: Kind, wrapper: Wrapper, calls: list[Variant], policy: str):
        count = kind.states * wrapper.cells
        sequences = keras.Input((None, FEATURES), name="sequences")
        mask = keras.Input((None,), dtype="bool", name="mask")
        states = [keras.Input((UNITS,), name=f"state_{i}") for i in range(count)]
        given = states[0] if count == 1 else states
        if wrapper.nested_states and kind.states > 1:
            given = [states[:2], states[2:]]
        outputs, self.labels, self.calls = [], [], calls
        with dtype_policy(policy):
            for options, variants in itertools.groupby(self.calls, key=lambda v: v[:3]):
                options = dict(zip(Variant._fields, options, strict=False))
                layer = wrapper.make(kind, **options, name=f"layer_{len(outputs)}")
                for variant in variants:
                    call = ({"mask": mask} if variant.masked else {}) | (
                        {"initial_state": given} if variant.with_state else {}
                    )
                    results = keras.tree.flatten(layer(sequences, **call))
                    outputs += results
                    self.labels += [f"{variant}: result {i}" for i in range(len(results))]
            model = keras.Model([sequences, mask, *states], outputs, name="model")
        self.model = with_random_weights(model)
        self.inputs = {"sequences": random_array(BATCH, TIME, FEATURES), "mask": MASK}
        self.inputs |= {f"state_{i}": random_array(BATCH, UNITS, seed=2 + i) for i in range(count)}


@contextlib.contextmanager
def dtype_policy(name):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


class Exported:
    def __init__(self, kind, wrapper, calls):
        self.kind, self.wrapper = kind, wrapper
        self.variants = Variants(kind, wrapper, calls, "float32")
        self.traced = Traced(self.variants.model)
        self.graph = self.traced.convert()


THOROUGH, OTHERS = _cases()


@pytest.fixture(scope="module", params=[*THOROUGH, *OTHERS])
def exported(request):
    return Exported(*request.param)


def test_every_call_is_native(exported):
    assert recurrent_nodes(exported.graph) == {
        exported.kind.operator: exported.wrapper.nodes * len(exported.variants.calls)
    }
    for note in layer_notes(exported.variants.model):
        assert note.lowering == "native", note
        assert note.operators == {exported.kind.operator: exported.wrapper.nodes}


def test_every_output_is_that_of_keras_under_any_mask(exported):
    variants = exported.variants
    expected = run_keras(variants.model, variants.inputs)
    received = run_onnx(exported.graph, variants.inputs)
    for label, a, b in zip(variants.labels, received, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=3e-6, err_msg=label)


@pytest.mark.parametrize("exported", THOROUGH, indirect=True)
def test_training_in_mixed_bfloat16_gives_the_very_same_graph(exported):
    trained = Variants(exported.kind, exported.wrapper, exported.variants.calls, "mixed_bfloat16")
    assert trained.model.layers[-1].compute_dtype == "bfloat16"
    traced = Traced(trained.model).trace()
    assert traced.written == exported.traced.written
    assert traced.operations() == exported.traced.operations()
