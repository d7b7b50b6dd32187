import math
from collections import Counter

import pytest
import sacrebleu

from keras_seq.metrics import bleu

HYPOTHESES = ["the cat sat on the mat .", "a dog ran", "he reads two books in the garden"]
REFERENCES = ["the cat sat on a mat .", "a dog ran away", "he reads a book in his garden"]


def ngrams(text, order):
    words = text.split()
    return Counter(tuple(words[start : start + order]) for start in range(len(words) - order + 1))


def test_the_score_is_the_formula_of_the_paper():
    score = bleu(HYPOTHESES, REFERENCES, tokenize="none")
    precisions = []
    for order in (1, 2, 3, 4):
        pairs = [
            (ngrams(left, order), ngrams(right, order)) for left, right in zip(HYPOTHESES, REFERENCES, strict=True)
        ]
        hits = sum((left & right).total() for left, right in pairs)
        precisions.append(hits / sum(left.total() for left, _ in pairs))
    lengths = [sum(len(text.split()) for text in texts) for texts in (HYPOTHESES, REFERENCES)]
    penalty = min(1, math.exp(1 - lengths[1] / lengths[0]))
    assert (score.hypothesis_length, score.reference_length) == tuple(lengths)
    assert score.brevity_penalty == pytest.approx(penalty)
    assert penalty < 1
    assert score.precisions == pytest.approx([100 * precision for precision in precisions])
    assert score.score == pytest.approx(100 * penalty * math.exp(sum(map(math.log, precisions)) / 4))


def test_plain_texts_are_scored_as_sacrebleu_scores_them():
    expected = sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES])
    score = bleu(HYPOTHESES, REFERENCES)
    assert score.score == expected.score
    assert score.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")


def test_any_of_several_references_counts_and_their_number_may_differ():
    several = [[REFERENCES[0], "the cat sat on the mat ."], REFERENCES[1], (REFERENCES[2], "x", "two books he reads")]
    streams = [REFERENCES, ["the cat sat on the mat .", None, "x"], [None, None, "two books he reads"]]
    score = bleu(HYPOTHESES, several)
    assert score.score == sacrebleu.corpus_bleu(HYPOTHESES, streams).score > bleu(HYPOTHESES, REFERENCES).score
    assert "nrefs:var" in score.signature


def test_case_can_be_passed_over():
    shouted = [text.upper() for text in REFERENCES]
    assert bleu(shouted, REFERENCES).score < bleu(shouted, REFERENCES, lowercase=True).score == pytest.approx(100)


def test_the_line_has_the_score_and_the_signature():
    line = str(bleu(REFERENCES, REFERENCES))
    assert line.startswith("BLEU 100.00  precisions 100.0/100.0/100.0/100.0  brevity penalty 1.000 (18 tokens for 18)")
    assert "|tok:13a|" in line


@pytest.mark.parametrize(
    ("hypotheses", "references", "error", "message"),
    [
        (["a", "b"], ["a"], ValueError, r"Received: 2 hypotheses and 1 reference\."),
        (["a"], ["a", "b", "c"], ValueError, r"Received: 1 hypothesis and 3 references\."),
        ([], [], ValueError, r"nothing to compare.*Received: 0 hypotheses"),
        (["a", "b"], ["a", []], ValueError, r"Received none for hypothesis 1"),
        ("a cat", ["a cat"], TypeError, r"`hypotheses` must be a list.*single string: 'a cat'"),
        (["a cat"], "a cat", TypeError, r"`references` must be a list"),
        ([["a", "cat"]], ["a cat"], TypeError, r"must be texts. Received at 0: \['a', 'cat'\]\. Join tokens"),
        (["a cat"], [["a cat", None]], TypeError, r"must be texts. Received at 0: None"),
    ],
)
def test_what_cannot_be_compared_is_refused(hypotheses, references, error, message):
    with pytest.raises(error, match=message):
        bleu(hypotheses, references)
