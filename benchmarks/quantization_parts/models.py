"""The four models: trained once for a given time, kept, and each with what it is judged by."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import keras_seq
from generating.batches import PairBatches
from generating.padding import pad
from generating.time_budget import TimeBudget
from generating.vocabulary import END_ID, START_ID, UNKNOWN_ID
from keras_seq.metrics import bleu
from language_modelling.judging import held_out_rows, negative_bits
from language_modelling.streams import Windows
from quantization_parts.corpora import Characters, MaskedCharacters, pairs
from translation.texts import Texts

NAMES = ("LSTM", "GRU", "encoder", "translation")
BEAMS, SOURCE, TARGET, TIME = 4, 20, 40, 64
BATCHES = (1, 16)
MANY_STEPS = 1_000_000  # the clock ends the training


@dataclass(frozen=True)
class Setting:
    """How large the models are, and what they learn from.

    Attributes:
        data: A folder of corpora, or None for those that every machine has.
        seconds: How long each is trained, the time to compile included.
        units: Of the recurrent language models.
        features: Of the encoder, which has four times as many units between.
        heads: Of the encoder.
        layers: Of the encoder.
        translation_units: Of the translation model.
        characters: The most to learn from.
        pairs: The most to learn from.
        steps: Of a sequence that a recurrent layer is timed on.
        judged: The most sentences that are translated to judge by.
    """

    data: Path | None = None
    seconds: float = 90
    units: int = 512
    features: int = 256
    heads: int = 8
    layers: int = 4
    translation_units: int = 256
    characters: int = 1_500_000
    pairs: int = 30_000
    steps: int = 100
    judged: int = 1000


@dataclass(frozen=True)
class Subject:
    """One trained model, and how it is judged and timed.

    Attributes:
        name: One of `NAMES`.
        title: With its size.
        model: The Keras model.
        graph: Which graph is timed.
        search: How it generates; None where it does not.
        validation_data: As `export_model` takes it.
        metric: As `export_model` takes it.
        judged_by: The metric's name.
        cases: Inputs by name, by what the tables call them.
        learnt_from: What, in words.
    """

    name: str
    title: str
    model: keras.Model
    graph: str
    search: keras_seq.BeamSearch | None
    validation_data: Any
    metric: Any
    judged_by: str
    cases: Mapping[str, dict[str, np.ndarray]]
    learnt_from: str


def subject(name: str, setting: Setting, cache: Path) -> Subject:
    """A model, trained now or read from the cache.

    Args:
        name: One of `NAMES`.
        setting: Of all of them.
        cache: The folder that keeps weights, by a hash of the setting.
    """
    keras.utils.set_random_seed(0)
    if name == "encoder":
        return _encoder(setting, cache)
    return _translation(setting, cache) if name == "translation" else _language_model(name, setting, cache)


def _trained(name: str, model: keras.Model, setting: Setting, cache: Path, fit: Callable[[list], object]) -> None:
    """Reads a model's weights, or trains and keeps them; a training that breaks off leaves nothing behind."""
    told = json.dumps([name, [weight.shape for weight in model.weights], asdict(setting)], default=str)
    path = cache / f"{name}-{hashlib.sha256(told.encode()).hexdigest()[:12]}.npz"
    if not path.exists():
        print(f"training {name} for {setting.seconds:g} s ...", flush=True)
        fit([TimeBudget(model.optimizer.learning_rate.numpy().item(), MANY_STEPS, setting.seconds)])
        cache.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"partial-{path.name}")
        np.savez(partial, *model.get_weights())
        os.replace(partial, path)
    with np.load(path) as kept:
        model.set_weights([kept[name] for name in kept.files])


def _language_model(name: str, setting: Setting, cache: Path) -> Subject:
    text = Characters(setting.data, setting.characters)
    size, batch, window = text.tokenizer.vocabulary_size, 32, 64
    model = keras_seq.LanguageModel(
        vocabulary_size=size, cell=name.lower(), features=setting.units // 4, units=setting.units, stateful=True
    )
    model.build((batch, None))
    model.embedding.embeddings.assign(keras.random.normal(model.embedding.embeddings.shape))
    model.compile(keras.optimizers.Adam(5e-3, global_clipnorm=1.0), keras_seq.SequenceCrossentropy(), jit_compile=False)
    windows = Windows(text.train_ids, batch, window)
    _trained(
        name, model, setting, cache, lambda calls: model.fit(windows, epochs=MANY_STEPS, verbose=0, callbacks=calls)
    )
    before, ids = held_out_rows(text.held_out_ids, size)
    sizes = ((1, 1), *((rows, setting.steps) for rows in BATCHES))
    return Subject(
        name,
        f"{name}({setting.units})",
        model,
        "model",
        None,
        (before, ids),
        negative_bits(1.0),
        "bits per character, negative",
        {f"{rows} x {steps}": {"ids": np.resize(before, (rows, steps))} for rows, steps in sizes},
        text.description,
    )


def _encoder(setting: Setting, cache: Path) -> Subject:
    text = Characters(setting.data, setting.characters)
    ids = keras.Input((None,), dtype="int32", name="ids")
    embedded = keras.layers.Embedding(text.mask_id + 1, setting.features, mask_zero=True, name="embedding")(ids)
    encoder = keras_seq.TransformerEncoder(
        setting.layers,
        setting.heads,
        4 * setting.features,
        activation="gelu",
        norm_first=True,
        epsilon=1e-5,
        name="encoder",
    )
    model = keras.Model(ids, keras.layers.Dense(text.mask_id, name="logits")(encoder(embedded)), name="masked")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3, global_clipnorm=1.0), loss, jit_compile=False)
    learnt = MaskedCharacters(text.train_ids, text.mask_id, 8, TIME, seed=1)
    _trained(
        "encoder",
        model,
        setting,
        cache,
        lambda calls: model.fit(learnt, epochs=MANY_STEPS, verbose=0, callbacks=calls),
    )
    rows = min(32, len(text.held_out_ids) // TIME)
    judged = list(MaskedCharacters(text.held_out_ids, text.mask_id, rows, TIME, seed=2).batches())
    return Subject(
        "encoder",
        f"encoder ({setting.features} x {setting.layers})",
        model,
        "model",
        None,
        judged,
        "accuracy",
        "accuracy of hidden characters",
        {f"{rows} x {TIME}": {"ids": np.resize(judged[0][0], (rows, TIME))} for rows in BATCHES},
        text.description,
    )


def _translation(setting: Setting, cache: Path) -> Subject:
    corpus, units = pairs(setting.data, setting.pairs), setting.translation_units
    texts = Texts.fit(corpus.train)
    model = keras_seq.Seq2Seq(
        keras_seq.GRU(units, return_sequences=True, return_state=True),
        keras_seq.AttentionDecoder(keras_seq.GRUCell(units), keras_seq.BahdanauAttention(units)),
        source_vocabulary_size=len(texts.source),
        target_vocabulary_size=len(texts.target),
        embedding_dim=units,
        start_id=START_ID,
        end_id=END_ID,
        name="translator",
    )
    model.build(((None, None), (None, None)))
    for embedding in (model.source_embedding, model.target_embedding):
        embedding.embeddings.assign(keras.random.normal(embedding.embeddings.shape))
    model.compile(keras.optimizers.Adam(3e-3, clipnorm=1.0), keras_seq.SequenceCrossentropy(), jit_compile=False)
    dev = corpus.dev[: setting.judged]
    learnt, held_out = (
        PairBatches([texts.encode_source(a) for a, _ in some], [texts.encode_target(b) for _, b in some], size)
        for some, size in ((corpus.train, 64), ([(one.source, one.references[0]) for one in dev], 128))
    )
    _trained(
        "translation",
        model,
        setting,
        cache,
        lambda calls: model.fit(learnt, epochs=MANY_STEPS, verbose=0, callbacks=calls),
    )

    def bleu_of(rows: np.ndarray, outputs: Mapping[str, np.ndarray]) -> float:
        found = [texts.decode_target(ids[0]) for ids in outputs["ids"]]
        return bleu(found, [dev[row].references for row in rows]).score

    sources = pad([texts.encode_source(one.source) for one in dev])
    drawn = np.random.default_rng(3).integers(UNKNOWN_ID + 1, len(texts.source), (max(BATCHES), SOURCE), "int32")
    return Subject(
        "translation",
        f"decode loop, GRU({units}), beam {BEAMS}",
        model,
        "generate",
        keras_seq.BeamSearch(
            num_beams=BEAMS, num_hypotheses=1, alpha=0.7, max_length=TARGET, min_length=1, banned_ids=(UNKNOWN_ID,)
        ),
        {"model": held_out, "generate": (sources, np.arange(len(dev)))},
        {"generate": bleu_of},
        "BLEU",
        {f"{rows} x {TARGET} tokens": {"source": drawn[:rows]} for rows in BATCHES},
        corpus.description,
    )
