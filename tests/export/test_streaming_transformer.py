"""Causal transformers from the Keras model to the stream: bundle, runtime, limits."""

import itertools

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export import export_model, verify_bundle
from keras_seq.serving import Bundle, InputError, Predictor, Stream
from tests.export.graphs import with_random_weights
from tests.export.step_graph import TIME, Step, random_cuts

pytestmark = pytest.mark.backend("tensorflow")

BATCH, VOCABULARY, FEATURES, LONGEST = 3, 23, 12, 37


def language_model(name="lm", seed=0, **arguments):
    """Ids, of which 0 is padding, to logits of the next one."""
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = keras.layers.Embedding(VOCABULARY, FEATURES, mask_zero=True)(ids)
    decoder = keras_seq.TransformerDecoder(2, 3, 13, cross_attention=False, name="decoder", **arguments)
    logits = keras.layers.Dense(VOCABULARY, name="logits")(decoder(x))
    return with_random_weights(keras.Model(ids, logits, name=name), seed)


@pytest.fixture(scope="module")
def model():
    return language_model(position="learned", max_length=LONGEST)


@pytest.fixture(scope="module")
def bundle(model, tmp_path_factory):
    """Folder of the bundle, both formats in it."""
    folder = tmp_path_factory.mktemp("bundles") / "lm"
    export_model(model, folder, streaming=True)
    return folder


@pytest.fixture
def ids():
    """A row each: padding at the start, in gaps, nowhere."""
    rng = np.random.default_rng(7)
    ids = rng.integers(1, VOCABULARY, (BATCH, TIME)).astype("int32")
    ids[0, :11] = 0
    ids[1, rng.random(TIME) < 0.4] = 0
    return ids


def feed(stream, ids, bounds):
    for start, stop in itertools.pairwise(bounds):
        stream.feed(ids[:, start:stop])
    return stream.result()["logits"]


def test_manifest_names_states_and_limit(bundle):
    graphs = Bundle.load(bundle).manifest.graphs
    heads = ("batch", 3, "past", 4)
    names = ("decoder.block_0.self_attention", "decoder.block_1.self_attention")
    assert {state.name: state.shape for state in graphs["step"].states} == {
        "decoder.position_encoding.position": ("batch", 1),
        **{f"{name}.{short}": heads for name in names for short in ("keys", "values")},
        f"{names[0]}.bias": ("batch", "past"),
    }
    assert {(state.input, state.output) for state in graphs["step"].states} == {
        (state.name, f"{state.name}.next") for state in graphs["step"].states
    }
    assert graphs["step"].limits == graphs["model"].limits == {"time": LONGEST}


def test_any_cut_gives_what_the_model_gives(bundle, model, ids):
    expected, whole = model(ids).numpy(), Predictor(bundle).predict(ids)["logits"]
    stream = Stream(bundle)
    for rows in (slice(0, 3), slice(1, 2)):
        for bounds in ([0, TIME], list(range(TIME + 1)), random_cuts(1), random_cuts(2)):
            stream.reset()
            received = feed(stream, ids[rows], bounds)
            np.testing.assert_allclose(received, whole[rows], rtol=1e-5, atol=1e-5)
            np.testing.assert_allclose(received, expected[rows], rtol=1e-5, atol=1e-5)


def test_stream_goes_on_from_a_snapshot(bundle, model, ids):
    stream = Stream(bundle)
    feed(stream, ids, [0, 5, 11])
    other = stream.new()
    other.restore(stream.snapshot())
    received = feed(other, ids, [11, 12, TIME])
    np.testing.assert_allclose(received, model(ids), rtol=1e-5, atol=1e-5)
    assert other.nbytes == 4 * BATCH * (TIME * (2 * 2 * FEATURES + 1) + 1)


def test_streams_share_calls_and_none_notices(bundle, ids):
    """Positions are those of the first row of a call, so only streams that are equally far on may share one."""
    expected, rng = Predictor(bundle).predict(ids)["logits"], np.random.default_rng(3)
    graph = Stream(bundle)
    streams = [graph.new() for _ in range(4 * BATCH)]
    while left := [i for i, stream in enumerate(streams) if stream.steps < TIME]:
        company = rng.permutation(left)[: rng.integers(1, len(left) + 1)]
        chunks = [(streams[i].steps, min(TIME, streams[i].steps + int(rng.choice([1, 1, 3])))) for i in company]
        rows = [ids[i % BATCH, None, slice(*chunk)] for i, chunk in zip(company, chunks, strict=True)]
        answers = graph.run([streams[i].read(row) for i, row in zip(company, rows, strict=True)])
        for i, answer in zip(company, answers, strict=True):
            streams[i].take(answer)
    for i, stream in enumerate(streams):
        np.testing.assert_allclose(stream.result()["logits"][0], expected[i % BATCH], rtol=1e-5, atol=1e-5)


def test_stream_ends_where_the_positions_end(bundle):
    stream = Stream(bundle)
    ids = np.ones((1, LONGEST), "int32")
    stream.feed(ids[:, 1:])
    with pytest.raises(InputError, match=rf"stream is full: the model takes {LONGEST} steps at most, 36 were fed, and"):
        stream.feed(ids[:, :2])
    stream.feed(ids[:, :1])
    with pytest.raises(InputError, match=rf"'time' is 38 long, and the model takes {LONGEST} at most. "):
        Predictor(bundle).predict(np.ones((1, LONGEST + 1), "int32"))


def test_bundle_verifies_itself_again(bundle, model):
    results = verify_bundle(bundle, model)
    assert {result.candidate for result in results} >= {"step.onnx in chunks", "saved_model:step in chunks"}
    assert {(result.atol, result.rtol) for result in results} == {(1e-5, 1e-5)}  # attention sums otherwise in each cut
    assert all(result.passed for result in results)


@pytest.mark.parametrize(
    "arguments",
    [
        {"position": "rotary", "norm": "rms", "norm_first": True, "num_key_value_heads": 1, "activation": "swiglu"},
        {"position": "sinusoidal"},
    ],
    ids=["modern", "paper"],
)
def test_positions_without_end_stream_far_beyond_any_length_in_training(arguments):
    model = language_model(**arguments)
    ids = np.random.default_rng(3).integers(1, VOCABULARY, (2, 401)).astype("int32")
    (received,) = Step(model).run({"ids": ids}, [0, 1, 2, 97, 399, 400, 401])
    np.testing.assert_allclose(received, model(ids), rtol=1e-4, atol=1e-4)
