"""Stream: any way of cutting a sequence gives the whole's outputs; streams do not mix; a snapshot goes on exactly."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest

from keras_seq.serving import BundleError, InputError, ServingError, Stream

ATOL = 1e-6


@pytest.fixture
def sequence(draw):
    """Draws a batch of 3 sequences of `steps` steps."""

    def draw_sequence(seed: int, steps: int = 29, rows: int = 3):
        words, shapes = draw(np.random.default_rng(seed), [steps] * rows)
        return {"words": np.stack(words), "shapes": np.stack(shapes)}

    return draw_sequence


def _cut(inputs, *bounds):
    """The chunks of `inputs` between the bounds."""
    steps = inputs["words"].shape[1]
    edges = [0, *bounds, steps]
    return [{name: value[:, start:stop] for name, value in inputs.items()} for start, stop in pairwise(edges)]


def _assert_same(answer, expected):
    assert list(answer) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(answer[name], value, atol=ATOL)


@pytest.mark.parametrize("seed", range(8))
def test_any_cut_gives_the_outputs_of_the_whole(stream, masked, oracle, sequence, seed):
    inputs = sequence(seed)
    rng = np.random.default_rng(seed)
    bounds = np.sort(rng.choice(np.arange(1, 29), size=rng.integers(0, 28), replace=False))
    chunks = [stream.feed(chunk) for chunk in _cut(inputs, *bounds)]
    _assert_same(stream.result(), masked.predict(inputs))
    np.testing.assert_array_equal(np.concatenate([c["tags"] for c in chunks], axis=1), stream.result()["tags"])
    np.testing.assert_array_equal(chunks[-1]["sentence"], stream.result()["sentence"])
    np.testing.assert_allclose(
        stream.result()["tags"][1], oracle(inputs["words"][1], inputs["shapes"][1])["tags"], atol=ATOL
    )
    assert (stream.steps, stream.batch_size) == (29, 3)


def test_streams_on_one_session_do_not_mix(stream, masked, sequence):
    inputs = [sequence(seed, steps=7, rows=1 + seed % 3) for seed in range(19)]
    streams = [stream.new() for _ in inputs]
    for step in range(7):
        for each, value in zip(streams, inputs, strict=True):
            each.feed({name: array[:, step : step + 1] for name, array in value.items()})
    for each, value in zip(streams, inputs, strict=True):
        _assert_same(each.result(), masked.predict(value))


def test_streams_in_several_threads_do_not_mix(stream, masked, sequence):
    inputs = [sequence(seed) for seed in range(5)]
    streams = [stream.new() for _ in inputs]

    def feed(each, value):
        for chunk in _cut(value, *range(1, 29)):
            each.feed(chunk)

    with ThreadPoolExecutor(5) as pool:
        list(pool.map(feed, streams, inputs))
    for each, value in zip(streams, inputs, strict=True):
        _assert_same(each.result(), masked.predict(value))


def test_reset_starts_over_with_any_batch_size(stream, masked, sequence):
    stream.feed(sequence(1))
    stream.reset()
    assert (stream.steps, stream.batch_size) == (0, None)
    inputs = sequence(2, rows=2)
    stream.feed(inputs)
    _assert_same(stream.result(), masked.predict(inputs))


def test_result_so_far_may_be_asked_for_at_any_time(stream, masked, sequence):
    inputs = sequence(4)
    for end, chunk in zip((5, 13, 29), _cut(inputs, 5, 13), strict=True):
        stream.feed(chunk)
        so_far = masked.predict({name: value[:, :end] for name, value in inputs.items()})
        _assert_same(stream.result(), so_far)


def test_writing_into_what_is_returned_does_no_harm(stream, masked, sequence):
    inputs = sequence(4)
    for chunk in _cut(inputs, 11):
        for value in stream.feed(chunk).values():
            value[...] = 7
        for value in stream.result().values():
            value[...] = 7
    _assert_same(stream.result(), masked.predict(inputs))


def test_nested_lists_are_a_chunk(stream, oracle):
    shapes = [[[0.5, 1, 2], [3, 4, 5]]]
    answer = stream.feed({"words": [[4, 8]], "shapes": shapes})
    np.testing.assert_allclose(answer["tags"][0], oracle([4, 8], shapes[0])["tags"], atol=ATOL)


@pytest.mark.parametrize("cut", [0, 1, 17])
def test_a_snapshot_goes_on_exactly_where_it_was_taken(stream, masked, sequence, cut):
    inputs = sequence(5)
    before, after = (_cut(inputs, cut)) if cut else (None, inputs)
    if before:
        stream.feed(before)
    saved = stream.snapshot()
    other = stream.new()
    other.feed(sequence(6, rows=1))  # forgotten by restore
    other.restore(saved)
    assert other.steps == cut
    stream.feed(after)
    other.feed(after)
    for name, value in stream.result().items():
        np.testing.assert_array_equal(other.result()[name], value)
    _assert_same(other.result(), masked.predict(inputs))


def test_a_snapshot_does_not_change_with_its_stream(stream, sequence):
    first, second = _cut(sequence(5), 11)
    stream.feed(first)
    saved, expected = stream.snapshot(), stream.result()
    stream.feed(second)
    stream.restore(saved)
    _assert_same(stream.result(), expected)


def test_without_outputs_a_snapshot_stays_small(stream, sequence):
    forgetful = stream.new(keep_outputs=False)
    forgetful.feed(sequence(1))
    size = len(forgetful.snapshot())
    for _ in range(5):
        forgetful.feed(sequence(1))
    assert len(forgetful.snapshot()) <= size + 16  # the count of steps has a digit more


def test_without_outputs_result_is_refused_and_restore_checks_it(stream, sequence):
    forgetful = stream.new(keep_outputs=False)
    forgetful.feed(sequence(1))
    with pytest.raises(ServingError, match=r"made with keep_outputs=False, so the steps of 'tags' are gone. Take them"):
        forgetful.result()
    with pytest.raises(ServingError, match=r"taken with keep_outputs=False, so result\(\) could not be whole"):
        stream.restore(forgetful.snapshot())
    stream.feed(sequence(1))
    forgetful.restore(stream.snapshot())
    assert forgetful.steps == 29


def test_a_snapshot_of_another_bundle_is_refused_and_nothing_changes(stream, write_bundle, sequence):
    with Stream(write_bundle(seed=2)) as foreign:
        foreign.feed(sequence(1))
        saved = foreign.snapshot()
    stream.feed(sequence(1))
    expected = stream.result()
    with pytest.raises(ServingError, match=r"snapshot is of another bundle: its graph has SHA-256 .* Restore it with"):
        stream.restore(saved)
    _assert_same(stream.result(), expected)


def test_every_altered_byte_of_a_snapshot_is_noticed(stream, sequence):
    stream.feed(sequence(1, steps=2))
    saved = stream.snapshot()
    rng = np.random.default_rng(0)
    for position in [*range(80), *rng.integers(0, len(saved), size=300)]:
        spoilt = bytearray(saved)
        spoilt[position] ^= 1 << int(rng.integers(8))
        with pytest.raises(ServingError, match=r"snapshot"):
            stream.restore(bytes(spoilt))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda saved: saved[:-1], "damaged or cut short"),
        (lambda saved: saved + b"\0", "damaged or cut short"),
        (lambda saved: b"", "These 0 bytes are not a stream's snapshot"),
        (lambda saved: saved.replace(b"snapshot 1\n", b"snapshot 2\n", 1), "a snapshot of a newer keras_seq"),
        (lambda saved: "text", "must be the bytes that `snapshot\\(\\)` gave. Received: str"),
    ],
    ids=["cut", "longer", "empty", "newer", "text"],
)
def test_what_is_no_snapshot_is_refused(stream, spoil, message):
    with pytest.raises(ServingError, match=message):
        stream.restore(spoil(stream.snapshot()))


def test_the_batch_size_is_that_of_the_first_chunk(stream, masked, sequence):
    inputs = sequence(1)
    first, second = _cut(inputs, 5)
    stream.feed(first)
    with pytest.raises(InputError, match=r"batch size of the first, 3. Received: 2. Call reset"):
        stream.feed(sequence(1, rows=2))
    stream.feed(second)
    _assert_same(stream.result(), masked.predict(inputs))


def test_a_refused_chunk_changes_nothing(stream, masked, sequence):
    inputs = sequence(1)
    first, second = _cut(inputs, 5)
    stream.feed(first)
    with pytest.raises(InputError, match=r"ids run from 0 to 22"):
        stream.feed(second | {"words": second["words"] + 100})
    with pytest.raises(InputError, match=r"axis 1 \('time'\) has length zero"):
        stream.feed({name: value[:, :0] for name, value in first.items()})
    stream.feed(second)
    _assert_same(stream.result(), masked.predict(inputs))


def test_result_needs_a_chunk(stream):
    with pytest.raises(ServingError, match=r"no result yet: feed\(\) it a chunk first"):
        stream.result()


def test_a_graph_without_states_is_for_predictors(masked_path):
    with pytest.raises(BundleError, match=r"'model' .* carries no states: run it with `Predictor`"):
        Stream(masked_path, graph="model")


def test_a_bundle_without_step_says_how_to_get_one(write_bundle, edit_manifest):
    folder = write_bundle()
    edit_manifest(folder, lambda value: value["graphs"].pop("step"))
    with pytest.raises(
        BundleError, match=r"has no graph 'step'. It has: 'model'. Export the model with `streaming=True`"
    ):
        Stream(folder)


def test_closing_one_closes_all_and_repr_tells_where_it_stands(masked_path, sequence):
    with Stream(masked_path) as stream:
        other = stream.new()
        other.feed(sequence(1))
        assert repr(other).startswith("<Stream 'tagger' (words: int32 (batch, time), ")
        assert repr(other).endswith("29 steps fed, batch of 3>")
    with pytest.raises(ServingError, match=r"session of graph 'step' .* is closed"):
        other.feed(sequence(1))
