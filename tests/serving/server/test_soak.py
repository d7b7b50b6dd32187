"""The short form of `benchmarks/soak.py`: visitors of every kind at once, models reloaded under them, all served."""

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest

from keras_seq.serving.server import ModelRepository, ServerSettings, create_app
from keras_seq.serving.server.run import ThreadedServer
from tests.serving.toy_text import document, write_language_model, write_tagger

sys.path.insert(0, str(Path(__file__).parents[3] / "benchmarks"))

from soaking.oracle import Oracle
from soaking.soak import soak
from soaking.tally import Tally

DECODING = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
OPTIONS = {"max_length": 5, "temperature": 0.8, "seed": 3}
TEXTS = ("the dog barks!", "it rains", "The naïve dog", "zebra", "it")
KINDS = {
    "JSON",
    "binary",
    "tag",
    "classify",
    "generate",
    "events",
    "chunk",
    "frame",
    "nonsense",
    "load",
    "looking around",
}


@pytest.fixture
def bundles(write_bundle, tmp_path):
    return {
        "tagger": write_bundle("tagger"),
        "flicker": write_bundle("flicker", seed=2),
        "reader": write_tagger(tmp_path / "reader"),
        "writer": write_language_model(tmp_path / "writer", DECODING, OPTIONS, document()),
    }


@pytest.fixture
def oracles(bundles):
    known = {"reader": TEXTS, "writer": ("the dog", "it", "")}
    return [Oracle(name, path, known.get(name, ()), name == "flicker") for name, path in bundles.items()]


def test_nothing_is_wrong_or_lost_while_models_come_and_go_and_clients_leave(bundles, oracles):
    app = create_app(ModelRepository(bundles, settings=ServerSettings(workers=2, num_threads=1)))
    with ThreadedServer(app) as server:
        tally = asyncio.run(soak(server.port, oracles, seed=7, visitors=8, listeners=3, visits=60, pause_seconds=0.05))
        traffic = app.state.context.traffic
        assert not tally.faults
        assert tally.requests > 8 * 60
        assert {kind for kind, count in tally.right.items() if count} == {*KINDS, "load"}
        assert set(tally.aborted) == {"whole request", "half a request", "events", "stream"}
        assert traffic.quiet  # nobody's request is left over


def test_a_swapped_answer_would_be_seen(bundles, oracles):
    swapped = {**bundles, "tagger": bundles["flicker"]}
    with ThreadedServer(create_app(ModelRepository(swapped))) as server:
        tally = asyncio.run(soak(server.port, oracles[:1], seed=7, visitors=2, listeners=1, visits=15))
    assert tally.wrong > 15
    assert "tagger: tags differs by" in "\n".join(tally.faults)


def test_growth_compares_the_end_with_the_time_after_the_warm_up():
    warm_up = [(second, 50.0 + 5 * second) for second in range(10)]
    flat = [(second, 100.0) for second in range(10, 50)]
    assert Tally(samples=warm_up + flat).growth() == 0
    leaking = [(second, 90.0 + second) for second in range(10, 50)]
    assert Tally(samples=warm_up + leaking).growth() == pytest.approx(30 / 104.5)
    assert Tally(samples=flat[:9]).growth() is None


def test_the_tally_counts_all():
    tally = Tally(right=Counter(a=2), sent_away=Counter(a=3), aborted=Counter(b=5), wrong=7, lost=11)
    assert tally.requests == 28
