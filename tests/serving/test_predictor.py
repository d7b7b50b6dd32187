"""Predictor: answers agree with NumPy, arrays and rows alike, from any number of threads; every misuse is explained."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_seq.serving import Bundle, BundleError, InputError, Predictor, ServingError

ATOL = 1e-6


@pytest.fixture
def words_shapes(draw):
    """A dense batch of 2 rows and 5 steps."""
    words, shapes = draw(np.random.default_rng(2), [5, 5])
    return {"words": np.stack(words), "shapes": np.stack(shapes)}


def test_dense_batch_agrees_with_numpy(masked, oracle, words_shapes):
    answer = masked.predict(words_shapes)
    assert list(answer) == ["tags", "sentence"]
    for row in range(2):
        expected = oracle(words_shapes["words"][row], words_shapes["shapes"][row])
        np.testing.assert_allclose(answer["tags"][row], expected["tags"], atol=ATOL)
        np.testing.assert_allclose(answer["sentence"][row], expected["sentence"], atol=ATOL)


def test_arrays_in_any_layout_give_the_same_answer(masked, words_shapes):
    expected = masked.predict(words_shapes)["tags"]
    strided = {
        "words": np.asfortranarray(words_shapes["words"]).astype(">i8"),
        "shapes": np.repeat(words_shapes["shapes"], 2, axis=1)[:, ::2].astype("float64"),
    }
    np.testing.assert_array_equal(masked.predict(strided)["tags"], expected)


def test_a_tuple_of_rows_is_a_list_of_rows(masked, words_shapes):
    given = {name: tuple(value) for name, value in words_shapes.items()}
    assert [len(row) for row in masked.predict(given)["tags"]] == [5, 5]


def test_concurrent_callers_get_their_own_answers(masked, oracle, draw):
    def call(seed: int):
        rng = np.random.default_rng(seed)
        for _ in range(25):
            words, shapes = draw(rng, rng.integers(1, 13, size=rng.integers(1, 4)))
            answer = masked.predict({"words": words, "shapes": shapes})
            for row, (w, s) in enumerate(zip(words, shapes, strict=True)):
                np.testing.assert_allclose(answer["tags"][row], oracle(w, s)["tags"], atol=ATOL)

    with ThreadPoolExecutor(7) as pool:
        for done in [pool.submit(call, seed) for seed in range(7)]:
            done.result()


def test_takes_a_loaded_bundle_and_tells_what_it_is(masked_path):
    bundle = Bundle.load(masked_path)
    with Predictor(bundle, num_threads=1) as predictor:
        assert predictor.bundle is bundle
        assert predictor.metadata == {"task": "tagging"}
        assert [spec.name for spec in predictor.inputs] == ["words", "shapes"]
        assert [spec.name for spec in predictor.outputs] == ["tags", "sentence"]
        assert repr(predictor) == (
            "<Predictor 'tagger' graph='model' (words: int32 (batch, time), shapes: float32 (batch, time, 3)) -> "
            "(tags: float32 (batch, time, 11), sentence: float32 (batch, 7)), 1 threads>"
        )


def test_a_closed_predictor_refuses(masked_path, words_shapes):
    with Predictor(masked_path) as predictor:
        predictor.predict(words_shapes)
    with pytest.raises(ServingError, match=r"session of graph 'model' .* is closed. Make a new one"):
        predictor.predict(words_shapes)


def test_a_graph_with_states_is_for_streams(masked_path):
    with pytest.raises(BundleError, match=r"'step' .* carries states: run it with `Stream`"):
        Predictor(masked_path, graph="step")


def test_an_unknown_graph_lists_those_there_are(masked_path):
    with pytest.raises(BundleError, match=r"has no graph 'modle'. It has: 'model', 'step'"):
        Predictor(masked_path, graph="modle")


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([[1, 2]], r"takes 2 inputs \('words', 'shapes'\), so they must be given by name in a dict. Received: list"),
        ({"words": [[1]]}, r"\(missing: 'shapes'\). Valid names: 'words', 'shapes'"),
        ({"words": 1, "shapes": 1, "w": 1}, r"\(unknown: 'w'\). Valid names: 'words', 'shapes'"),
        ({"word": 1}, r"\(unknown: 'word'; missing: 'words', 'shapes'\)"),
    ],
)
def test_wrong_names_list_the_valid_ones(masked, inputs, message):
    with pytest.raises(InputError, match=message):
        masked.predict(inputs)


def test_inputs_that_disagree_are_refused(masked, words_shapes):
    with pytest.raises(InputError, match=r"agree in dimension 'time': 'words' has 5, 'shapes' has 4"):
        masked.predict(words_shapes | {"shapes": words_shapes["shapes"][:, :4]})
    with pytest.raises(InputError, match=r"agree in dimension 'batch': 'words' has 1, 'shapes' has 2"):
        masked.predict(words_shapes | {"words": words_shapes["words"][:1]})


def test_input_errors_are_value_errors(masked):
    with pytest.raises(ValueError, match=r"Valid names"):
        masked.predict({})
