import keras
import pytest

import keras_seq
from tests.keras_seq.attention.cases import FEATURES, MEMORY_FEATURES, UNITS, decoder, decoder_arguments, normal, values


def make(*args, **kwargs):
    return keras_seq.AttentionDecoder(*args, name="deco", **kwargs)


def test_an_attention_needs_a_memory():
    made = make(keras_seq.GRUCell(UNITS), keras_seq.BahdanauAttention(3))
    with pytest.raises(ValueError, match='"deco" has an attention and needs `memory_values` to attend to'):
        made(normal(2, 3, FEATURES))
    with pytest.raises(ValueError, match='"deco" has an attention and needs `memory_values` to attend to'):
        made.build((None, None, FEATURES))
    with pytest.raises(ValueError, match='"deco" has an attention and needs `memory_values` to attend to'):
        made.prepare(None)


def test_a_memory_needs_an_attention():
    made = make(keras_seq.GRUCell(UNITS))
    with pytest.raises(ValueError, match='"deco" has no attention, so it can do nothing with `memory_values`'):
        made(normal(5, 3, FEATURES), values())


def test_scores_need_an_attention():
    with pytest.raises(ValueError, match='`return_attention_scores=True`, but layer "deco" has no attention'):
        make(keras_seq.GRUCell(UNITS))(normal(2, 3, FEATURES), return_attention_scores=True)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_the_initial_state_must_hold_all_cells_states(count):
    made = decoder("lstm", None, layers=2)
    message = rf"must hold 4 states, in the order 0\.h, 0\.c, 1\.h, 1\.c\. Received: {count}$"
    with pytest.raises(ValueError, match=message):
        made.initial_state([normal(5, UNITS)] * count, 5)


def test_one_tensor_is_one_state():
    made = decoder("lstm", None)
    with pytest.raises(ValueError, match="must hold 2 states"):
        made.initial_state(normal(5, UNITS), 5)


def test_states_must_have_the_size_of_their_cells():
    made = decoder("lstm", None)
    with pytest.raises(
        ValueError, match=r'State 0\.c of layer ".*" must have the shape \(rows, 11\)\. Received: \(5, 3\)'
    ):
        made.initial_state([normal(5, UNITS), normal(5, 3)], 5)


def test_a_cell_built_for_other_inputs_is_refused():
    cell = keras_seq.GRUCell(3, name="used")
    cell.build((None, 7))
    with pytest.raises(ValueError, match='Cell "used" of layer "deco" has to read 15 features, but was built for 7'):
        make(cell, keras_seq.BahdanauAttention(3)).build((None, None, FEATURES), (None, None, MEMORY_FEATURES))


def test_a_whole_state_must_hold_what_is_fed():
    made = decoder("gru", "luong-dot", attend="after")
    arguments = decoder_arguments(made)
    arguments["initial_state"] = {"0.h": arguments["initial_state"][0]}
    with pytest.raises(ValueError, match=r"must hold 0\.h, attentional\. Received: 0\.h"):
        made(**arguments)


@pytest.mark.parametrize("cell", [keras.layers.GRUCell(3), keras_seq.GRU(3), "gru", None], ids=str)
def test_a_cell_must_be_one_of_this_library(cell):
    with pytest.raises(TypeError, match=r"`cell` must be a keras_seq cell.*Received: cell 1 is "):
        make([keras_seq.GRUCell(3), cell])


def test_a_stack_needs_a_cell():
    with pytest.raises(ValueError, match=r"`cell` must be a cell or a list of at least one\. Received an empty list"):
        make([])


@pytest.mark.parametrize("attention", [keras.layers.AdditiveAttention(), "bahdanau"], ids=str)
def test_an_attention_must_be_one_of_this_library(attention):
    with pytest.raises(TypeError, match=r"`attention` must be a keras_seq\.MemoryAttention, such as BahdanauAttention"):
        make(keras_seq.GRUCell(3), attention)


def test_attend_is_before_or_after():
    with pytest.raises(ValueError, match=r"`attend` must be one of before, after\. Received: attend='within'"):
        make(keras_seq.GRUCell(3), keras_seq.BahdanauAttention(3), attend="within")


@pytest.mark.parametrize("attention", [True, False])
@pytest.mark.parametrize(("name", "value"), [("attention_units", 3), ("input_feeding", False)])
def test_arguments_of_attend_after_are_for_it_alone(name, value, attention):
    attention, attend = (keras_seq.BahdanauAttention(3), "before") if attention else (None, "after")
    with pytest.raises(ValueError, match=f'`{name}(=False)?` goes with an attention and attend="after" alone'):
        make(keras_seq.GRUCell(3), attention, attend=attend, **{name: value})


@pytest.mark.parametrize("units", [0, -2, 1.5])
def test_attention_units_must_be_a_positive_integer(units):
    with pytest.raises(ValueError, match=r"`attention_units` must be a positive integer\. Received: attention_units="):
        make(keras_seq.GRUCell(3), keras_seq.BahdanauAttention(3), attend="after", attention_units=units)


def test_dot_wants_a_cell_of_the_memorys_size():
    with pytest.raises(ValueError, match=r'score="dot".*Received: queries of 11 and values of 13 features'):
        make(keras_seq.GRUCell(UNITS), keras_seq.LuongAttention()).build(
            (None, None, FEATURES), (None, None, MEMORY_FEATURES)
        )


def test_all_parts_must_compute_in_one_dtype():
    cells = [keras_seq.GRUCell(3, dtype="bfloat16", name="low"), keras_seq.GRUCell(3, name="high")]
    with pytest.raises(
        ValueError, match=r'"deco" computes in bfloat16, and so must its parts.*high: float32.*same `dtype`'
    ):
        make(cells)
