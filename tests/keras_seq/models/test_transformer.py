"""Transformer as a layer, and as it is asked after training."""

import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_seq
from keras_seq.models import Transformer
from tests.keras_seq.models.transformer_cases import (
    BATCH,
    END,
    KINDS,
    SOURCE_IDS,
    START,
    TARGET_IDS,
    TARGET_TIME,
    TIME,
    log_softmax,
    numpy,
    one_late,
    sources,
    targets,
    transformer,
    with_random_weights,
)


def trained(kind="paper", **kwargs):
    return with_random_weights(transformer(kind, **kwargs)), sources(), targets()


@pytest.mark.parametrize("kind", KINDS)
def test_no_token_changes_what_comes_before_it(kind):
    model, source, target = trained(kind)
    read = one_late(target)
    before = numpy(model((source, read)))
    for step in range(1, TARGET_TIME):
        changed = read.copy()
        changed[:, step] = np.where(read[:, step] == 5, 6, 5)
        after = numpy(model((source, changed)))
        np.testing.assert_allclose(after[:, :step], before[:, :step], atol=1e-6)
        assert (np.abs(after[:, step] - before[:, step]).max(-1) > 1e-3).all()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_behind_source_and_target_changes_nothing(kind):
    model, source, target = trained(kind)
    expected = numpy(model.log_prob(source, target))
    wider = np.pad(source, ((0, 0), (0, 2))), np.pad(target, ((0, 0), (0, 3)))
    np.testing.assert_allclose(numpy(model.log_prob(*wider)), expected, rtol=1e-5)
    for row in range(BATCH):
        alone = [array[row : row + 1, : np.count_nonzero(array[row])] for array in (source, target)]
        np.testing.assert_allclose(numpy(model.log_prob(*alone)), expected[row], rtol=1e-5)


def test_a_source_of_padding_alone_gives_numbers():
    model, source, target = trained()
    assert np.isfinite(numpy(model((source * 0, one_late(target))))).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_the_tokens_counts(kind):
    model, source, target = trained(kind)
    backwards = source.copy()
    backwards[0] = source[0, ::-1]
    assert abs(numpy(model.log_prob(backwards, target) - model.log_prob(source, target))[0]) > 1e-3


def test_the_score_is_the_sum_of_the_log_probabilities_of_the_tokens():
    model, source, target = trained("modern")
    logits = numpy(model((source, one_late(target))))
    logits[..., 0] = -1e9
    expected = np.take_along_axis(log_softmax(logits), target[..., None], axis=-1)[..., 0] * (target != 0)
    np.testing.assert_allclose(numpy(model.log_prob(source, target, per_token=True)), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(model.log_prob(source, target)), expected.sum(axis=1), rtol=1e-5)


def test_embeddings_are_scaled_by_the_root_of_the_features():
    model, source, _ = trained()
    inner = keras.Model(inputs := keras.Input((None, 6)), model.encoder(inputs))
    embedded = numpy(model.source_embedding(source)) * np.sqrt(6)
    memory = model.decoder.prepare(inner(embedded[:1]))
    np.testing.assert_allclose(
        numpy(model.encode(source[:1]).key_values[1].values), numpy(memory.key_values[1].values), atol=1e-5
    )


@pytest.mark.parametrize("kind", ["paper", "modern"])
def test_what_each_head_attends_to_can_be_looked_at(kind):
    model, source, target = trained(kind)
    read, heads = one_late(target), KINDS[kind]["num_heads"]
    scores = {name: [numpy(block) for block in blocks] for name, blocks in model.attention_scores(source, read).items()}
    shapes = {name: [block.shape for block in blocks] for name, blocks in scores.items()}
    assert shapes == {
        "encoder": [(BATCH, heads, TIME, TIME)],
        "decoder": [(BATCH, heads, TARGET_TIME, TARGET_TIME)] * 2,
        "cross": [(BATCH, heads, TARGET_TIME, TIME)] * 2,
    }
    for blocks in scores.values():
        for block in blocks:
            np.testing.assert_allclose(block.sum(-1), 1, atol=1e-5)
    for block in (*scores["encoder"], *scores["cross"]):
        assert (block.max(axis=(1, 2))[source == 0] == 0).all()
    for block in scores["decoder"]:
        assert (np.triu(block, 1) == 0).all()


def test_shapes_dtypes_and_limits_are_known_beforehand():
    model = transformer("learned")
    specs = [keras.Input(spec.shape[1:], dtype=spec.dtype, name=spec.name) for spec in model.input_specs]
    logits = model(tuple(specs))
    assert (tuple(logits.shape), logits.dtype) == ((None, None, TARGET_IDS), "float32")
    assert [spec.name for spec in specs] == ["source", "target"]
    assert model.decoding_specs.name == "source"
    assert model.vocabulary_sizes == {"source": SOURCE_IDS, "target": TARGET_IDS}
    assert model.axis_names == {"target": {1: "target"}}
    assert model.size_limits == {"time": 7, "target": 9}
    assert model.generation_limits(9) == (9, {"time": 7})
    assert transformer().generation_limits(99) == (None, {})
    assert (model.start_id, model.end_id, model.vocabulary_size) == (START, END, TARGET_IDS)


def test_embeddings_can_be_shared_by_source_target_and_output():
    shared, _, _ = trained(source_vocabulary_size=TARGET_IDS, share_embeddings=True)
    assert shared.source_embedding is shared.target_embedding
    assert [weight.path.rpartition("/")[2] for weight in shared.output_projection.weights] == ["bias"]
    apart = transformer(source_vocabulary_size=TARGET_IDS, tie_output=False)
    apart.build()
    assert apart.count_params() - shared.count_params() == 2 * TARGET_IDS * 6


@pytest.mark.parametrize("kind", KINDS)
def test_config_and_weights_go_round(kind):
    model, source, target = trained(kind, num_decoder_layers=1)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(model))
    assert type(copy) is Transformer
    assert copy.get_config() == model.get_config()
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(numpy(copy.log_prob(source, target)), numpy(model.log_prob(source, target)))


SAVED_MODEL_TEST = """
import sys
import keras_seq
assert "keras" not in sys.modules
import keras, numpy as np
data = np.load(sys.argv[2])
model, lm = (keras.saving.load_model(f"{sys.argv[1]}/{name}.keras") for name in ("transformer", "lm"))
assert model.loss.label_smoothing == 0.1
np.savez(sys.argv[3], transformer=model.log_prob(data["source"], data["target"]), lm=lm.log_prob(data["target"]))
"""


def test_saved_models_are_read_in_a_fresh_process_by_importing_keras_seq(tmp_path):
    from tests.keras_seq.models.transformer_cases import language_model

    model, source, target = trained("modern")
    lm = with_random_weights(language_model("learned"))
    model.compile("adam", keras_seq.SequenceCrossentropy(0.1))
    for name, saved in (("transformer", model), ("lm", lm)):
        saved.save(tmp_path / f"{name}.keras")
    np.savez(tmp_path / "data.npz", source=source, target=target)
    command = [sys.executable, "-c", SAVED_MODEL_TEST, *map(str, (tmp_path, tmp_path / "data.npz", tmp_path / "o.npz"))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=pathlib.Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    received = np.load(tmp_path / "o.npz")
    np.testing.assert_allclose(received["transformer"], numpy(model.log_prob(source, target)), rtol=1e-5)
    np.testing.assert_allclose(received["lm"], numpy(lm.log_prob(target)), rtol=1e-5)


def test_it_says_what_it_consists_of(capsys):
    model, _, _ = trained("modern", name="translator", max_source_length=50, max_target_length=40)
    assert model.describe().splitlines() == [
        'Transformer "translator": ids of 11, at most 50 steps to ids of 13, at most 40 steps',
        "  encoder           1 blocks: 4 heads (2 of keys and values), swiglu(17), rms norm before each sublayer, "
        "rotary positions",
        "  decoder           2 blocks: 4 heads (2 of keys and values), swiglu(17), rms norm before each sublayer, "
        "rotary positions",
        "  output            13 logits of 8 features",
        f"  {model.count_params():,} weights, computed in float32",
    ]
    model.summary()
    printed = capsys.readouterr().out
    for name in ("source_embedding", "target_embedding", "encoder", "decoder", "output"):
        assert name in printed
