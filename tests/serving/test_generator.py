"""Generator: hypotheses of each source, cut to their lengths."""

import numpy as np
import pytest

from keras_seq.serving import BundleError, Generator, InputError, ServingError
from tests.serving.toy_decoder import DECODING, END, OPTIONS, decode, write_decoder

ROWS = [[4, 8, 15, 16], [22, 3], [7]]


@pytest.fixture(scope="module")
def generator(decoder_path):
    with Generator(decoder_path) as generator:
        yield generator


@pytest.mark.parametrize("options", [{}, {"max_length": 3}, {"max_length": 5, "alpha": 1.5}])
def test_each_source_gets_its_hypotheses(generator, options):
    found = generator.generate(ROWS, **options)
    assert len(found) == len(ROWS)
    for row, hypotheses in zip(ROWS, found, strict=True):
        expected = decode(np.array(row), **options)
        assert len(hypotheses) == len(expected["ids"])
        for beam, hypothesis in enumerate(hypotheses):
            length = expected["lengths"][beam]
            np.testing.assert_array_equal(hypothesis.ids, expected["ids"][beam, :length])
            np.testing.assert_allclose(hypothesis.alignment, expected["alignments"][beam, :length], rtol=1e-6)
            assert hypothesis.score == pytest.approx(expected["scores"][beam], rel=1e-6)
            assert hypothesis.finished is bool(expected["finished"][beam])
            assert (hypothesis.ids[-1] == END) == hypothesis.finished


def test_an_array_of_sources_will_do(generator):
    for given in (np.array(ROWS[:1]), {"source": np.array(ROWS[:1])}):
        [hypotheses] = generator.generate(given)
        np.testing.assert_array_equal(hypotheses[0].ids, decode(np.array(ROWS[0]))["ids"][0, :4])


def test_a_model_without_attention_has_no_alignments(tmp_path):
    with Generator(write_decoder(tmp_path / "dates", attends=False)) as generator:
        assert generator.generate(ROWS)[0][0].alignment is None


def test_options_are_checked(generator):
    with pytest.raises(InputError, match=r"has no option 'beam'. Valid names: 'max_length', 'alpha'"):
        generator.generate(ROWS, beam=3)


def test_it_tells_what_it_is(generator):
    assert (generator.options, generator.decoding, generator.metadata) == (OPTIONS, DECODING, {})
    assert [spec.name for spec in generator.inputs] == ["source"]
    assert generator.bundle.manifest.name == "dates"
    assert repr(generator) == (
        "<Generator 'dates' (source: int32 (batch, time), max_length=11, alpha=0.5) "
        "strategy=beam_search num_beams=3 start_id=1 end_id=2>"
    )


def test_a_graph_without_hypotheses_is_for_predictors(masked_path):
    with pytest.raises(BundleError, match=r"'model' of .* gives no hypotheses.*It gives: 'tags', 'sentence'. Run it"):
        Generator(masked_path, graph="model")


def test_a_closed_generator_refuses(decoder_path):
    with Generator(decoder_path) as generator:
        pass
    with pytest.raises(ServingError, match=r"session of graph 'generate' .* is closed"):
        generator.generate(ROWS)
