"""Which layer a constant comes from."""

import keras
import numpy as np
import pytest

from keras_seq.export.quantization.place import related
from keras_seq.export.quantization.weight_owners import WeightOwners
from tests.export.graphs import with_random_weights

INPUTS, UNITS, OTHERS, WORDS = 3, 5, 7, 11


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(WORDS, INPUTS, name="table")(inputs)
    x = keras.layers.GRU(UNITS, return_sequences=True, name="gru")(x)
    inner = keras.Sequential(
        [keras.layers.Dense(OTHERS, name="first"), keras.layers.Dense(2, name="last")], name="head"
    )
    return with_random_weights(keras.Model(inputs, inner(x)))


@pytest.fixture(scope="module")
def owners(model):
    return WeightOwners(model)


def weights(model):
    return {variable.path: variable.numpy() for variable in model.variables}


def find(model, part):
    (found,) = [value for path, value in weights(model).items() if part in path]
    return found


FORMS = {
    "as it is": lambda w: w,
    "transposed": lambda w: w.T,
    "with an axis more": lambda w: w[None],
    "gates in another order": lambda w: np.concatenate(np.split(w, 3, axis=1)[::-1], axis=1),
    "gates as ONNX has them": lambda w: w.reshape(len(w), 3, -1).transpose(1, 2, 0).reshape(1, -1, len(w)),
    "one gate": lambda w: w[:, UNITS : 2 * UNITS],
    "some rows": lambda w: w[1:],
    "beside another weight": lambda w: np.concatenate([w, np.full((len(w), 2), 0.25, "float32")], axis=1),
    "cut in heads": lambda w: w.reshape(len(w), 3, UNITS).transpose(1, 0, 2)[0].T,
}


@pytest.mark.parametrize("form", FORMS)
def test_a_weight_is_known_in_every_form_that_passes_give_it(model, owners, form):
    kernel = find(model, "recurrent_kernel")
    assert owners.of([FORMS[form](kernel)]) == "gru/gru_cell"


def test_several_layers_are_named_by_what_their_paths_have_in_common(model, owners):
    first, last, table = find(model, "first/kernel"), find(model, "last/kernel"), find(model, "table")
    assert owners.of([first]) == "head/first"
    assert owners.of([first, last]) == "head"
    assert owners.of([table, first]) == "head/first + table"


def test_what_comes_from_no_layer_has_no_name(model, owners):
    for array in (
        np.ones((3, 5)),
        find(model, "recurrent_kernel") * np.float32(1.001),
        np.zeros((5, 15)),
        np.ones((1, 1)),
    ):
        assert owners.of([np.asarray(array, "float32")]) == ""


def named(**kernels):
    model = keras.Sequential([keras.Input((INPUTS,))])
    for name, kernel in kernels.items():
        layer = keras.layers.Dense(INPUTS, use_bias=False, name=name)
        model.add(layer)
        layer.set_weights([kernel])
    return WeightOwners(model)


def square(seed):
    return np.random.default_rng(seed).normal(size=(INPUTS, INPUTS)).astype("float32")


def test_a_row_that_two_layers_share_names_neither_wrongly():
    a, b = square(1), square(2)
    b[1] = a[2]
    owners = named(a=a, b=b)
    assert owners.of([a]) == "a"
    assert owners.of([b]) == "b"
    assert owners.of([a, b]) == "a + b"
    assert owners.of([a[2:]]) == "a + b"


def test_layers_with_equal_weights_are_named_together():
    owners = named(a=square(1), b=square(1), c=square(2))
    assert owners.of([square(1)]) == "a + b"
    assert owners.of([np.concatenate([square(1), square(2)])]) == "a + b + c"


def test_zeros_are_of_nobody():
    a, b = square(1), np.zeros((INPUTS, INPUTS), "float32")
    a[0] = 0
    owners = named(a=a, b=b)
    assert owners.of([a]) == "a"
    assert owners.of([b]) == ""


def test_a_layer_is_related_to_itself_its_parts_and_what_it_is_merged_with():
    assert related("encoder", "encoder")
    assert related("encoder/gru", "encoder")
    assert related("encoder", "encoder/gru")
    assert related("head + encoder/gru", "encoder")
    assert not related("encoder_2", "encoder")
    assert not related("encoder/gru", "encoder/lstm")
    assert not related("a + b", "c + d")
