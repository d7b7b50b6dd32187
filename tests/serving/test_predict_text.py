"""Predictor.predict_text: texts in; scores, tokens and labels out."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from keras_seq.serving import Bundle, BundleError, InputError, Predictor
from keras_seq.serving.text.bundle_text import BundleText
from tests.serving.toy_text import (
    MOODS,
    TAGS,
    WORDS,
    document,
    mood_scores,
    spelling_scores,
    tag_scores,
    write_spelling_tagger,
    write_tagger,
)

TEXTS = ["The dog barks!", "", "It RAINS", "Zebra"]
TOKENS = [["The", "dog", "barks", "!"], [], ["It", "RAINS"], ["Zebra"]]
IDS = [[4, 5, 6, 9], [], [7, 8], [3]]


@pytest.fixture(scope="module", params=[False, True], ids=["ids alone", "strings in the graph"])
def tagger_path(request, tmp_path_factory):
    return write_tagger(tmp_path_factory.mktemp("bundles") / "tagger", strings=request.param)


@pytest.fixture(scope="module")
def tagger(tagger_path):
    with Predictor(tagger_path) as predictor:
        yield predictor


def test_every_text_gets_its_answer(tagger):
    answer = tagger.predict_text(TEXTS)
    assert list(answer) == ["tags", "mood", "tokens", "tags.labels", "mood.labels"]
    assert answer["tokens"] == TOKENS
    for i, ids in enumerate(IDS):
        np.testing.assert_allclose(answer["tags"][i], tag_scores()[ids])
        np.testing.assert_allclose(answer["mood"][i], mood_scores()[ids].sum(axis=0), rtol=1e-6)
        assert answer["tags.labels"][i] == [TAGS[k] for k in tag_scores()[ids].argmax(axis=1)]
        assert answer["mood.labels"][i] == MOODS[mood_scores()[ids].sum(axis=0).argmax()]


def test_texts_by_name_and_bytes_are_the_same(tagger):
    expected = tagger.predict_text(TEXTS)
    for texts in ({"words": TEXTS}, [text.encode() for text in TEXTS], np.array(TEXTS)):
        answer = tagger.predict_text(texts)
        assert answer["tokens"] == expected["tokens"]
        np.testing.assert_array_equal(answer["mood"], expected["mood"])


def test_it_tells_its_tokenizers_and_labels(tagger):
    assert list(tagger.tokenizers) == ["words"]
    assert tagger.tokenizers["words"].vocabulary == tuple(WORDS)
    assert tagger.labels == {"tags": TAGS, "mood": MOODS}


def test_ids_go_in_as_before(tagger):
    np.testing.assert_allclose(tagger.predict([[4, 5], [3]])["tags"][0], tag_scores()[[4, 5]])


def test_start_and_end_are_tokens_like_others(tmp_path):
    with Predictor(write_tagger(tmp_path / "tagger", add_start=True, add_end=True, max_length=4)) as predictor:
        answer = predictor.predict_text(["the dog barks", ""])
    assert answer["tokens"] == [["<start>", "the", "dog", "<end>"], ["<start>", "<end>"]]
    assert [len(row) for row in answer["tags.labels"]] == [4, 2]


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("the dog", r"Input 'words': Texts must come as a list. Received: 'the dog'. Put it into a list"),
        ([], "Input 'words': Texts must come as a list of at least one string. Received: an empty list"),
        (["the", 4], "Input 'words': Text 1 must be a string. Received: int 4. Ids go into predict"),
        ({"text": ["the"]}, r"Inputs do not match the graph's \(unknown: 'text'; missing: 'words'\)"),
        ({"words": ["the"], "more": [[1]]}, r"unknown: 'more'\). Valid names: 'words'"),
    ],
)
def test_what_is_no_batch_of_texts_is_refused(tagger, texts, message):
    with pytest.raises(InputError, match=message):
        tagger.predict_text(texts)


def test_one_text_goes_into_every_input_that_shares_its_steps(tmp_path):
    table = spelling_scores(document("wordchar"))
    known = {token: i for i, token in enumerate(document("wordchar")["vocabulary"])}
    with Predictor(write_spelling_tagger(tmp_path / "tagger")) as predictor:
        answer = predictor.predict_text(TEXTS)
        by_name = predictor.predict_text({"words": TEXTS, "characters": TEXTS})
    assert list(answer) == ["tags", "tokens", "tags.labels"]
    assert answer["tokens"] == by_name["words.tokens"] == by_name["characters.tokens"] == TOKENS
    for row, ids, tokens, same in zip(answer["tags"], IDS, TOKENS, by_name["tags"], strict=True):
        expected = np.zeros((len(ids), len(TAGS)), "float32")
        for scores, word, token in zip(expected, ids, tokens, strict=True):
            places = {**dict(enumerate(token[:3])), **{5 - i: c for i, c in enumerate(token[:-3:-1], 1)}}
            scores += tag_scores()[word] + sum(table[place, known.get(c, 3)] for place, c in places.items())
        np.testing.assert_allclose(row, expected, rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(row, same)


def test_each_input_has_tokens_of_its_own_where_they_differ(tmp_path):
    pieces = write_spelling_tagger(tmp_path / "tagger", characters={"punctuation": "keep"}, punctuation="remove")
    with Predictor(pieces) as predictor:
        answer = predictor.predict_text(["the dog!"])
    assert (answer["characters.tokens"], answer["words.tokens"]) == ([["the", "dog!"]], [["the", "dog"]])


def test_inputs_that_share_their_steps_must_cut_a_text_alike(tmp_path):
    path = write_spelling_tagger(tmp_path / "tagger", characters={"split": "whitespace"})
    with Predictor(path) as predictor:
        assert predictor.predict_text(["the dog"])["tokens"] == [["the", "dog"]]
        with pytest.raises(
            InputError, match=r"Text 1 has 1 tokens for input 'characters', but 2 for input 'words': .*must cut texts"
        ):
            predictor.predict_text(["the", "dog!"])


def test_a_list_of_texts_is_refused_where_an_input_takes_none(tmp_path):
    path = write_spelling_tagger(tmp_path / "tagger", characters={})
    with Predictor(path) as predictor:
        with pytest.raises(
            InputError, match=r"2 inputs \('characters', 'words'\), so texts must be given by name in a"
        ):
            predictor.predict_text(["the dog"])
        characters = np.full((1, 2, 5), 4)
        assert predictor.predict_text({"words": ["the dog"], "characters": characters})["tokens"] == [["the", "dog"]]


def test_texts_longer_than_the_model_allows_are_refused(tmp_path):
    with Predictor(write_tagger(tmp_path / "tagger", limits={"time": 3})) as predictor:
        predictor.predict_text(["the dog barks"])
        with pytest.raises(
            InputError, match=r"'words': text 1 has 4 tokens, and the model takes 3 at most. Cut it.*dog"
        ):
            predictor.predict_text(["it rains", "the dog barks!"])


def test_a_bundle_without_tokenizer_says_what_to_do(masked):
    assert masked.tokenizers == masked.labels == {}
    with pytest.raises(
        InputError,
        match=r"'model' of .* has no tokenizer, so it takes ids and no texts. Export the model with `tokenizer=`, or",
    ):
        masked.predict_text(["the dog"])


def test_strings_for_predict_are_sent_to_predict_text(tagger):
    with pytest.raises(
        InputError, match=r"strings or mixed objects are no numbers.*Texts go into Predictor.predict_text"
    ):
        tagger.predict([["the"]])


def test_another_graph_with_a_tokenizer_is_named(tmp_path, edit_manifest):
    folder = write_tagger(tmp_path / "tagger")

    def rename(value):
        graph = json.loads(json.dumps(value["graphs"]["model"]).replace('"words"', '"ids"'))
        value["graphs"]["other"] = value["graphs"]["model"]
        value["graphs"]["model"] = graph

    edit_manifest(folder, rename)
    with pytest.raises(InputError, match="Graph 'other' has one"):
        BundleText(Bundle.load(folder), "model").encode(["the"])


def test_an_altered_tokenizer_is_refused_before_anything_runs(tmp_path):
    folder = write_tagger(tmp_path / "tagger")
    file = folder / "tokenizers" / "words.json"
    file.write_bytes(file.read_bytes().replace(b"dog", b"cat"))
    with pytest.raises(BundleError, match=r"file 'tokenizers/words.json' was altered"):
        Predictor(folder)


def test_a_damaged_tokenizer_is_named_even_if_nobody_looked_at_the_files(tmp_path):
    folder = write_tagger(tmp_path / "tagger")
    (folder / "tokenizers" / "words.json").write_text('{"schema_version": 1,')
    with (
        Predictor(Bundle.load(folder, check_files=False)) as predictor,
        pytest.raises(BundleError, match=r"words.json is not JSON in UTF-8"),
    ):
        predictor.predict_text(["the"])


def test_labels_must_be_as_many_as_the_outputs_entries(tmp_path, edit_manifest):
    folder = write_tagger(tmp_path / "tagger")
    edit_manifest(folder, lambda value: value["labels"]["tags"].pop())
    with pytest.raises(
        BundleError, match=r"has 4 labels for output 'tags' of graph 'model', which is float32 \(batch, t"
    ):
        Predictor(folder)


def test_a_graph_that_lacks_its_strings_is_refused(tmp_path, edit_manifest):
    folder = write_tagger(tmp_path / "tagger")
    edit_manifest(
        folder, lambda value: value["graphs"]["model"].update(text={"inputs": {"text": "words"}, "outputs": []})
    )
    with pytest.raises(
        BundleError, match=r"does not have the inputs that bundle.json gives it. Expected: .*'text': 'str"
    ):
        Predictor(folder)


def test_first_calls_may_come_at_once(tmp_path):
    path = write_tagger(tmp_path / "tagger", strings=True)
    for _ in range(5):
        with Predictor(path, num_threads=1) as predictor, ThreadPoolExecutor(8) as threads:
            answers = list(threads.map(lambda i: predictor.predict([[i]])["tags"][0], [4, 5, 6, 7] * 10))
        np.testing.assert_allclose(np.concatenate(answers), tag_scores()[[4, 5, 6, 7] * 10])
