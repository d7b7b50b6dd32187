"""Five hundred dates as people write them, of many lengths: the bundle reads them as the trained Keras model does."""

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.export import export_model
from keras_seq.export.generation_parity import CLOSE_CALL, decided_rows
from keras_seq.serving import Predictor

pytest.importorskip("babel", reason="the dates are written by babel, which is not installed")

from date_reading.corpus import load_dates
from generating.batches import PairBatches
from generating.model import build_model
from generating.padding import pad
from generating.vocabulary import Vocabulary

COUNT, BEAMS = 500, 3


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that has begun to read dates, its bundle, and the dates it is asked."""
    keras.utils.set_random_seed(3)
    corpus = load_dates(count=3000, held_out=COUNT, languages=["en", "de", "fr", "ja"])
    sources = Vocabulary.fit([date.source for date in corpus.train])
    targets = Vocabulary.fit([tuple(date.iso) for date in corpus.train])
    model = build_model(len(sources), len(targets), units=32, embedding_dim=16)
    batches = PairBatches(
        [sources.encode(date.source) for date in corpus.train],
        [targets.encode(tuple(date.iso), end=True) for date in corpus.train],
        size=50,
    )
    model.compile(keras.optimizers.Adam(0.01), keras_seq.SequenceCrossentropy())
    model.fit(batches, epochs=3, verbose=0)
    strategy = keras_seq.BeamSearch(num_beams=BEAMS, max_length=14)
    path = tmp_path_factory.mktemp("dates") / "bundle"
    export_model(model, path, formats="onnx", generate=strategy)
    return model, path, strategy, [sources.encode(date.source) for date in corpus.new_dates]


def test_hypotheses_are_identical_and_scores_agree(trained):
    model, path, strategy, rows = trained
    assert len(rows) == COUNT
    assert len({len(row) for row in rows}) > 10
    source = pad(rows)
    decoding = model.start_decoding(source, BEAMS)
    ids = {"start_id": model.start_id, "end_id": model.end_id}
    expected, margins = keras_seq.generate(decoding, strategy, **ids, with_margins=True)
    decided = np.asarray(margins) > CLOSE_CALL
    assert decided.mean() > 0.97

    with Predictor(path, graph="generate") as predictor:
        one_batch = predictor.predict(source)
        by_row = predictor.predict(rows)
    expected = {name: np.asarray(value) for name, value in expected._asdict().items()}
    assert len({tuple(row) for row in expected["ids"][:, 0].tolist()}) > COUNT / 5  # it does not say one date to all
    found, wanted = decided_rows(one_batch, decided), decided_rows(expected, decided)
    for name in ("ids", "lengths", "finished"):
        assert np.array_equal(found[name], wanted[name]), name
    for name in ("scores", "alignments"):
        np.testing.assert_allclose(found[name], wanted[name], atol=1e-4, rtol=1e-4, err_msg=name)
    for index in np.flatnonzero(decided):
        longest = int(expected["lengths"][index].max())
        assert np.array_equal(by_row["ids"][index][:, :longest], expected["ids"][index][:, :longest])
