"""Stream over a graph whose states grow: any cut gives the whole, it goes on from a snapshot, and it says when full."""

import json
from itertools import pairwise

import numpy as np
import pytest

from keras_seq.serving import Bundle, BundleError, InputError, Manifest, ServingError, StateSpec, Stream
from tests.serving.toy_cache import FEATURES, KEYS, LONGEST, SIZE, attended, write_cache

ATOL = 1e-5
BATCH, TIME = 7, 23


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """Folder of the toy bundle with a cache."""
    return write_cache(tmp_path_factory.mktemp("bundles") / "looker")


@pytest.fixture(scope="module")
def shared(path):
    """The stream whose session the tests share through `new()`."""
    with Stream(path) as stream:
        yield stream


@pytest.fixture
def stream(shared):
    """A stream at its start."""
    return shared.new()


def _signal(rows=BATCH, steps=TIME, seed=0):
    return np.random.default_rng(seed).normal(size=(rows, steps, FEATURES)).astype("float32")


@pytest.mark.parametrize("rows", [1, BATCH])
@pytest.mark.parametrize("bounds", [[], range(1, TIME), [1], [TIME - 1], [3, 5, 16]], ids=str)
def test_any_cut_gives_the_outputs_of_the_whole(stream, bounds, rows):
    signal = _signal(rows)
    for start, stop in pairwise([0, *bounds, TIME]):
        stream.feed(signal[:, start:stop])
    np.testing.assert_allclose(stream.result()["context"], attended(signal), atol=ATOL)
    assert (stream.steps, stream.batch_size) == (TIME, rows)


def test_streams_of_different_lengths_on_one_session_do_not_mix(stream):
    signals = [_signal(1 + seed % 3, seed=seed) for seed in range(5)]
    streams = [stream.new() for _ in signals]
    for step in range(TIME):
        for number, (each, signal) in enumerate(zip(streams, signals, strict=True)):
            if step < TIME - number:
                each.feed(signal[:, step : step + 1])
    for number, (each, signal) in enumerate(zip(streams, signals, strict=True)):
        np.testing.assert_allclose(each.result()["context"], attended(signal[:, : TIME - number]), atol=ATOL)


def test_memory_grows_by_keys_and_values_and_goes_with_a_reset(stream):
    assert stream.nbytes == 0
    for steps in (2, 11):
        stream.reset()
        stream.feed(_signal(steps=steps))
        assert stream.nbytes == 4 * BATCH * (steps * (FEATURES + SIZE) + 1)
    stream.reset()
    assert stream.nbytes == 0


def test_a_snapshot_in_mid_stream_goes_on_exactly_where_it_was_taken(stream):
    signal = _signal()
    stream.feed(signal[:, :5])
    stream.feed(signal[:, 5:11])
    saved = stream.snapshot()
    other = stream.new()
    other.feed(_signal(rows=2, seed=3))  # forgotten by restore
    other.restore(saved)
    assert (other.steps, other.nbytes) == (11, stream.nbytes)
    for each in (stream, other):
        each.feed(signal[:, 11:])
        np.testing.assert_allclose(each.result()["context"], attended(signal), atol=ATOL)


def test_a_cache_of_another_model_is_refused_and_nothing_changes(stream, tmp_path):
    signal = _signal()
    with Stream(write_cache(tmp_path / "other", seed=2)) as foreign:
        foreign.feed(signal)
        saved = foreign.snapshot()
    stream.feed(signal[:, :5])
    with pytest.raises(ServingError, match=r"The snapshot is of another bundle: its graph has SHA-256"):
        stream.restore(saved)
    stream.feed(signal[:, 5:])
    np.testing.assert_allclose(stream.result()["context"], attended(signal), atol=ATOL)


def test_a_full_stream_refuses_the_step_beyond_and_stays_as_it_was(stream):
    signal = _signal(steps=LONGEST + 1)
    stream.feed(signal[:, : LONGEST - 1])
    message = (
        rf"The stream is full: the model takes {LONGEST} steps at most, {LONGEST - 1} were fed, and this chunk has 2. "
        r"Call reset\(\) or new\(\) to start over, or train and export a model that allows more."
    )
    with pytest.raises(InputError, match=message):
        stream.feed(signal[:, LONGEST - 1 :])
    stream.feed(signal[:, LONGEST - 1 : LONGEST])
    np.testing.assert_allclose(stream.result()["context"], attended(signal[:, :LONGEST]), atol=ATOL)
    with pytest.raises(InputError, match=rf"{LONGEST} were fed, and this chunk has 1"):
        stream.feed(signal[:, LONGEST:])
    stream.reset()
    stream.feed(signal[:, :LONGEST])


def test_a_chunk_that_is_too_long_in_itself_is_refused_by_input(stream):
    with pytest.raises(InputError, match=rf"Input 'signal': 'time' is 32 long, and the model takes {LONGEST} at most"):
        stream.feed(_signal(steps=LONGEST + 1))
    assert (stream.steps, stream.batch_size) == (0, None)


# The manifest.


def test_states_that_grow_are_written_and_read_the_same(path):
    manifest = Bundle.load(path).manifest
    assert Manifest.from_json(manifest.to_json()) == manifest
    keys, values, position = manifest.graphs["step"].states
    assert keys == KEYS
    assert (keys.growing_dim, values.growing_dim, position.growing_dim) == ("past", "past", None)
    assert keys.start_shape(BATCH) == (BATCH, 0, FEATURES)
    assert position.start_shape(BATCH) == (BATCH, 1)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (
            ["batch", "past", "heads"],
            r"`graphs.step.states\[0\].shape` must be fixed but for 'batch' and one dimension that grows from zero. "
            r"Received: \['batch', 'past', 'heads'\]",
        ),
        (
            ["batch", "time", FEATURES],
            r"`graphs.step.states\[0\].shape` must be fixed but for 'batch' and one dimension of its own that grows "
            r"from zero; the inputs have these: 'batch', 'time'. Received: \['batch', 'time', 3\]",
        ),
        (["past", FEATURES], r"must be a list with 'batch' as its first dimension"),
        (["batch", "past", 0], r"must be a list of positive integers and names"),
    ],
    ids=str,
)
def test_shapes_that_no_stream_could_start_with_are_refused(path, shape, message):
    value = json.loads((path / "bundle.json").read_text(encoding="utf-8"))
    value["graphs"]["step"]["states"][0]["shape"] = shape
    with pytest.raises(BundleError, match=message):
        Manifest.from_dict(value)


def test_a_state_of_one_size_is_written_as_ever():
    state = StateSpec("lstm.h", "lstm.h", "lstm.h.next", "float32", ("batch", 7))
    written = {"name": "lstm.h", "input": "lstm.h", "output": "lstm.h.next", "dtype": "float32", "shape": ["batch", 7]}
    assert state.to_dict() == written
    assert list(state.to_dict()) == list(written)
