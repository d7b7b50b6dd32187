"""How fast and how well skip-gram vectors are learnt, beside gensim's: one table.

    python benchmarks/word_embeddings.py [--data FOLDER] [--epochs N] [--seeds N] [--max-words N] [--loss LOSS]
        [--json FILE]

Both learn from the same sentences with the same settings: 100 features, window 5 (drawn), 5 noise words a pair, words
that occur 5 times and more, subsampling at 1e-3, a learning rate that falls from 0.025. They take turns, seed by seed,
as speed drifts on shared machines: only the ratios mean something. Each has as many threads as there are cores. Words
are those of the text, before subsampling; an epoch counts them all.

With a folder that has `language_model/wikitext2-train-sample.txt` and, in `word_embeddings/`, `questions-words.txt` and
`wordsim353.tsv`, the vectors are also scored. Without one the text is the Python documentation that comes with every
interpreter, and there is nothing to score with. docs/word_embeddings.md has a full run.
"""

import argparse
import json
import os
import pydoc_data.topics
import re
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from gensim.models import Word2Vec
from timing import markdown_table

from keras_seq.embeddings import CountedVocabulary, SkipGram, SkipGramPairs, WordVectors
from keras_seq.embeddings.skip_gram import LOSSES

FEATURES, WINDOW, NEGATIVES, MIN_COUNT, SAMPLE = 100, 5, 5, 5, 1e-3
CORPUS = "language_model/wikitext2-train-sample.txt"

Learn = Callable[[list[list[str]], int, int], tuple[WordVectors, float, float]]
"""Takes sentences, epochs and a seed; gives vectors, and the seconds by the clock and of the processor."""


@dataclass(frozen=True)
class Run:
    """One training.

    Attributes:
        candidate: who learnt.
        seed: of its draws.
        seconds: by the clock.
        processor_seconds: of all threads together.
        words_per_second: words of the text times epochs, by the clock.
        wordsim: Spearman's rank correlation, or `None` where there is no file.
        analogies: share of right answers, likewise.
    """

    candidate: str
    seed: int
    seconds: float
    processor_seconds: float
    words_per_second: float
    wordsim: float | None
    analogies: float | None


def read_sentences(data: Path | None, max_words: int | None) -> list[list[str]]:
    """Lower-cased words, a list for each line of the corpus or sentence of the documentation."""
    if data is None:
        text = "\n".join(pydoc_data.topics.topics[name] for name in sorted(pydoc_data.topics.topics))
        found = [re.findall(r"\w+", part) for part in re.split(r"[.!?:]\s|\n\n", text.lower())]
    else:
        found = [line.split() for line in (data / CORPUS).read_text(encoding="utf-8").lower().split("\n")]
    sentences, words = [], 0
    for sentence in filter(None, found):
        if max_words is not None and words >= max_words:
            break
        sentences.append(sentence)
        words += len(sentence)
    return sentences


def learn_gensim(sentences: list[list[str]], epochs: int, seed: int) -> tuple[WordVectors, float, float]:
    """The skip-gram of gensim, with negative sampling."""
    model = Word2Vec(
        vector_size=FEATURES,
        window=WINDOW,
        min_count=MIN_COUNT,
        sg=1,
        negative=NEGATIVES,
        sample=SAMPLE,
        seed=seed,
        workers=os.cpu_count(),
    )
    model.build_vocab(sentences)
    started, processor = time.perf_counter(), time.process_time()
    model.train(sentences, total_examples=len(sentences), epochs=epochs)
    seconds = time.perf_counter() - started, time.process_time() - processor
    return WordVectors(model.wv.index_to_key, model.wv.vectors), *seconds


def learn_keras(loss: str) -> Learn:
    """Ours, with the settings that a user gets; tracing the step is part of the time."""

    def learn(sentences: list[list[str]], epochs: int, seed: int) -> tuple[WordVectors, float, float]:
        vocabulary = CountedVocabulary.from_sentences(sentences, min_count=MIN_COUNT)
        model = SkipGram(vocabulary, FEATURES, loss, negatives=NEGATIVES, seed=seed)
        model.compile()
        pairs = SkipGramPairs(sentences, vocabulary, WINDOW, sample=SAMPLE, seed=seed)
        started, processor = time.perf_counter(), time.process_time()
        model.fit(pairs, epochs=epochs, verbose=0)
        seconds = time.perf_counter() - started, time.process_time() - processor
        return model.word_vectors(), *seconds

    return learn


def measure_run(
    candidate: str, learn: Learn, sentences: list[list[str]], data: Path | None, epochs: int, seed: int
) -> Run:
    """Learns and scores."""
    vectors, seconds, processor_seconds = learn(sentences, epochs, seed)
    wordsim = analogies = None
    if data is not None:
        wordsim = vectors.evaluate_similarity(data / "word_embeddings" / "wordsim353.tsv").spearman
        analogies = vectors.evaluate_analogies(data / "word_embeddings" / "questions-words.txt").all.accuracy
    words = epochs * sum(map(len, sentences))
    return Run(candidate, seed, seconds, processor_seconds, words / seconds, wordsim, analogies)


def spread(values: list[float | None]) -> str:
    """Mean and standard deviation, or a dash."""
    if None in values:
        return "–"
    deviation = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{deviation}"


def table(runs: list[Run]) -> str:
    """One row for each candidate; the first one is what speed is compared with."""
    by_name: dict[str, list[Run]] = {}
    for run in runs:
        by_name.setdefault(run.candidate, []).append(run)
    base = next(iter(by_name.values()))
    rows = []
    for name, of_name in by_name.items():
        turns = list(zip(of_name, base, strict=True))
        rows.append(
            [
                name,
                f"{statistics.median(run.words_per_second for run in of_name):,.0f}",
                f"{statistics.median(theirs.seconds / run.seconds for run, theirs in turns):.2f}",
                f"{statistics.median(theirs.processor_seconds / run.processor_seconds for run, theirs in turns):.2f}",
                spread([run.wordsim for run in of_name]),
                spread([run.analogies for run in of_name]),
            ]
        )
    header = ["", "words/s", "ratio by the clock", "ratio by processor time", "WordSim-353", "analogies"]
    return markdown_table(header, rows)


def stream_seconds(sentences: list[list[str]]) -> float:
    """How long the pairs of one epoch take alone; in `fit` a thread of its own makes them beside the steps."""
    pairs = SkipGramPairs(sentences, CountedVocabulary.from_sentences(sentences, MIN_COUNT), WINDOW, sample=SAMPLE)
    started = time.perf_counter()
    for _ in pairs.batches():
        pass
    return time.perf_counter() - started


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with language_model/ and word_embeddings/")
    parser.add_argument("--epochs", type=int, default=20, help="how often to go through the text")
    parser.add_argument("--seeds", type=int, help="how many runs of each; 3 with --data, otherwise 1")
    parser.add_argument("--max-words", type=int, help="read no more of the text than about so many words")
    parser.add_argument("--loss", choices=LOSSES, default="negative_sampling", help="of ours; gensim's stays the same")
    parser.add_argument("--json", type=Path, help="where to write all runs")
    return parser.parse_args(arguments)


def main() -> None:
    options = parse_arguments()
    sentences = read_sentences(options.data, options.max_words)
    print(f"{sum(map(len, sentences)):,} words in {len(sentences):,} sentences, {options.epochs} epochs")
    candidates = {"gensim": learn_gensim, f"keras_seq, {options.loss}": learn_keras(options.loss)}
    runs = []
    for seed in range(1, 1 + (options.seeds or (1 if options.data is None else 3))):
        for name, learn in candidates.items():
            runs.append(measure_run(name, learn, sentences, options.data, options.epochs, seed))
            print(runs[-1], flush=True)
    print("\n" + table(runs))
    print(f"\nThe pairs of an epoch take {stream_seconds(sentences):.2f} s alone.")
    if options.json:
        options.json.write_text(json.dumps([asdict(run) for run in runs], indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
