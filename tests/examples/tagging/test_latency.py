from tagging.latency import typical_batch
from tagging.sentence import Sentence
from tagging.vocabularies import features_of, learn_tokenizers


def test_a_typical_batch_is_full_of_real_words_however_few_and_long_they_are():
    sentences = [Sentence(("a", "b", "c" * 100_000), tuple("XYZ"))]
    features = features_of(learn_tokenizers(sentences, min_count=1, affix=2), sentences)
    batch = typical_batch(features, sentences, batch_size=2, length=7)
    assert batch["characters"].shape == (2, 7, 4)
    a, b, c = (features.words.vocabulary.index(word) for word in sentences[0].words)
    assert batch["words"].tolist() == [[a, b, c, a, b, c, a], [b, c, a, b, c, a, b]]
