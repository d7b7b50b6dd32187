"""What Seq2Seq refuses, and how it says so."""

import keras
import pytest

import keras_seq
from tests.keras_seq.models.cases import DIM, SOURCE_IDS, TARGET_IDS, UNITS, data, make, one_late


def attending():
    return keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS), keras_seq.BahdanauAttention(UNITS))


def not_attending():
    return keras_seq.AttentionDecoder(keras_seq.GRUCell(UNITS))


def model_of(encoder, decoder, **kwargs):
    arguments = {"source_vocabulary_size": SOURCE_IDS, "target_vocabulary_size": TARGET_IDS, "embedding_dim": DIM}
    return keras_seq.Seq2Seq(encoder, decoder, **{**arguments, **kwargs})


@pytest.mark.parametrize(
    ("arguments", "lacking"),
    [
        ({}, "return_sequences=False, return_state=False"),
        ({"return_sequences": True}, "return_state=False"),
        ({"return_state": True}, "return_sequences=False"),
    ],
)
def test_an_encoder_to_attend_to_must_return_outputs_and_states(arguments, lacking):
    message = f"must be made with return_sequences=True, return_state=True: the decoder attends.*Received: {lacking}"
    with pytest.raises(ValueError, match=message):
        model_of(keras_seq.GRU(UNITS, **arguments), attending())


def test_an_encoder_of_a_plain_decoder_must_return_states_or_a_vector():
    with pytest.raises(ValueError, match="must be made with return_state=True: the decoder starts from"):
        model_of(keras_seq.GRU(UNITS, return_sequences=True), not_attending())


def test_a_bidirectional_encoder_must_merge_its_outputs():
    gru = keras_seq.GRU(UNITS, return_sequences=True, return_state=True)
    with pytest.raises(ValueError, match=r'must merge its two directions, with merge_mode="concat".*merge_mode=None'):
        model_of(keras_seq.Bidirectional(gru, merge_mode=None), attending())


def test_a_decoder_with_attention_needs_an_encoder():
    with pytest.raises(ValueError, match=r"needs an `encoder` whose outputs it can attend to.*encoder=None"):
        model_of(None, attending(), source_vocabulary_size=None)


def test_other_encoders_are_refused_by_the_shapes_that_they_give():
    sequence = keras.layers.Dense(UNITS)
    message = r"must give outputs \(batch, time, features\) followed by final states.*Received: \(None, None, 17\)"
    with pytest.raises(ValueError, match=message):
        model_of(sequence, attending()).build([(None, None), (None, None)])
    with pytest.raises(ValueError, match=r"must give final states .* or one vector"):
        model_of(sequence, not_attending()).build([(None, None), (None, None)])


def test_other_kinds_of_parts_are_refused():
    with pytest.raises(TypeError, match=r"`encoder` must be a Keras layer, or None. Received: encoder='gru'"):
        model_of("gru", attending())
    with pytest.raises(TypeError, match=r"`decoder` must be a keras_seq.AttentionDecoder, with attention=None"):
        model_of(keras_seq.GRU(UNITS), keras_seq.GRU(UNITS))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target_vocabulary_size": 0}, "`target_vocabulary_size` must be a positive integer.*=0"),
        ({"embedding_dim": 2.5}, "`embedding_dim` must be a positive integer.*=2.5"),
        ({"source_vocabulary_size": -1}, "`source_vocabulary_size` must be a positive integer.*=-1"),
        ({"max_source_length": 0}, "`max_source_length` must be a positive integer.*=0"),
        ({"start_id": 0}, "`start_id` must be from 1 to 12, .* Received: start_id=0, target_vocabulary_size=13"),
        ({"end_id": TARGET_IDS}, "`end_id` must be from 1 to 12, .* Received: end_id=13"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and less than 1.*dropout=1.0"),
        ({"sampling_probability": 1.5}, "`sampling_probability` must be from 0 to 1.*sampling_probability=1.5"),
        ({"tie_output": True}, "needs outputs of the decoder of the size of the embeddings.*=7 and .* 17 features"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        model_of(keras_seq.GRU(UNITS), not_attending(), **arguments)


@pytest.mark.parametrize("arguments", [{"source_vocabulary_size": 11}, {"max_source_length": 5}])
def test_a_vector_has_neither_vocabulary_nor_length(arguments):
    name = next(iter(arguments))
    with pytest.raises(ValueError, match=f"`{name}` needs an `encoder`: without one the source is a vector"):
        model_of(None, not_attending(), **{"source_vocabulary_size": None, **arguments})


@pytest.mark.parametrize("ask", ["call", "score", "generate", "start_decoding", "encode"])
def test_source_ids_outside_the_vocabulary_are_refused_wherever_they_come_in(ask):
    source, target = data("plain")
    model = make("plain")
    source[5, 0] = SOURCE_IDS
    calls = {"call": lambda: model((source, one_late(target))), "score": lambda: model.log_prob(source, target)}
    message = r"`source` must hold ids, whole numbers from 0 \(padding\) to 10 .* Received: 11 at \[5, 0\], 1 such"
    with pytest.raises(ValueError, match=message):
        calls.get(ask, lambda: getattr(model, ask)(source))()


@pytest.mark.parametrize("wrong", [-1, TARGET_IDS, 2.5])
def test_target_ids_outside_the_vocabulary_are_refused(wrong):
    source, target = data("plain")
    target = target.astype("float32")
    target[3, 0] = wrong
    with pytest.raises(ValueError, match=rf"`target` must hold ids.*from 0 \(padding\) to 12.*Received: {wrong}.*at"):
        make("plain").log_prob(source, target)


def test_sources_longer_than_the_model_takes_are_refused():
    source, target = data("bidirectional")
    model = make("bidirectional", max_source_length=4)
    with pytest.raises(ValueError, match=r"`source` must have at most max_source_length=4 steps. Received: 5 steps"):
        model.generate(source)
    assert model.log_prob(source[:, :4], target).shape == (len(source),)


def test_inputs_of_another_rank_are_refused():
    source, target = data("plain")
    with pytest.raises(ValueError, match=r"`source` must have the shape \(batch, time\). Received: shape \(29,\)"):
        make("plain").generate(source[:, 0])
    with pytest.raises(ValueError, match=r"`target` must have the shape \(batch, target time\).*\(29,\)"):
        make("plain").log_prob(source, target[:, 0])
    features, _ = data("features")
    model = make("features")
    model.encode(features)
    with pytest.raises(ValueError, match=r"`source` must have the shape \(batch, time, features\).*\(29, 11\)"):
        model.encode(features[:, 0])
    with pytest.raises(ValueError, match=r"The source must have the shape .* the number of features known.*\(None,"):
        make("features").build([(None, None, None), (None, None)])


def test_an_input_that_is_no_pair_is_refused():
    source, _ = data("plain")
    with pytest.raises(ValueError, match=r"takes a pair, \(source, target_in\). Received an input of shape"):
        make("plain")(source)


def test_sources_and_targets_of_different_count_are_refused():
    source, target = data("plain")
    with pytest.raises(ValueError, match="Received rows: source: 29, target: 23"):
        make("plain").log_prob(source, target[:23])


def test_a_target_with_padding_before_tokens_cannot_be_scored():
    source, target = data("plain")
    target[7] = [0, 3, 0, 0, 0, 0]
    with pytest.raises(ValueError, match=r"`target` must have its padding, the id 0, behind the tokens.*row 7"):
        make("plain").log_prob(source, target)


def test_sampling_cannot_be_switched_on_in_a_model_made_without():
    with pytest.raises(ValueError, match="can be changed only in a model made with one that is not 0"):
        make("plain").sampling_probability = 0.1
    with pytest.raises(ValueError, match=r"`sampling_probability` must be from 0 to 1.*-0.1"):
        make("sampling, dropout").sampling_probability = -0.1


def test_what_is_in_a_tensor_is_not_looked_at_in_a_graph():
    model = make("plain")
    logits = model((keras.Input((None,), dtype="int32"), keras.Input((None,), dtype="int32")))
    assert tuple(logits.shape) == (None, None, TARGET_IDS)
