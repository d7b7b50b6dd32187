import numpy as np

from generating.hypotheses import generate
from generating.vocabulary import END_ID


def echo(batch_sizes, attends=True):
    """A search that gives the source back, and as the second hypothesis nothing but the end."""

    def generate_batch(source):
        batch_sizes.append(source.shape)
        rows, time = source.shape
        lengths = (source > 0).sum(axis=1)
        ids = np.zeros((rows, 2, time + 1), "int32")
        ids[:, 0, :time] = source
        ids[np.arange(rows), 0, lengths] = END_ID
        ids[:, 1, 0] = END_ID
        both = np.stack([lengths + 1, np.ones_like(lengths)], axis=1)
        outputs = {"ids": ids, "lengths": both, "scores": -both / 10.0, "log_probs": -both / 5.0, "finished": both < 9}
        weights = np.broadcast_to(np.arange(time, dtype="float32"), (rows, 2, time + 1, time))
        return outputs | {"alignments": weights if attends else None}

    return generate_batch


def test_every_source_gets_its_own_hypotheses_whatever_it_was_batched_with():
    random = np.random.default_rng(3)
    sources = [random.integers(4, 90, length).astype("int32") for length in random.integers(1, 13, 23)]
    sizes = []
    generated = generate(echo(sizes), sources, batch_size=5)
    assert [shape[0] for shape in sizes] == [5, 5, 5, 5, 3]
    assert [shape[1] for shape in sizes] == sorted(shape[1] for shape in sizes)
    for source, one in zip(sources, generated, strict=True):
        assert one.ids[0].tolist() == [*source.tolist(), END_ID]
        assert one.ids[1].tolist() == [END_ID]
        assert one.scores == [-(len(source) + 1) / 10, -0.1]
        assert one.log_probs == [-(len(source) + 1) / 5, -0.2]
        assert one.finished == [len(source) + 1 < 9, True]
        assert [weights.shape for weights in one.alignments] == [(len(source) + 1, len(source)), (1, len(source))]


def test_a_model_without_attention_has_no_alignments():
    assert generate(echo([], attends=False), [np.array([5], "int32")])[0].alignments == []


def test_hypotheses_that_the_search_did_not_find_are_left_out():
    outputs = {
        "ids": np.array([[[7, 2], [0, 0]]]),
        "lengths": np.array([[2, 0]]),
        "scores": np.array([[-1.0, -1e9]]),
        "log_probs": np.array([[-1.0, -1e9]]),
        "finished": np.array([[True, False]]),
    }
    (one,) = generate(lambda source: outputs, [np.array([5], "int32")])
    assert (len(one.ids), one.scores, one.finished) == (1, [-1.0], [True])
