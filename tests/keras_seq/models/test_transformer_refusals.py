"""What the transformers refuse, and how they say so."""

import numpy as np
import pytest

from keras_seq import BeamSearch, Greedy
from tests.keras_seq.models.transformer_cases import (
    SOURCE_IDS,
    TARGET_IDS,
    language_model,
    one_late,
    sources,
    targets,
    transformer,
)


@pytest.mark.parametrize("make", [transformer, language_model])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"features": 10, "num_heads": 3}, r"`num_heads` must divide `features`.*num_heads=3, features=10"),
        ({"num_key_value_heads": 3}, r"`num_key_value_heads` must divide `num_heads`.*=3, num_heads=2"),
        ({"position": "rotary"}, r"a head must have an even number.*features=6, num_heads=2, so 3"),
        ({"position": "learned"}, r'position="learned" has a table of positions, whose size `max_.*=None'),
        ({"position": "absolute"}, r"`position` must be one of .*Received: position='absolute'"),
        ({"norm": "batch"}, r"`norm` must be one of layer, rms. Received: norm='batch'"),
        ({"dropout": 1.0}, r"`dropout` must be at least 0 and less than 1. Received: dropout=1.0"),
        ({"feed_forward_units": 0}, r"`feed_forward_units` must be a positive integer. Received: .*=0"),
        ({"end_id": 13}, r"`end_id` must be from 1 to 12.*Received: end_id=13, .*vocabulary_size=13"),
        ({"start_id": 0}, r"`start_id` must be from 1 to 12.*Received: start_id=0"),
    ],
)
def test_arguments_that_do_not_go_together(make, arguments, message):
    with pytest.raises(ValueError, match=message):
        make("paper", **arguments)


def test_embeddings_of_two_vocabularies_cannot_be_shared():
    with pytest.raises(ValueError, match=r"needs one vocabulary.*source_vocabulary_size=11, target_vocabulary_size=13"):
        transformer(share_embeddings=True)


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ([[SOURCE_IDS]], [[3]], r"`source` must hold ids, whole numbers from 0 \(padding\) to 10.*Received: 11 at \[0"),
        ([[3]], [[TARGET_IDS]], r"`target` must hold ids.* to 12.*Received: 13"),
        ([[3] * 8], [[3]], r"`source` must have at most max_source_length=7 steps. Received: 8 steps"),
        ([[3]], [[3] * 10], r"`target` must have at most max_target_length=9 steps. Received: 10 steps"),
        ([[3], [4]], [[3]], r"as many rows of one as of the other. Received rows: source: 2, target: 1"),
        ([3], [[3]], r"`source` must have the shape \(batch, time\). Received: shape \(1,\)"),
    ],
)
def test_sources_and_targets_out_of_range(source, target, message):
    model, pair = transformer("learned"), (np.array(source, "int32"), np.array(target, "int32"))
    for ask in (model, lambda pair: model.log_prob(*pair), lambda pair: model.attention_scores(*pair)):
        with pytest.raises(ValueError, match=message):
            ask(pair)


def test_targets_with_tokens_behind_padding_have_no_score():
    with pytest.raises(ValueError, match=r"`target` must have its padding, the id 0, behind the tokens.*row 0"):
        transformer().log_prob(sources(), np.array([[3, 0, 2]] * 3, "int32"))


def test_ids_and_prompts_out_of_range():
    model = language_model("learned")
    with pytest.raises(ValueError, match=r"`ids` must have at most max_length=11 steps. Received: 12 steps"):
        model(np.full((1, 12), 3, "int32"))
    with pytest.raises(ValueError, match=r"`prompt` must hold ids.*Received: 13 at \[0, 1\]"):
        model.generate([[3, 13]], Greedy(max_length=2))
    with pytest.raises(ValueError, match=r"`prompt` must have its padding, the id 0, behind the tokens.*row 1"):
        model.generate([[3, 4], [0, 5]], Greedy(max_length=2))
    with pytest.raises(ValueError, match=r"`prompt` must have the shape \(batch, time\)"):
        model.start_decoding(np.array([3, 4]))


def test_more_tokens_than_there_are_positions_cannot_be_asked_for():
    model, lm = transformer("learned"), language_model("learned")
    with pytest.raises(
        ValueError, match=r'Model "transformer.*" can generate 9 tokens at most. Received: max_length=10'
    ):
        model.generate(sources(), Greedy(max_length=10))
    with pytest.raises(ValueError, match=r"can generate 7 tokens at most. Received: max_length=8"):
        lm.generate(np.full((2, 4), 3, "int32"), max_length=8)
    with pytest.raises(ValueError, match=r"can generate 9 tokens at most. Received: max_length=10"):
        model.generation_limits(10)
    assert lm.generation_limits(4) == (4, {"time": 7})
    # Where the caller names no length, it is what there is room for.
    assert model.generate(sources()).ids.shape[-1] <= 9
    assert lm.generate(np.full((2, 4), 3, "int32"), num_samples=2).ids.shape[-1] <= 7


def test_more_beams_than_tokens_are_refused():
    with pytest.raises(ValueError, match=r"`num_beams` must not be above the number of tokens.*num_beams=14"):
        transformer().generate(sources(), BeamSearch(num_beams=14, max_length=3))


def test_a_model_takes_a_pair():
    model = transformer()
    with pytest.raises(ValueError, match=r"takes a pair, \(source, target_in\)"):
        model(one_late(targets()))
