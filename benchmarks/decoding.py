"""How fast a bundle generates: its decode loop inside one graph, beside every other way to decode with its weights.

    python benchmarks/decoding.py [--quick] [--json FILE] [--only TEXT] [--rounds N]

A GRU(256) encoder, a GRU(256) decoder with additive attention, embeddings of 256, 4000 words, sources of 20 tokens, 40
tokens generated for each: greedy and beam search, 1 source and 16. Before anything is timed all ways must have found
the same hypotheses. The loops that a host drives come in several forms, of which the fastest counts. Speed drifts on
shared machines, so only the ratios of one run mean something; what decides about a target is the ratio of the 10th
percentiles. What is printed is the section "Speed" of docs/decoding.md.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from timing import Timing, markdown_table, measure

TOLERANCE = 1e-4  # of scores, relative and absolute
AT_LEAST = {1: 0.95, 4: 1.1}
"""By the number of beams, how many times as fast as the best host loop the bundle is to be."""


@dataclass(frozen=True)
class Row:
    """One way in one case; for a host loop the fastest of its forms.

    Attributes:
        name: Of the way.
        form: Which form was the fastest, or "".
        timing: Of a whole call, the encoder's work and all tokens.
    """

    name: str
    form: str
    timing: Timing


def run_case(case, ways, rounds: int) -> dict:
    """Compares what the ways find, then times them and the products of a step."""
    from decoding_candidates import HOST, KERAS, PREDICTOR, SOURCE, TARGET
    from decoding_opponents.products import CALL_ALONE, product_runs

    source = case.source
    _check_answers({name: run(source) for name, run in ways.ready.items()}, KERAS)
    runs = {name: lambda run=run: run(source) for name, run in ways.ready.items()}
    timings = measure(runs, rounds=rounds, warm_calls=1)  # each has run once already
    rows = _fastest_forms(timings)
    products = measure(
        product_runs(ways.weights, case.batch, case.num_beams, SOURCE), rounds=rounds, block_seconds=0.03
    )
    call = products.pop(CALL_ALONE).p10_seconds
    seconds = {row.name: row.timing.p10_seconds for row in rows}
    reached, at_least = seconds[HOST] / seconds[PREDICTOR], AT_LEAST[case.num_beams]
    return {
        "case": {**asdict(case), "title": case.title},
        "tokens": case.batch * TARGET,
        "candidates": [{"name": row.name, "form": row.form, **asdict(row.timing)} for row in rows],
        "all_forms": {name: asdict(timing) for name, timing in timings.items()},
        "products": {name: asdict(timing) for name, timing in products.items()},
        "products_seconds": TARGET * sum(timing.p10_seconds - call for timing in products.values()),
        "left_out": ways.left_out,
        "nodes": asdict(ways.node_counts),
        "target": {"opponent": HOST, "at_least": at_least, "reached": reached, "met": reached >= at_least},
    }


def _check_answers(answers: Mapping[str, tuple[np.ndarray, np.ndarray]], reference: str) -> None:
    """All ways must have found what the Keras model finds.

    Raises:
        RuntimeError: One found something else; it says which.
    """
    from decoding_candidates import HOST_IDS

    ids, scores = answers[reference]
    for name, (found_ids, found_scores) in answers.items():
        if not np.array_equal(found_ids, ids):
            rows = "of another shape" if found_ids.shape != ids.shape else f"in row {_first_row(found_ids != ids)}"
            raise RuntimeError(f"{name!r} finds other hypotheses than {reference!r}, {rows}: it must not be timed.")
        if not name.startswith(HOST_IDS) and not np.allclose(found_scores, scores, atol=TOLERANCE, rtol=TOLERANCE):
            most = float(np.abs(found_scores - scores).max())
            raise RuntimeError(f"{name!r} gives other scores than {reference!r}, by up to {most:.1e}.")


def _first_row(differs: np.ndarray) -> int:
    return int(differs.any(axis=1).argmax())


def _fastest_forms(timings: Mapping[str, Timing]) -> list[Row]:
    """One row a way: of `way: form` the form with the smallest 10th percentile."""
    rows: dict[str, Row] = {}
    for full_name, timing in timings.items():
        name, _, form = full_name.partition(": ")
        if name not in rows or timing.p10_seconds < rows[name].timing.p10_seconds:
            rows[name] = Row(name, form, timing)
    return list(rows.values())


def print_result(result: dict) -> None:
    """One case as Markdown: the table, what was left out, the verdict."""
    rows, tokens = result["candidates"], result["tokens"]
    base = rows[0]
    table = [
        [
            f"{row['name']}: {row['form']}" if row["form"] else row["name"],
            f"{row['median_seconds'] * 1e3:.3g}",
            f"{tokens / row['p10_seconds']:.0f}",
            f"{row['median_seconds'] / base['median_seconds']:.2f}",
            f"{row['p10_seconds'] / base['p10_seconds']:.2f}",
        ]
        for row in rows
    ]
    products = result["products_seconds"]
    table.append(
        [
            "the matrix products alone",
            f"{products * 1e3:.3g}",
            f"{tokens / products:.0f}",
            f"{products / base['median_seconds']:.2f}",
            f"{products / base['p10_seconds']:.2f}",
        ]
    )
    print(f"\n#### {result['case']['title'].capitalize()}\n")
    print(markdown_table(["", "ms", "tokens/s by p10", "times as long", "by p10"], table))
    print()
    for name, reason in result["left_out"].items():
        print(f"- {name} left out: {reason}")
    target = result["target"]
    word = "PASS" if target["met"] else "MISS"
    print(f"- {word}: {target['opponent']} takes {target['reached']:.2f}, to reach {target['at_least']:.2f}")
    sys.stdout.flush()


def print_summary(results: list[dict]) -> None:
    """All cases side by side: tokens a second of the bundle, and how long the others take."""
    names = list(dict.fromkeys(row["name"] for result in results for row in result["candidates"]))
    bases = [result["candidates"][0]["p10_seconds"] for result in results]
    cells = {name: [] for name in names}
    for result, base in zip(results, bases, strict=True):
        seconds = {row["name"]: row["p10_seconds"] for row in result["candidates"]}
        for name in names:
            mark = " ✗" if name == result["target"]["opponent"] and not result["target"]["met"] else ""
            cells[name].append(f"{seconds[name] / base:.2f}{mark}" if name in seconds else "–")
    cells[names[0]] = [f"{result['tokens'] / base:.0f} tokens/s" for result, base in zip(results, bases, strict=True)]
    cells["the matrix products alone"] = [
        f"{result['products_seconds'] / base:.2f}" for result, base in zip(results, bases, strict=True)
    ]
    cells["nodes of the loop's body"] = [str(result["nodes"]["body"]) for result in results]
    print("\n### Summary: the bundle's tokens a second, the others in times as long as it; ✗ misses; all by p10\n")
    print(markdown_table(["", *(result["case"]["title"] for result in results)], [[n, *c] for n, c in cells.items()]))
    met = sum(result["target"]["met"] for result in results)
    print(f"\n{met} of {len(results)} targets met.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one source, few rounds, no compilation: does it run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as well")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases with TEXT in their title")
    parser.add_argument("--rounds", type=int, help="blocks of calls of each candidate, taken in turn")
    parser.add_argument("--threads", type=int, help="for every candidate; by default as many as the process may use")
    arguments = parser.parse_args()

    from keras_seq.serving import share_threads
    from keras_seq.serving.cpu_quota import cpu_quota

    threads = arguments.threads or cpu_quota()
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)  # read when TensorFlow first runs something
    share_threads(threads)  # a host loop has two sessions: with a pool each they would take threads from each other
    from decoding_candidates import NUM_BEAMS, Case, Ways, make_model

    batches = (1,) if arguments.quick else (1, 16)
    rounds = arguments.rounds or (2 if arguments.quick else 9)
    cases = [Case(num_beams, batch) for num_beams in (1, NUM_BEAMS) for batch in batches]
    chosen = [case for case in cases if arguments.only in case.title]
    if not chosen:
        parser.error(f"no case has {arguments.only!r} in its title; a title is such as {cases[0].title!r}")
    model, results = make_model(), []
    for num_beams in dict.fromkeys(case.num_beams for case in chosen):
        with tempfile.TemporaryDirectory() as folder:
            ways = Ways(model, num_beams, Path(folder) / "bundle", threads, compiled=not arguments.quick)
            for case in chosen:
                if case.num_beams == num_beams:
                    results.append(run_case(case, ways, rounds))
                    print_result(results[-1])
    print_summary(results)
    if arguments.json:
        figures = {"threads": threads, "rounds": rounds, "results": results}
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
