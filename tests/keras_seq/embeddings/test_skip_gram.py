import keras
import numpy as np
import pytest
from keras import ops

from keras_seq.embeddings import CountedVocabulary, HuffmanTree, SkipGram, SkipGramPairs

WORDS, FEATURES = 13, 7
RANDOM = np.random.default_rng(11)
SENTENCES = [RANDOM.integers(0, WORDS, length).tolist() for length in (17, 3, 5, 29, 2)]
COUNTS = np.bincount(np.concatenate([np.array(sentence, int) for sentence in SENTENCES]), minlength=WORDS)
VOCABULARY = CountedVocabulary([f"w{number}" for number in range(WORDS)], COUNTS)
PROBABILISTIC = ("full_softmax", "hierarchical_softmax")
LOSSES = (*PROBABILISTIC, "negative_sampling")
NOISE, NEGATIVES = 3, 5


def pairs(**settings):
    return SkipGramPairs(SENTENCES, VOCABULARY, 2, sample=0, chunk=3, batch_words=60, seed=7, **settings)


def random_model(loss, **settings):
    settings = {"negatives": NEGATIVES, "noise_words": NOISE, "row_limit": np.inf, **settings}
    model = SkipGram(VOCABULARY, FEATURES, loss, **settings)
    model.set_weights(
        [RANDOM.normal(size=weight.shape) for weight in model.trainable_weights] + model.get_weights()[2:]
    )
    return model


def fix_noise(model, pieces):
    """Noise words that are known, in the place of those drawn."""
    noise = np.random.default_rng(3).integers(0, WORDS, (pieces, NOISE)).astype("int32")
    model._noise.sample = lambda shape, seed=None: ops.convert_to_tensor(noise)
    return noise


def tables(model):
    return [np.float64(ops.convert_to_numpy(weight)) for weight in (model.centre_vectors, model.output_vectors)]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def path(word):
    tree = HuffmanTree(COUNTS)
    return [(tree.nodes[word, depth], tree.signs[word, depth]) for depth in range(tree.lengths[word])]


def pair_loss(loss, v, u, centre, context, noise):
    """The loss of one pair as the papers write it, and its gradient to both tables."""
    dv, du = np.zeros_like(v), np.zeros_like(u)
    if loss == "full_softmax":
        odds = np.exp(u @ v[centre])
        probabilities = odds / odds.sum()
        error = probabilities - np.eye(WORDS)[context]
        dv[centre] += error @ u
        du += np.outer(error, v[centre])
        return -np.log(probabilities[context]), dv, du
    if loss == "hierarchical_softmax":
        terms = [(node, sign, 1.0) for node, sign in path(context)]
    else:
        terms = [(context, 1.0, 1.0), *((word, -1.0, NEGATIVES / NOISE) for word in noise)]
    value = 0.0
    for row, sign, weight in terms:
        value -= weight * np.log(sigmoid(sign * u[row] @ v[centre]))
        slope = -weight * sign * sigmoid(-sign * u[row] @ v[centre])
        dv[centre] += slope * u[row]
        du[row] += slope * v[centre]
    return value, dv, du


def batch_loss(loss, v, u, batch, noise=None):
    total, dv, du = 0.0, np.zeros_like(v), np.zeros_like(u)
    for piece in range(len(batch.centres)):
        alone = type(batch)(*(part[piece : piece + 1] for part in batch))
        for centre, context in alone.unfold():
            value, *slopes = pair_loss(loss, v, u, centre, context, None if noise is None else noise[piece])
            total, dv, du = total + value, dv + slopes[0], du + slopes[1]
    return total, dv, du


@pytest.mark.smoke
@pytest.mark.parametrize("loss", LOSSES)
def test_loss_is_that_of_the_papers_pair_by_pair(loss):
    model = random_model(loss)
    batch = next(pairs().batches())
    noise = fix_noise(model, 20) if loss == "negative_sampling" else None
    losses, number = model(batch)
    expected, _, _ = batch_loss(loss, *tables(model), batch, noise)
    assert losses.shape == number.shape == (20,)
    assert float(ops.sum(number)) == len(batch.unfold())
    np.testing.assert_allclose(float(ops.sum(losses)), expected, rtol=1e-5)


@pytest.mark.smoke
@pytest.mark.parametrize("loss", LOSSES)
def test_a_step_of_descent_goes_along_the_gradient_of_the_sum(loss):
    model = random_model(loss)
    stream = pairs()
    batch = next(stream.batches())
    noise = fix_noise(model, 20) if loss == "negative_sampling" else None
    before = tables(model)
    _, *slopes = batch_loss(loss, *before, batch, noise)
    model.compile(keras.optimizers.SGD(0.5), steps_per_execution=1)
    model.fit(stream, steps_per_epoch=1, verbose=0)
    for old, slope, new in zip(before, slopes, tables(model), strict=True):
        np.testing.assert_allclose(new, old - 0.5 * slope, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("loss", LOSSES)
def test_rows_in_many_terms_are_moved_as_by_the_limit(loss):
    batch = next(pairs().batches())
    free, bound = (random_model(loss, row_limit=limit) for limit in (np.inf, 4.0))
    bound.set_weights(free.get_weights())
    moved = []
    for model in (free, bound):
        if loss == "negative_sampling":
            fix_noise(model, 20)
        before = tables(model)
        model.compile(keras.optimizers.SGD(1.0), steps_per_execution=1)
        model.fit(pairs(), steps_per_epoch=1, verbose=0)
        moved.append([new - old for old, new in zip(before, tables(model), strict=True)])
    of_centre = np.bincount(batch.unfold()[:, 0], minlength=WORDS)
    decisions = HuffmanTree(COUNTS).lengths @ COUNTS / COUNTS.sum()
    terms = of_centre * {"full_softmax": 1, "hierarchical_softmax": decisions, "negative_sampling": 1 + NEGATIVES}[loss]
    factor = np.minimum(1, 4.0 / np.maximum(terms, 1e-9))
    assert (factor < 1).any()
    np.testing.assert_allclose(moved[1][0], factor[:, None] * moved[0][0], rtol=1e-3, atol=1e-5)
    outputs = np.linalg.norm(moved[1][1], axis=1) / np.linalg.norm(moved[0][1], axis=1)
    assert (outputs < 1.0001).all()
    assert (outputs < 0.9).any()


@pytest.mark.parametrize("loss", PROBABILISTIC)
def test_probabilities_of_all_words_sum_to_one(loss):
    log_probs = random_model(loss).context_log_probs([0, "w5", 12])
    assert log_probs.shape == (3, WORDS)
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=1), 1.0, rtol=1e-5)


@pytest.mark.parametrize("loss", PROBABILISTIC)
def test_the_loss_is_the_mean_log_probability(loss):
    model = random_model(loss)
    stream = pairs()
    table = model.context_log_probs(range(WORDS))
    found = np.concatenate([batch.unfold() for batch in stream.batches()])
    model.compile()
    loss = model.evaluate(stream, verbose=0)
    np.testing.assert_allclose(loss, -table[found[:, 0], found[:, 1]].mean(), rtol=1e-5)


@pytest.mark.smoke
@pytest.mark.parametrize("loss", LOSSES)
def test_fit_learns_who_stands_with_whom(loss):
    random = np.random.default_rng(5)
    sentences = [(random.permutation(5) + 5 * (number % 2)).tolist() for number in range(400)]
    vocabulary = CountedVocabulary([f"w{number}" for number in range(10)], [200] * 10)
    model = SkipGram(vocabulary, 11, loss, seed=3)
    model.compile()
    history = model.fit(SkipGramPairs(sentences, vocabulary, sample=0), epochs=60, verbose=0)
    assert history.history["loss"][-1] < history.history["loss"][0]
    vectors = model.word_vectors()
    near = np.mean([vectors.similarity("w0", f"w{number}") for number in range(1, 5)])
    far = np.mean([vectors.similarity("w0", f"w{number}") for number in range(5, 10)])
    assert near > far + 0.3


@pytest.mark.parametrize("loss", LOSSES)
def test_a_tiny_vocabulary_does_not_diverge(loss):
    sentences = [["a", "b", "a", "a", "b"] * 200]
    vocabulary = CountedVocabulary.from_sentences(sentences)
    model = SkipGram(vocabulary, 3, loss)
    model.compile()
    model.fit(SkipGramPairs(sentences, vocabulary, sample=0), epochs=150, verbose=0)
    assert np.abs(model.word_vectors().vectors).max() < 20


def test_equal_seeds_give_equal_vectors():
    def vectors(seed):
        model = SkipGram(VOCABULARY, FEATURES, seed=seed)
        model.compile()
        model.fit(pairs(), epochs=2, verbose=0)
        return model.word_vectors().vectors

    np.testing.assert_allclose(vectors(5), vectors(5), rtol=1e-4, atol=1e-6)
    assert not np.allclose(vectors(5), vectors(6))


def test_the_learning_rate_falls_over_a_fit():
    model = SkipGram(VOCABULARY, FEATURES, learning_rate=0.5, end_learning_rate=0.1)
    model.compile()
    for _ in range(2):
        model.fit(pairs(), epochs=3, verbose=0)
        assert float(model.optimizer.learning_rate) == pytest.approx(0.1)
        assert float(model.optimizer._learning_rate(0)) == pytest.approx(0.5)


@pytest.mark.backend("tensorflow")
def test_gradients_of_the_tables_are_sparse():
    import tensorflow as tf

    model = SkipGram(VOCABULARY, FEATURES)
    with tf.GradientTape() as tape:
        loss = model.compute_loss(y_pred=model(next(pairs().batches())))
    slopes = tape.gradient(loss, model.trainable_weights)
    assert [type(slope) for slope in slopes] == [tf.IndexedSlices] * 2
    model.compile()
    assert not model.jit_compile


@pytest.mark.parametrize("loss", LOSSES)
def test_a_model_is_saved_and_loaded(loss, tmp_path):
    model = random_model(loss, noise_power=0.5, seed=3)
    model.compile()
    model.fit(pairs(), verbose=0)
    model.save(tmp_path / "skip_gram.keras")
    loaded = keras.saving.load_model(tmp_path / "skip_gram.keras")
    assert loaded.get_config() == model.get_config()
    assert loaded.word_vectors().words == VOCABULARY.words
    np.testing.assert_array_equal(loaded.word_vectors().vectors, model.word_vectors().vectors)
    loaded.fit(pairs(), verbose=0)


def test_an_unknown_loss_is_refused():
    with pytest.raises(ValueError, match=r"`loss` must be one of 'full_softmax'.*Received: loss='softmax'"):
        SkipGram(VOCABULARY, loss="softmax")


@pytest.mark.parametrize("setting", [{"features": 0}, {"negatives": 0}, {"noise_words": -1}, {"features": 2.5}])
def test_sizes_that_are_not_positive_are_refused(setting):
    name = next(iter(setting))
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. Received: {name}="):
        SkipGram(VOCABULARY, **setting)


def test_a_limit_that_is_not_positive_is_refused():
    with pytest.raises(ValueError, match=r"`row_limit` must be positive. Received: row_limit=0"):
        SkipGram(VOCABULARY, row_limit=0)


def test_a_list_of_words_is_no_vocabulary():
    with pytest.raises(TypeError, match=r"`vocabulary` must be a CountedVocabulary. Received: list"):
        SkipGram(["a", "b"])


def test_a_loss_in_compile_is_refused():
    with pytest.raises(ValueError, match=r"SkipGram has its own loss; `compile` takes none. Received: loss='mse'"):
        SkipGram(VOCABULARY).compile("sgd", loss="mse")


def test_other_data_and_another_vocabulary_are_refused():
    model = SkipGram(VOCABULARY, FEATURES)
    model.compile()
    with pytest.raises(
        TypeError, match=r"learns from SkipGramPairs\(sentences, vocabulary\). Received: x of type list"
    ):
        model.fit(SENTENCES)
    other = CountedVocabulary(["a", "b"], [1, 1])
    with pytest.raises(ValueError, match=r"made with the model's vocabulary.*2 words there and 13 here"):
        model.fit(SkipGramPairs([["a", "b"]], other))


def test_what_is_wrong_with_the_sentences_is_said_by_fit():
    model = SkipGram(VOCABULARY, FEATURES)
    model.compile()
    with pytest.raises(ValueError, match=r"two words of the vocabulary side by side"):
        model.fit(SkipGramPairs([["?"]], VOCABULARY))
    with pytest.raises(ValueError, match=r"Received: 99 in sentence 0"):
        model.fit(SkipGramPairs([[1, 99]], VOCABULARY))


def test_negative_sampling_has_no_probabilities():
    with pytest.raises(ValueError, match=r"has no probabilities; take"):
        SkipGram(VOCABULARY).context_log_probs(["w1"])


def test_probabilities_of_unknown_words_are_refused():
    with pytest.raises(ValueError, match=r"'tree' is none of the vocabulary's 13 words"):
        random_model("full_softmax").context_log_probs(["tree"])
