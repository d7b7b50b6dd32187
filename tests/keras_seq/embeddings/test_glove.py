import keras
import numpy as np
import pytest
import scipy.sparse
from keras import ops

from keras_seq.embeddings import CountedVocabulary, GloVe, cooccurrence_matrix

WORDS, FEATURES = 5, 3
VOCABULARY = CountedVocabulary([f"w{number}" for number in range(WORDS)], [9, 7, 5, 3, 2])
RANDOM = np.random.default_rng(13)
DENSE = np.round(RANDOM.uniform(0, 200, (WORDS, WORDS)) * (RANDOM.uniform(size=(WORDS, WORDS)) < 0.6), 2)
MATRIX = scipy.sparse.csr_array(DENSE)
NAMES = ("row_vectors", "row_biases", "column_vectors", "column_biases")


def random_model(**settings):
    model = GloVe(VOCABULARY, FEATURES, **settings)
    model.set_weights([RANDOM.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def weights(model):
    return [np.float64(ops.convert_to_numpy(getattr(model, name))) for name in NAMES]


def loss_and_slopes(w, b, c, d, dense, x_max=100.0, power=0.75):
    """Equation 8 of the paper as two loops, and its derivatives."""
    total, slopes = 0.0, [np.zeros_like(weight) for weight in (w, b, c, d)]
    for i in range(WORDS):
        for j in range(WORDS):
            if not dense[i, j]:
                continue
            f = (dense[i, j] / x_max) ** power if dense[i, j] < x_max else 1.0
            error = w[i] @ c[j] + b[i] + d[j] - np.log(dense[i, j])
            total += f * error**2
            for slope, row, factor in zip(slopes, (i, i, j, j), (c[j], 1.0, w[i], 1.0), strict=True):
                slope[row] += 2 * f * error * factor
    return total, slopes


@pytest.mark.smoke
@pytest.mark.parametrize(("x_max", "power"), [(100.0, 0.75), (31.0, 0.5)])
def test_loss_is_that_of_the_paper(x_max, power):
    model = random_model(x_max=x_max, power=power)
    model.compile()
    expected, _ = loss_and_slopes(*weights(model), DENSE, x_max, power)
    np.testing.assert_allclose(model.evaluate(MATRIX, verbose=0, batch_size=4), expected / MATRIX.nnz, rtol=1e-5)


@pytest.mark.smoke
def test_a_step_goes_along_the_gradient_divided_by_its_root():
    model = random_model(learning_rate=0.3)
    before = weights(model)
    # One entry in each row and column: several would be squared before or after they are summed, as the backend does.
    dense = np.roll(np.diag([3.0, 50.0, 100.0, 7.0, 200.0]), 2, axis=1)
    _, slopes = loss_and_slopes(*before, dense)
    model.compile()
    model.fit(scipy.sparse.csr_array(dense), verbose=0)
    for old, slope, new in zip(before, slopes, weights(model), strict=True):
        np.testing.assert_allclose(new, old - 0.3 * slope / np.sqrt(1 + slope**2), rtol=1e-4, atol=1e-4)


@pytest.mark.smoke
def test_fit_finds_a_matrix_that_has_such_vectors():
    random = np.random.default_rng(3)
    w, c = random.normal(size=(2, WORDS, FEATURES))
    matrix = scipy.sparse.csr_array(np.exp(w @ c.T))
    model = GloVe(VOCABULARY, FEATURES, learning_rate=0.5)
    model.compile()
    loss = model.fit(matrix, epochs=150, batch_size=11, verbose=0).history["loss"]
    assert loss[-1] < 0.01 * loss[0]


def test_the_vectors_are_the_sum_of_both():
    model = random_model()
    w, _, c, _ = weights(model)
    vectors = model.word_vectors()
    assert vectors.words == VOCABULARY.words
    np.testing.assert_allclose(vectors.vectors, w + c, rtol=1e-5)


def test_equal_seeds_give_equal_vectors():
    def vectors(seed):
        model = GloVe(VOCABULARY, FEATURES, seed=seed)
        model.compile()
        model.fit(MATRIX, epochs=2, batch_size=4, seed=seed, verbose=0)
        return model.word_vectors().vectors

    np.testing.assert_array_equal(vectors(5), vectors(5))
    assert not np.allclose(vectors(5), vectors(6))


def test_a_model_is_saved_and_loaded(tmp_path):
    model = random_model(x_max=31.0, seed=7)
    model.compile()
    model.fit(MATRIX, verbose=0)
    model.save(tmp_path / "glove.keras")
    loaded = keras.saving.load_model(tmp_path / "glove.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded.word_vectors().vectors, model.word_vectors().vectors)
    loaded.fit(MATRIX, verbose=0)


def test_counts_of_sentences_are_what_it_learns_from():
    sentences = [["w0", "w1", "w2"], ["w2", "w3", "w4"]]
    model = GloVe(VOCABULARY, FEATURES)
    model.compile()
    model.fit(cooccurrence_matrix(sentences, VOCABULARY), verbose=0)


def test_a_matrix_that_is_not_sparse_is_refused():
    with pytest.raises(TypeError, match=r"sparse matrix of SciPy.*Received: x of type ndarray"):
        random_model().fit(DENSE)


def test_a_matrix_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"a row and a column for each of the 5 words. Received: shape \(5, 4\)"):
        random_model().fit(MATRIX[:, :4])


@pytest.mark.parametrize("matrix", [0 * MATRIX, -MATRIX, scipy.sparse.csr_array((WORDS, WORDS))])
def test_counts_that_are_not_positive_are_refused(matrix):
    with pytest.raises(ValueError, match=r"entries of the matrix must be positive, and there must be some"):
        random_model().fit(matrix)


@pytest.mark.parametrize("setting", [{"features": 0}, {"x_max": 0}, {"power": -1}, {"x_max": np.inf}])
def test_settings_that_are_not_positive_are_refused(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=f"`{name}` must be a positive .*Received: {name}="):
        GloVe(VOCABULARY, **setting)


def test_a_loss_in_compile_and_a_list_of_words_are_refused():
    with pytest.raises(ValueError, match=r"GloVe has its own loss; `compile` takes none. Received: loss='mse'"):
        random_model().compile("sgd", loss="mse")
    with pytest.raises(TypeError, match=r"`vocabulary` must be a CountedVocabulary. Received: list"):
        GloVe(["a", "b"])
