"""Generator in JavaScript: hypotheses and streamed tokens are those of Python."""

import numpy as np
import pytest

from keras_seq.serving import BundleError, Generator, InputError
from tests.serving.server.toy_translator import write_translator
from tests.serving.toy_text import document, write_language_model
from tests.serving.web.node import check, run_tests, write_cases

SAMPLING = {"strategy": "Sampling", "num_samples": 1, "min_length": 0, "start_id": 1, "end_id": 2}
SETTINGS = [
    ({}, {"temperature": 1.0}),
    ({"min_length": 4, "banned_ids": [3, 5]}, {"temperature": 1.7}),
    ({"top_k": 4}, {"temperature": 1.0}),
    ({}, {"temperature": 1.3, "top_p": 0.7}),
    ({}, {"temperature": 1.0, "top_p": 0.0}),
    ({}, {"temperature": 1.0, "min_p": 0.3}),
    ({"top_k": 6, "banned_ids": [1]}, {"temperature": 0.8, "top_p": 0.9, "min_p": 0.05}),
]
SEEDS = [0, 1, 7, 12345, 2**31 - 1, *range(100, 108)]


def hypotheses_of(found):
    """Hypotheses as JavaScript has them."""
    return [
        [
            {
                "ids": one.ids.tolist(),
                "score": one.score,
                "finished": one.finished,
                "alignment": one.alignment,
                "text": one.text,
            }
            for one in several
        ]
        for several in found
    ]


def generator_case(name, path, batches=(), prompts=(), variant=None):
    """What JavaScript is to ask a generator, and what Python found: batches of texts or sources, prompts to stream."""
    done = {"name": name, "bundle": path, "variant": variant, "asked": [], "streamed": []}
    with Generator(path, variant=variant) as generator:
        for batch, settings in batches:
            texts = isinstance(batch[0], str)
            found = (generator.generate_text if texts else generator.generate)(batch, **settings)
            given = {"texts" if texts else "sources": batch, "settings": settings}
            done["asked"].append({**given, "hypotheses": hypotheses_of(found)})
        for prompt, settings in prompts:
            tokens = [
                {"id": token.id, "logProb": token.log_prob, "text": token.text}
                for token in generator.stream(prompt, **settings)
            ]
            done["streamed"].append({"prompt": prompt, "settings": settings, "tokens": tokens})
    return done


def _refusals(name, path, asked):
    done = []
    with Generator(path) as generator:
        for each in asked:
            settings = each.get("settings", {})
            ask, given = (generator.generate_text, "texts") if "texts" in each else (generator.stream, "prompt")
            with pytest.raises((InputError, BundleError)) as error:
                ask(each[given], **settings)
            done.append({**each, "kind": type(error.value).__name__, "message": str(error.value)})
    return {"name": name, "bundle": path, "asked": done}


@pytest.mark.parametrize("ort", ["web", "native"])
def test_hypotheses_and_tokens_are_those_of_python(ort, decoder_path, tmp_path, subtests):
    rng = np.random.default_rng(5)
    rows = [rng.integers(1, 23, size=n).astype("int32") for n in (3, 1, 13, 7)]
    translator = write_translator(tmp_path / "letters")
    cases = [
        generator_case("a decoder", decoder_path, [(rows, {}), (rows[:2], {"max_length": 4, "alpha": 2.0})]),
        generator_case("a translator", translator, [(["abc", "d"], {}), (["ab cd", "q"], {"max_length": 5})]),
    ]
    streamed = 0
    for i, (fixed, options) in enumerate(SETTINGS):
        path = write_language_model(
            tmp_path / f"lm{i}", {**SAMPLING, **fixed}, {"max_length": 7, "seed": 0, **options}, document()
        )
        prompts = [("the dog it", {"seed": seed}) for seed in SEEDS]
        prompts += [([4, 5, 7], {"seed": 3}), ([4, 0], {"seed": 3}), ("", {"seed": 3}), (None, {"max_length": 2})]
        cases.append(generator_case(f"sampling {i}", path, [(["the dog"], {})], prompts))
        streamed += len({str(text["tokens"]) for text in cases[-1]["streamed"]})
    assert streamed > 3 * len(SETTINGS)  # else the seeds count for nothing
    greedy = {**SAMPLING, "strategy": "Greedy", "min_length": 3}
    path = write_language_model(tmp_path / "greedy", greedy, {"max_length": 8})
    cases.append(generator_case("greedy, ids alone", path, (), [([4, 5], {}), ([], {"max_length": 3})]))
    refused = [
        _refusals(
            "prompts",
            tmp_path / "lm0",
            [
                {"prompt": [4, 0, 5]},
                {"prompt": [[4, 5]]},
                {"prompt": [4, 99]},
                {"prompt": [4] * 9},
                {"prompt": "the dog " * 5},
                {"prompt": "x y z"},
                {"prompt": [4], "settings": {"top_k": 3}},
                {"prompt": [4], "settings": {"temperature": "hot"}},
                {"texts": ["the dog", "x"]},
                {"texts": []},
            ],
        ),
        _refusals("a beam search", translator, [{"prompt": [4]}]),
        _refusals("no step", write_language_model(tmp_path / "whole", SAMPLING, {}, step=False), [{"prompt": [4]}]),
        _refusals(
            "an id too many",
            write_language_model(tmp_path / "wrong", {**SAMPLING, "end_id": 77}, {}),
            [{"prompt": [4]}],
        ),
    ]
    check(subtests, run_tests("generator.test.js", write_cases(tmp_path, generators=cases, refused=refused), ort=ort))
