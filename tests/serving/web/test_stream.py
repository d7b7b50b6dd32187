"""Stream in JavaScript: the outputs of the one in Python, and snapshots that go from one to the other."""

import dataclasses
import itertools

import numpy as np
import pytest

from keras_seq.serving import InputError, Stream
from keras_seq.serving.snapshot import Snapshot
from tests.serving import toy_cache
from tests.serving.conftest import FEATURES
from tests.serving.web.node import check, run_tests, write_cases


def _cuts(rng, steps):
    inside = sorted(rng.choice(np.arange(1, steps), size=min(steps - 1, rng.integers(1, 6)), replace=False).tolist())
    return [0, *inside, steps]


def _forged(data):
    """Snapshots that are whole, and cannot be of their graph."""
    snapshot = Snapshot.from_bytes(data)
    (first, state), *others = snapshot.states.items()
    spoilt = [
        {"states": {}},
        {"steps": 0},
        {"states": {**snapshot.states, "more": state}},
        {"states": dict([*others, (first, state)])},
        {"states": {**snapshot.states, first: state[:, :1]}},
        {"states": {**snapshot.states, first: state.astype("float64")}},
        {"states": {name: array[:0] for name, array in snapshot.states.items()}},
        {"outputs": {"another": state}},
    ]
    if "where.position" in snapshot.states:
        spoilt.append({"states": {**snapshot.states, "where.position": snapshot.states["where.position"] + 1}})
    return [dataclasses.replace(snapshot, **change).to_bytes() for change in spoilt]


def _case(folder, name, path, sequences, refused):
    """What JavaScript is to feed, and what Python found; beside it a snapshot of each sequence in its middle."""
    done = {"name": name, "bundle": path, "sequences": [], "refused": [], "forged": []}
    rng = np.random.default_rng(11)
    with Stream(path) as first:
        for i, inputs in enumerate(sequences):
            stream, chunks = first.new(), []
            cuts = _cuts(rng, next(iter(inputs.values())).shape[1])
            middle = len(cuts) // 2
            for j, (start, end) in enumerate(itertools.pairwise(cuts)):
                if j == middle:
                    (folder / f"{name}.{i}.python").write_bytes(stream.snapshot())
                chunks.append(stream.feed({key: array[:, start:end] for key, array in inputs.items()}))
            case = {"inputs": inputs, "cuts": cuts, "middle": middle, "chunks": chunks, "result": stream.result()}
            done["sequences"].append(case)
        for wrong in refused:
            stream = first.new()
            stream.feed({key: array[:, : done["sequences"][0]["cuts"][1]] for key, array in sequences[0].items()})
            with pytest.raises(InputError) as error:
                stream.feed(wrong)
            done["refused"].append({"given": wrong, "message": str(error.value)})
        for forged in _forged((folder / f"{name}.0.python").read_bytes()):
            with pytest.raises(InputError) as error:
                first.restore(forged)
            done["forged"].append({"bytes": forged, "message": str(error.value)})
    return done


@pytest.mark.parametrize("ort", ["web", "native"])
def test_streams_are_those_of_python_and_go_on_there(ort, masked_path, draw, tmp_path, subtests):
    rng = np.random.default_rng(7)
    tagged = []
    for rows, steps in ((3, 13), (1, 2), (2, 29)):
        words, shapes = draw(rng, [steps] * rows)
        tagged.append({"words": np.stack(words), "shapes": np.stack(shapes)})
    looked = [
        {"signal": rng.normal(size=(rows, steps, toy_cache.FEATURES)).astype("float32")}
        for rows, steps in ((2, 19), (1, toy_cache.LONGEST), (5, 2))
    ]
    cache = toy_cache.write_cache(tmp_path / "cache")
    words, shapes = np.ones((3, 1), "int32"), np.zeros((3, 1, FEATURES), "float32")
    full = np.zeros((2, toy_cache.LONGEST, toy_cache.FEATURES), "float32")
    cases = [
        _case(
            tmp_path,
            "recurrent",
            masked_path,
            tagged,
            [{"words": words[:2], "shapes": shapes[:2]}, {"words": words}, {"words": words - 2, "shapes": shapes}],
        ),
        _case(tmp_path, "attentive", cache, looked, [full, full[:1, :1]]),
    ]
    check(subtests, run_tests("stream.test.js", write_cases(tmp_path, streams=cases), ort=ort))
    for case in cases:
        with Stream(case["bundle"]) as stream:
            for i, done in enumerate(case["sequences"]):
                stream.restore((tmp_path / f"{case['name']}.{i}.javascript").read_bytes())
                middle, cuts = done["middle"], done["cuts"]
                for start, end, chunk in zip(cuts[middle:], cuts[middle + 1 :], done["chunks"][middle:], strict=False):
                    found = stream.feed({key: array[:, start:end] for key, array in done["inputs"].items()})
                    for name, array in chunk.items():
                        np.testing.assert_allclose(found[name], array, rtol=1e-4, atol=1e-6)
                for name, array in done["result"].items():
                    np.testing.assert_allclose(stream.result()[name], array, rtol=1e-4, atol=1e-6)
