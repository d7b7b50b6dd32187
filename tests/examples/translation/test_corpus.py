from pathlib import Path

import pytest
import sacrebleu

from tagging.sentence import CorpusError
from translation.corpus import Judged, load_pairs
from translation.texts import Texts

TATOEBA = Path(__file__).resolve().parents[4] / "shared" / "data" / "translation"


def test_babels_phrases_are_read_in_two_parts_that_share_no_source():
    corpus = load_pairs(limit=1600)
    assert 1400 < len(corpus.train) < 1600
    assert 50 < len(corpus.dev) <= 100
    assert {source for source, _ in corpus.train}.isdisjoint(judged.source for judged in corpus.dev)
    assert load_pairs(limit=1600) == corpus


def test_phrases_are_in_two_languages():
    pairs = dict(load_pairs(limit=3000).train)
    assert sum(" and " in source and " und " in target for source, target in pairs.items()) > 700
    assert any(source.endswith(" ago") and target.startswith("vor ") for source, target in pairs.items())
    prices = [(source, target) for source, target in pairs.items() if source.endswith("euros")]
    assert prices
    assert all(target == source.replace("euros", "Euro") for source, target in prices)


def test_translations_of_one_sentence_are_judged_together(tmp_path):
    (tmp_path / "a-train.tsv").write_text("Sit.\tSitz.\nGo.\tGeh.\n")
    (tmp_path / "a-dev.tsv").write_text("Go.\tGeh.\nRun.\tLauf.\nGo.\tGehen Sie.\nGo.\tGeh.\n")
    corpus = load_pairs(tmp_path)
    assert corpus.dev == [Judged("Go.", ("Geh.", "Gehen Sie.")), Judged("Run.", ("Lauf.",))]
    assert corpus.train == [("Sit.", "Sitz.")]  # what is judged is not learnt


def test_one_file_is_split_by_source_with_all_translations(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("".join(f"Number {i}.\tZahl {i}.\nNumber {i}.\tNummer {i}.\n" for i in range(300)))
    corpus = load_pairs(path)
    assert len(corpus.train) + 2 * len(corpus.dev) == 600
    assert 5 < len(corpus.dev) < 50
    assert all(len(judged.references) == 2 for judged in corpus.dev)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"expected one file named \*-train\.tsv\. Found: none"),
        ({"a-train.tsv": "a\tB", "b-train.tsv": "a\tB"}, r"Found: a-train\.tsv, b-train\.tsv"),
        ({"a-train.tsv": "A\tB", "a-dev.tsv": "A\tC"}, r"too few pairs to learn from"),
    ],
)
def test_a_folder_needs_one_file_of_each_part(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(CorpusError, match=message):
        load_pairs(tmp_path)


def test_tatoebas_pairs_are_read_whole_and_survive_the_words():
    if not TATOEBA.is_dir():
        pytest.skip(f"the pairs are not there: {TATOEBA}")
    corpus = load_pairs(TATOEBA)
    assert len(corpus.train) == 26_000
    assert (len(corpus.dev), sum(len(judged.references) for judged in corpus.dev)) == (1206, 1500)
    texts = Texts.fit(corpus.train, min_count=1)
    targets = [target for _, target in corpus.train[:5000]]
    again = [texts.decode_target(texts.encode_target(target)) for target in targets]
    assert sacrebleu.corpus_bleu(again, [targets]).score > 99.9
