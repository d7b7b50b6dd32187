"""Streams that share calls: each gets what it gets alone, and nothing of a call that failed."""

import io
import json
import zipfile
from hashlib import sha256

import numpy as np
import pytest

from keras_seq.serving import GraphSpec, InputError, ServingError, StateSpec, Stream
from keras_seq.serving.session import Session
from keras_seq.serving.stream_step import StreamStep
from tests.serving.toy_cache import CONTEXT, FEATURES, KEYS, SIGNAL, attended, write_cache

ATOL = 1e-6


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory):
    """A stream over the graph whose states grow and whose positions are those of the first row."""
    with Stream(write_cache(tmp_path_factory.mktemp("bundles") / "looker")) as stream:
        yield stream


@pytest.fixture
def cache(shared_cache):
    """A stream over that graph at its start."""
    return shared_cache.new()


@pytest.fixture
def calls(monkeypatch):
    """The number of rows of each call of ONNX Runtime, as they come."""
    rows, run = [], Session.run

    def counted(self, feeds):
        rows.append(next(iter(feeds.values())).shape[0])
        return run(self, feeds)

    monkeypatch.setattr(Session, "run", counted)
    return rows


def chunk(inputs, start, stop):
    return {name: value[:, start:stop] for name, value in inputs.items()}


def feed_together(streams, chunks):
    """One round: `run` is called once for all of them, in one object's name."""
    answers = streams[0].run([stream.read(each) for stream, each in zip(streams, chunks, strict=True)])
    return [stream.take(answer) for stream, answer in zip(streams, answers, strict=True)]


@pytest.mark.parametrize("seed", range(4))
def test_random_companies_give_each_stream_what_it_gets_alone(stream, masked, draw, calls, seed):
    rng = np.random.default_rng(seed)
    streams, sequences = [], []
    for _ in range(13):
        rows, steps = rng.integers(1, 4), rng.integers(1, 30)
        words, shapes = draw(rng, [steps] * rows)
        sequences.append({"words": np.stack(words), "shapes": np.stack(shapes)})
        streams.append(stream.new())
    alone = [masked.predict(sequence) for sequence in sequences]
    calls.clear()
    fed = 0
    while left := [i for i, s in enumerate(streams) if s.steps < sequences[i]["words"].shape[1]]:
        company = rng.permutation(left)[: rng.integers(1, len(left) + 1)]
        chunks = []
        for i in company:
            rest = sequences[i]["words"].shape[1] - streams[i].steps
            size = min(rest, int(rng.choice([1, 1, 2, 5])))
            chunks.append(chunk(sequences[i], streams[i].steps, streams[i].steps + size))
        feed_together([streams[i] for i in company], chunks)
        fed += len(company)
    for each, expected in zip(streams, alone, strict=True):
        np.testing.assert_allclose(each.result()["tags"], expected["tags"], atol=ATOL)
        np.testing.assert_allclose(each.result()["sentence"], expected["sentence"], atol=ATOL)
    assert len(calls) < fed  # they did share


@pytest.mark.parametrize("seed", range(3))
def test_growing_states_and_positions_go_together_where_they_are_alike(cache, calls, seed):
    rng = np.random.default_rng(seed)
    signals = [rng.normal(size=(1, 23, FEATURES)).astype("float32") for _ in range(7)]
    streams = [cache.new() for _ in signals]
    fed = 0
    while left := [i for i, s in enumerate(streams) if s.steps < 23]:
        company = rng.permutation(left)[: rng.integers(1, len(left) + 1)]
        sizes = [min(int(rng.choice([1, 3, 5])), 23 - streams[i].steps) for i in company]
        feed_together(
            [streams[i] for i in company],
            [signals[i][:, streams[i].steps : streams[i].steps + n] for i, n in zip(company, sizes, strict=True)],
        )
        fed += len(company)
    for each, signal in zip(streams, signals, strict=True):
        np.testing.assert_allclose(each.result()["context"], attended(signal), atol=1e-5)
    assert len(calls) < fed


def test_the_key_says_who_may_share_a_call(stream, cache, draw):
    def key(each, steps, rows=1):
        words, shapes = draw(np.random.default_rng(0), [steps] * rows)
        return each.read({"words": np.stack(words), "shapes": np.stack(shapes)}).key

    words, shapes = draw(np.random.default_rng(0), [5])
    stream.feed({"words": words, "shapes": shapes})
    other = stream.new()
    assert key(stream, 3) == key(other, 3) == key(other, 3, rows=2)  # how long it has run is nothing to an LSTM
    assert key(stream, 3) != key(stream, 2)
    assert {key(stream, 3): 1}  # hashable

    signal = np.zeros((1, 9, FEATURES), "float32")
    cache.feed(signal[:, :4])
    same, shorter = cache.new(), cache.new()
    same.feed(signal[:, :2])
    same.feed(signal[:, :2])
    shorter.feed(signal[:, :3])
    assert cache.read(signal[:, :2]).key == same.read(signal[:, :2]).key
    assert cache.read(signal[:, :2]).key != shorter.read(signal[:, :2]).key


@pytest.mark.parametrize(
    ("name", "size", "alike"), [("encoder.position", 1, False), ("encoder.h", 1, True), ("encoder.position", 3, True)]
)
def test_a_position_alone_keeps_streams_apart(name, size, alike):
    state = StateSpec(name, "in", "out", "float32", ("batch", size))
    spec = GraphSpec("step.onnx", [SIGNAL], [CONTEXT], [state])
    inputs, states = {"signal": np.zeros((1, 2, FEATURES), "float32")}, {name: np.zeros((1, size), "float32")}
    keys = [StreamStep.of(spec, inputs, states, steps=2, steps_before=before).key for before in (3, 5)]
    assert (keys[0] == keys[1]) is alike


def test_the_past_alone_keeps_streams_apart():
    spec = GraphSpec("step.onnx", [SIGNAL], [CONTEXT], [KEYS])  # as with rotary positions, which are counted from it
    inputs = {"signal": np.zeros((1, 2, FEATURES), "float32")}

    def key(past):
        states = {KEYS.name: np.zeros((1, past, FEATURES), "float32")}
        return StreamStep.of(spec, inputs, states, steps=2, steps_before=past).key

    assert key(3) == key(3) != key(5)


def test_a_refused_chunk_leaves_everybody_as_they_were(stream, draw):
    words, shapes = (np.stack(rows) for rows in draw(np.random.default_rng(1), [6]))
    sequence = {"words": words, "shapes": shapes}
    streams = [stream.new() for _ in range(3)]
    feed_together(streams, [chunk(sequence, 0, 2)] * 3)
    saved = [each.snapshot() for each in streams]
    spoilt = chunk(sequence, 2, 4) | {"words": np.full((1, 2), 99)}
    with pytest.raises(InputError, match="ids run from 0 to 22"):
        feed_together(streams, [chunk(sequence, 2, 4), spoilt, chunk(sequence, 2, 4)])
    assert [each.snapshot() for each in streams] == saved


def test_a_call_that_fails_changes_nobody_even_if_others_of_the_round_went_well(stream, draw, monkeypatch):
    words, shapes = (np.stack(rows) for rows in draw(np.random.default_rng(1), [6]))
    sequence = {"words": words, "shapes": shapes}
    streams = [stream.new() for _ in range(3)]
    feed_together(streams, [chunk(sequence, 0, 2)] * 3)
    saved, run = [each.snapshot() for each in streams], Session.run

    def fails_for_three_steps(self, feeds):
        if feeds["words"].shape[1] == 3:
            raise ServingError("ONNX Runtime failed")
        return run(self, feeds)

    monkeypatch.setattr(Session, "run", fails_for_three_steps)
    steps = [each.read(chunk(sequence, 2, stop)) for each, stop in zip(streams, (4, 5, 4), strict=True)]
    with pytest.raises(ServingError, match="ONNX Runtime failed"):
        stream.run(steps)
    assert [each.snapshot() for each in streams] == saved
    streams[0].take(*stream.run(steps[:1]))  # alone, as often as one likes
    streams[2].take(*stream.run(steps[2:]))
    assert [each.steps for each in streams] == [4, 2, 4]


def test_what_a_stream_carries_is_its_own_memory(stream, cache, draw):
    words, shapes = (np.stack(rows) for rows in draw(np.random.default_rng(1), [6]))
    streams = [stream.new() for _ in range(5)]
    steps = [each.read({"words": words, "shapes": shapes}) for each in streams]
    for answer in stream.run(steps):
        for array in (*answer.outputs.values(), *answer.states.values()):
            assert array.flags.owndata
            assert array.base is None


def test_running_a_step_twice_gives_the_same_and_an_answer_is_taken_once(stream, draw):
    words, shapes = (np.stack(rows) for rows in draw(np.random.default_rng(1), [6]))
    sequence = {"words": words, "shapes": shapes}
    step = stream.read(sequence)
    first, second = stream.run([step])[0], stream.run([step])[0]
    np.testing.assert_array_equal(first.outputs["tags"], second.outputs["tags"])
    stream.take(first)
    for late in (second, stream.new().run([stream.new().read(sequence)])[0]):
        with pytest.raises(ServingError, match=r"not that of this stream's next chunk: .* Read the chunk again"):
            stream.take(late)
    stream.reset()
    stale = stream.run([stream.read(sequence)])[0]
    stream.restore(stream.snapshot())
    with pytest.raises(ServingError, match="reset or restored after read"):
        stream.take(stale)


# Snapshots that somebody made up: their digest is right.


def forged(saved: bytes, change) -> bytes:
    """The snapshot with its arrays changed by `change(header, arrays)`, and the digest that goes with it."""
    magic, payload = saved[: saved.index(b"\n") + 1], saved[saved.index(b"\n") + 33 :]
    with np.load(io.BytesIO(payload)) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays.pop("header")))
    change(header, arrays)
    written = io.BytesIO()
    np.savez(written, header=np.array(json.dumps(header)), **arrays)
    return magic + sha256(written.getvalue()).digest() + written.getvalue()


FORGERIES = {
    "position": (
        lambda header, arrays: arrays["state_2"].fill(7),
        r"state 'where.position' counts \[\[7.0\]\]. Expected: 5 in each row",
    ),
    "steps": (
        lambda header, arrays: header.update(steps=6),
        r"'look.keys' is float32 \(1, 5, 3\). Expected: float32 \(1, 6, 3\)",
    ),
    "no steps": (lambda header, arrays: header.update(steps=0), r"after 0 steps it has 3 states"),
    "rows": (
        lambda header, arrays: arrays.update(state_1=np.zeros((2, 5, 5), "float32")),
        r"'look.values' is float32 \(2, 5, 5\). Expected: float32 \(1, 5, 5\)",
    ),
    "dtype": (lambda header, arrays: arrays.update(state_0=arrays["state_0"].astype("float64")), "is float64"),
    "states": (lambda header, arrays: header["states"].reverse(), "its states are 'where.position', 'look.values'"),
    "lacking": (lambda header, arrays: arrays.pop("state_1"), "begin as a stream's snapshot and do not go on as one"),
    "negative": (lambda header, arrays: header.update(steps=-1), r"its header: `steps` must be at least 0"),
    "words": (lambda header, arrays: header.update(steps="five"), r"its header: `steps` must be an integer"),
    "outputs": (
        lambda header, arrays: header.update(outputs=["look.keys"]) or arrays.update(output_0=np.zeros(10**5)),
        "its outputs are 'look.keys'. Expected: some of 'context'",
    ),
    "not an object": (lambda header, arrays: arrays.update(state_0=np.array([None])), "do not go on as one"),
}


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_snapshot_that_no_chunk_could_have_led_to_is_refused(cache, kind):
    change, message = FORGERIES[kind]
    signal = np.random.default_rng(0).normal(size=(1, 9, FEATURES)).astype("float32")
    cache.feed(signal[:, :5])
    saved = cache.new(keep_outputs=False)
    saved.feed(signal[:, :5])
    other = cache.new(keep_outputs=False)
    other.restore(forged(saved.snapshot(), lambda header, arrays: None))  # the forger knows the craft
    with pytest.raises(InputError, match=message):
        cache.restore(forged(saved.snapshot(), change))
    cache.feed(signal[:, 5:])
    np.testing.assert_allclose(cache.result()["context"], attended(signal), atol=1e-5)


def payload(**arrays) -> bytes:
    written = io.BytesIO()
    np.savez_compressed(written, **arrays)
    return written.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not go on as one"),
        (b"no archive at all", "not go on as one: File is not a zip file"),
        (payload(header=np.zeros(10**6)), "its arrays are compressed, and may be of any size"),
    ],
    ids=["empty", "no archive", "bomb"],
)
def test_bytes_of_any_origin_are_safe_to_restore(cache, content, message):
    magic = cache.snapshot().partition(b"\n")[0] + b"\n"
    with pytest.raises(InputError, match=message):
        cache.restore(magic + sha256(content).digest() + content)


def test_arrays_that_claim_more_than_there_is_are_refused(cache):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        entry = io.BytesIO()
        np.lib.format.write_array_header_1_0(entry, {"descr": "<f4", "fortran_order": False, "shape": (2**50,)})
        archive.writestr("header.npy", entry.getvalue())
    magic = cache.snapshot().partition(b"\n")[0] + b"\n"
    with pytest.raises(InputError, match="do not go on as one"):
        cache.restore(magic + sha256(written.getvalue()).digest() + written.getvalue())
