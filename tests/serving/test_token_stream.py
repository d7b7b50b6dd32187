"""Generator.stream: token by token, the tokens that the decode loop of keras_seq.decoding finds."""

import itertools

import numpy as np
import pytest

from keras_seq.serving import Bundle, BundleError, GeneratedToken, Generator, InputError, ServingError
from keras_seq.serving.text.bundle_text import BundleText
from tests.serving.toy_text import LONGEST, WORDS, document, lm_weights, write_language_model

START, END, VOCABULARY = 1, 2, len(WORDS)
SAMPLING = {"strategy": "Sampling", "num_samples": 1, "min_length": 0, "start_id": START, "end_id": END}
PROMPT = [4, 5, 7]


def decode(prompt, strategy):
    """The same model by keras_seq.decoding, without the runtime: ids and their log-probability."""
    from keras import ops

    import keras_seq

    weights = lm_weights(VOCABULARY)

    def step(tokens, h):
        h = ops.tanh(ops.take(weights["x"], tokens, axis=0) + h @ weights["r"])
        return h @ weights["w"] + np.where(np.arange(VOCABULARY) == 0, -1e9, 0).astype("float32"), h

    h, last = np.zeros((1, len(weights["r"])), "float32"), START
    for token in prompt:
        h, last = np.tanh(weights["x"][[last]] + h @ weights["r"]), token
    decoding = keras_seq.Decoding(
        step, ops.convert_to_tensor(h), 1, first_tokens=ops.convert_to_tensor([last], "int32")
    )
    found = keras_seq.generate(decoding, strategy, start_id=START, end_id=END)
    length = int(found.lengths[0, 0])
    return ops.convert_to_numpy(found.ids)[0, 0, :length].tolist(), float(found.log_probs[0, 0])


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Makes a language model with such a decoding and options: `bundles(decoding, options)`."""
    folders = tmp_path_factory.mktemp("bundles")
    numbers = itertools.count()

    def write(decoding, options, tokenizer=None, **kwargs):
        return write_language_model(folders / f"lm{next(numbers)}", decoding, options, tokenizer, **kwargs)

    return write


@pytest.fixture(scope="module")
def generator(bundles):
    with Generator(bundles(SAMPLING, {"max_length": 7, "temperature": 1.0, "seed": 0}, document())) as generator:
        yield generator


SETTINGS = [
    ({}, {"temperature": 1.0}),
    ({}, {"temperature": 0.5}),
    ({"min_length": 4, "banned_ids": [3, 5]}, {"temperature": 1.7}),
    ({"top_k": 4}, {"temperature": 1.0}),
    ({"top_k": 99}, {"temperature": 1.0}),
    ({}, {"temperature": 1.3, "top_p": 0.7}),
    ({}, {"temperature": 1.0, "top_p": 0.0}),
    ({}, {"temperature": 1.0, "min_p": 0.3}),
    ({"top_k": 6, "banned_ids": [1]}, {"temperature": 0.8, "top_p": 0.9, "min_p": 0.05}),
]


@pytest.mark.parametrize(("fixed", "options"), SETTINGS)
def test_sampling_draws_as_the_decode_loop_does(bundles, fixed, options):
    import keras_seq

    path = bundles({**SAMPLING, **fixed}, {"max_length": 7, "seed": 0, **options})
    strategy = keras_seq.Sampling(max_length=7, **fixed, **options)
    texts = set()
    with Generator(path) as generator:
        for seed in (0, 1, 7, 12345, 2**31 - 1):
            tokens = list(generator.stream(PROMPT, seed=seed))
            ids, log_prob = decode(PROMPT, strategy.replace(seed=seed))
            assert [token.id for token in tokens] == ids
            assert sum(token.log_prob for token in tokens) == pytest.approx(log_prob, rel=1e-4)
            texts.add(tuple(ids))
    assert len(texts) > 1 or options.get("top_p") == 0


@pytest.mark.parametrize("prompt", [[], [4], PROMPT, [*PROMPT, 0, 0]])
@pytest.mark.parametrize("fixed", [{}, {"min_length": 6, "banned_ids": [9]}])
def test_greedy_takes_the_likeliest(bundles, prompt, fixed):
    import keras_seq

    ids, _ = decode([token for token in prompt if token], keras_seq.Greedy(max_length=8, **fixed))
    with Generator(bundles({**SAMPLING, **fixed, "strategy": "Greedy"}, {"max_length": 8})) as generator:
        assert [token.id for token in generator.stream(prompt)] == ids


def test_options_are_those_of_the_graph(generator):
    assert len(list(generator.stream(PROMPT, max_length=2, seed=4))) <= 2
    for temperature in (0.01, 0.5):
        assert next(generator.stream(PROMPT, temperature=temperature)).id < VOCABULARY
    with pytest.raises(InputError, match=r"has no option 'top_k'. Valid names: 'max_length', 'temperature', 'seed'"):
        generator.stream(PROMPT, top_k=3)


def test_a_text_goes_in_and_texts_come_out(generator):
    tokens = list(generator.stream("the dog it", seed=3))
    assert tokens == [
        GeneratedToken(token.id, token.log_prob, text)
        for token, text in zip(generator.stream(PROMPT, seed=3), [token.text for token in tokens], strict=True)
    ]
    ids = [token.id for token in tokens]
    assert "the dog it" + "".join(token.text for token in tokens) == generator.tokenizers["prompt"].decode(PROMPT + ids)
    for empty in ("", None, [], [0]):
        pieces = list(generator.stream(empty, seed=3))
        assert "".join(token.text for token in pieces) == generator.tokenizers["target"].decode([t.id for t in pieces])


def test_without_tokenizer_there_is_no_text(bundles):
    with Generator(bundles(SAMPLING, {"max_length": 3})) as generator:
        assert {token.text for token in generator.stream(PROMPT)} == {None}
        with pytest.raises(
            InputError, match=r"'generate' of .* has no tokenizer, so it takes ids and no texts. Export"
        ):
            generator.stream("the dog")
        with pytest.raises(InputError, match="has no tokenizer"):
            generator.generate_text(["the dog"])


def test_nothing_is_computed_beyond_what_is_asked_for(generator, monkeypatch):
    from keras_seq.serving.session import Session

    calls = []
    run = Session.run
    monkeypatch.setattr(Session, "run", lambda self, feeds: calls.append(feeds["ids"].shape[1]) or run(self, feeds))
    tokens = generator.stream(PROMPT, seed=1)
    assert calls == []
    next(tokens)
    next(tokens)
    tokens.close()
    assert calls == [1 + len(PROMPT), 1]  # the start token and the prompt at once
    assert list(tokens) == []
    assert len(list(generator.stream(PROMPT, seed=1))) > 0


def test_texts_side_by_side_do_not_disturb_each_other(generator):
    alone = [list(generator.stream(PROMPT, seed=seed)) for seed in range(3)]
    streams = [generator.stream(PROMPT, seed=seed) for seed in range(3)]
    together = [[] for _ in streams]
    for row in itertools.zip_longest(*streams):
        for tokens, token in zip(together, row, strict=True):
            tokens += [token] if token else []
    assert together == alone


@pytest.mark.parametrize(
    ("prompt", "options", "message"),
    [
        (["the", "dog"], {}, "strings or mixed objects are no numbers"),
        ([[4, 5]], {}, r"goes on with one prompt: a text, or ids of one axis. Received: \[\[4, 5\]\]. Give one after"),
        ([4, 11], {}, r"ids run from 0 to 10, and the one at \(0, 1\) is 11"),
        ([4, 0, 5], {}, r"must have no padding \(id 0\) but behind its tokens. Received: \[4, 0, 5\]"),
        ([4.5], {}, "float64 is not cast to int32"),
        (PROMPT, {"max_length": 11}, f"takes {LONGEST} steps at most, and a prompt of 3 tokens with max_length=11 may "
                                     "come to 14. Ask for fewer"),
        (PROMPT, {"seed": -2**40}, "Option 'seed' must be within what int32 holds"),
        ("zebra? quagga", {}, r"'prompt': text 0 has nothing that the model knows; unknown to its vocabulary of 11 "
                              r"tokens: 'zebra', '\?', 'quagga'. Begin with something"),
        (3, {}, "goes on with one prompt"),
    ],
)  # fmt: skip
def test_bad_prompts_are_refused_at_the_call(generator, prompt, options, message):
    with pytest.raises(InputError, match=message):
        generator.stream(prompt, **options)


def test_the_limit_is_that_of_the_steps_not_of_the_decode_loop(generator):
    text = "the " * 9  # generate() takes 5 tokens
    assert len(list(generator.stream(text, max_length=4, temperature=0.01))) <= 4
    with pytest.raises(InputError, match="text 0 has 9 tokens, and the model takes 5 at most"):
        generator.generate_text([text])


def test_a_closed_generator_ends_what_is_being_streamed(bundles):
    with Generator(bundles(SAMPLING, {"max_length": 7})) as generator:
        tokens = generator.stream(PROMPT)
        next(tokens)
    with pytest.raises(ServingError, match=r"session of graph 'step' .* is closed"):
        next(tokens)
    with pytest.raises(ServingError, match=r"generator of .* is closed. Make a new one"):
        generator.stream(PROMPT)


def test_a_beam_search_does_not_stream(bundles):
    path = bundles({**SAMPLING, "strategy": "BeamSearch"}, {"max_length": 7})
    with (
        Generator(path) as generator,
        pytest.raises(BundleError, match=r"those of BeamSearch, .* Call generate\(\), or"),
    ):
        generator.stream(PROMPT)


def test_a_bundle_without_step_says_what_to_do(bundles):
    with (
        Generator(bundles(SAMPLING, {"max_length": 7}, step=False)) as generator,
        pytest.raises(
            BundleError, match=r"has no graph 'step', which stream\(\) runs. Export a language model with `stre"
        ),
    ):
        generator.stream(PROMPT)


@pytest.mark.parametrize(
    ("decoding", "message"),
    [
        ({"top_k": 0}, r"bundle.json: `graphs.generate.decoding.top_k` must be at least 1"),
        ({"banned_ids": [3, "x"]}, r"`graphs.generate.decoding.banned_ids` must be a list of ids"),
        ({"banned_ids": [99]}, "ids of `decoding` must be from 0 to 10, those of the model. Received: 99"),
        ({"start_id": None}, "`graphs.generate.decoding.start_id` must be an integer"),
        ({"strategy": None}, "`graphs.generate.decoding.strategy` must be a string"),
    ],
)
def test_a_damaged_record_of_the_search_is_named(bundles, decoding, message):
    with (
        Generator(bundles({**SAMPLING, **decoding}, {"max_length": 7})) as generator,
        pytest.raises(BundleError, match=message),
    ):
        generator.stream(PROMPT)


def test_a_step_that_gives_no_logits_is_refused(bundles, edit_manifest):
    path = bundles(SAMPLING, {"max_length": 7})

    def floats(value):
        value["graphs"]["step"]["inputs"][0].update(dtype="float32", maximum=None, pad_value=None)

    edit_manifest(path, floats)
    with (
        Generator(path) as generator,
        pytest.raises(
            BundleError, match=r"must take ids \(batch, time\) and give logits .* It has: float32 \(batch, time"
        ),
    ):
        generator.stream(PROMPT)


def test_generate_text_fills_in_the_texts(generator):
    found = generator.generate_text(["it rains", ""])
    assert [[one.text for one in hypotheses] for hypotheses in found] == [["the dog"], ["the dog"]]
    assert generator.generate([[4]])[0][0].text is None
    assert list(generator.tokenizers) == ["prompt", "target"]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            ["it rains", "zebra"],
            "text 1 has nothing that the model knows; unknown to its vocabulary of 11 tokens: 'zebra'",
        ),
        ([], "Texts must come as a list of at least one string"),
        ("it rains", "Texts must come as a list"),
        ([4], "Text 0 must be a string. Received: int 4"),
    ],
)
def test_generate_text_refuses(generator, texts, message):
    with pytest.raises(InputError, match=message):
        generator.generate_text(texts)


def test_without_a_tokenizer_of_what_is_generated_there_is_no_text(bundles, edit_manifest):
    path = bundles(SAMPLING, {"max_length": 5}, document())

    def rename(value):
        value["tokenizers"]["source"] = value["tokenizers"].pop("prompt")
        value["graphs"]["generate"]["inputs"][0]["name"] = "source"

    edit_manifest(path, rename)
    text = BundleText(Bundle.load(path), "generate")
    assert (list(text.tokenizers), text.target) == (["source"], None)
