"""How fast exported transformers run and generate, beside every other way to run one with their weights.

    python benchmarks/transformer.py [--quick] [--json FILE] [--only TEXT] [--rounds N]
    python benchmarks/transformer.py --threads 1 --processor-time       on a machine that is busy with other work

An encoder of 4 layers, 256 features, 8 heads, 1024 units between, GELU, normalising first, over 64 tokens; and with a
decoder of the same size greedy and beam search, 8000 words, sources of 20 tokens, 40 tokens generated for each; 1
sequence and 16. Before anything is timed all ways must have given the same outputs or hypotheses; int8 alone may
differ. Of ways that come in several forms the fastest counts: what is one call is quickest with all threads in it,
sequences of one call may be quicker with a thread each. Speed drifts on shared machines, so only the ratios of one run
mean something; what decides about a target is the ratio of the 10th percentiles, or that of the processor times. What
is printed at the end is the table of docs/transformer.md.
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

TOLERANCE = 1e-4  # of outputs, which are up to 5, and scores
P10, PROCESSOR_TIME = "p10_seconds", "cpu_seconds"
AT_LEAST = {(0, 1): 1.3, (0, 16): 1.0, (4, 1): 1.5, (4, 16): 1.0}
"""By beams (0: the encoder) and batch, how many times as fast as CTranslate2 in float32 the bundle is to be."""


@dataclass(frozen=True)
class Row:
    """One way in one case; the fastest of its forms.

    Attributes:
        name: Of the way.
        form: Which form was the fastest, or "".
        timing: Of a whole call.
    """

    name: str
    form: str
    timing: Timing


def run_case(case, ways, rounds: int, by: str) -> dict:
    """Compares what the ways give, then times them; `by` says which of the figures of a `Timing` decides."""
    from transformer_candidates import BUNDLE, CT2

    ids = case.ids(ways.weights.sizes)
    notes = _check({name: run(ids) for name, run in ways.ready.items()}, "outputs" if case.num_beams == 0 else "ids")
    # Each has run once already.
    timings = measure({n: lambda run=run: run(ids) for n, run in ways.ready.items()}, rounds=rounds, warm_calls=1)
    rows = _fastest_forms(timings, by)
    seconds = {row.name: getattr(row.timing, by) for row in rows}
    at_least, target = AT_LEAST.get((case.num_beams, case.batch)), None
    if at_least and CT2 in seconds:
        reached = seconds[CT2] / seconds[BUNDLE]
        target = {"opponent": CT2, "at_least": at_least, "reached": reached, "met": reached >= at_least}
    return {
        "case": {**asdict(case), "title": case.title},
        "tokens": ids.size if case.num_beams == 0 else case.batch * _target(),
        "candidates": [{"name": row.name, "form": row.form, **asdict(row.timing)} for row in rows],
        "all_forms": {name: asdict(timing) for name, timing in timings.items()},
        "notes": notes,
        "left_out": ways.left_out,
        "nodes": ways.nodes,
        "target": target,
        "by": by,
    }


def _target() -> int:
    from transformer_candidates import TARGET

    return TARGET


def _check(answers: Mapping[str, object], kind: str) -> dict[str, str]:
    """All ways must give what the Keras model gives; what int8 gives is told.

    Raises:
        RuntimeError: One gives something else; it says which.
    """
    from transformer_candidates import INEXACT, KERAS

    reference, notes = answers[KERAS], {}
    for name, answer in answers.items():
        inexact = name.startswith(INEXACT)
        if kind == "outputs":
            difference = float(np.abs(answer - reference).max())
            if inexact:
                notes[name] = f"differs by up to {difference:.2f}, where values are up to {np.abs(reference).max():.1f}"
            elif not difference <= TOLERANCE:
                raise RuntimeError(f"{name!r} differs from {KERAS!r} by {difference:.1e}: it must not be timed.")
            continue
        (ids, scores), (own_ids, own_scores) = reference, answer
        same = np.all(own_ids == ids, axis=1) if own_ids.shape == ids.shape else np.zeros(len(ids), bool)
        if inexact:
            notes[name] = f"{same.sum()} of {len(ids)} hypotheses are those of float32"
        elif not same.all():
            raise RuntimeError(f"{name!r} finds other hypotheses than {KERAS!r}, in row {same.argmin()}.")
        elif own_scores is not None and not np.allclose(own_scores, scores, atol=TOLERANCE, rtol=TOLERANCE):
            raise RuntimeError(f"{name!r} gives other scores than {KERAS!r}: {own_scores} and {scores}.")
    return notes


def _fastest_forms(timings: Mapping[str, Timing], by: str) -> list[Row]:
    """One row a way: of `way: form` the fastest form."""
    rows: dict[str, Row] = {}
    for full_name, timing in timings.items():
        name, _, form = full_name.partition(": ")
        if name not in rows or getattr(timing, by) < getattr(rows[name].timing, by):
            rows[name] = Row(name, form, timing)
    return list(rows.values())


def print_result(result: dict) -> None:
    """One case as Markdown: every form, what was left out, the verdict."""
    rows, tokens = result["all_forms"], result["tokens"]
    base = next(iter(rows.values()))
    table = [
        [
            name,
            f"{row['median_seconds'] * 1e3:.3g}",
            f"{tokens / row['p10_seconds']:.0f}",
            *(f"{row[key] / base[key]:.2f}" for key in ("median_seconds", "p10_seconds", "cpu_seconds")),
        ]
        for name, row in rows.items()
    ]
    print(f"\n#### {result['case']['title'].capitalize()}\n")
    print(markdown_table(["", "ms", "tokens/s by p10", "times as long", "by p10", "processor time"], table))
    print()
    for name, note in result["notes"].items():
        print(f"- {name}: {note}")
    for name, reason in result["left_out"].items():
        print(f"- {name} left out: {reason}")
    for name, counts in result["nodes"].items():
        print(f"- {name}: {' nodes, in its loop '.join(map(str, counts))} nodes")
    if target := result["target"]:
        word = "PASS" if target["met"] else "MISS"
        print(f"- {word}: {target['opponent']} takes {target['reached']:.2f}, to reach {target['at_least']:.2f}")
    sys.stdout.flush()


def print_summary(results: list[dict], by: str) -> None:
    """All cases side by side: what the bundle reaches, and how long the others take."""
    names = list(dict.fromkeys(row["name"] for result in results for row in result["candidates"]))
    cells = {name: [] for name in names}
    for result in results:
        seconds = {row["name"]: row[by] for row in result["candidates"]}
        target = result["target"] or {"met": True, "opponent": ""}
        for name in names:
            mark = " ✗" if name == target["opponent"] and not target["met"] else ""
            cells[name].append(f"{seconds[name] / seconds[names[0]]:.2f}{mark}" if name in seconds else "–")
        encoder, own = result["case"]["num_beams"] == 0, seconds[names[0]]
        cells[names[0]][-1] = f"{own * 1e3:.3g} ms" if encoder else f"{result['tokens'] / own:.0f} tokens/s"
    cells["nodes"] = ["+".join(map(str, result["nodes"][names[0]])) for result in results]
    how = {P10: "10th percentiles", PROCESSOR_TIME: "processor time"}[by]
    print(f"\n### Summary: the others in times as long as the bundle; ✗ misses its target; {how}\n")
    print(markdown_table(["", *(result["case"]["title"] for result in results)], [[n, *c] for n, c in cells.items()]))
    targets = [result["target"] for result in results if result["target"]]
    print(f"\n{sum(target['met'] for target in targets)} of {len(targets)} targets met.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one sequence, few rounds: does it run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as well")
    parser.add_argument("--only", default="", metavar="TEXT", help="only cases with TEXT in their title")
    parser.add_argument("--rounds", type=int, help="blocks of calls of each candidate, taken in turn")
    parser.add_argument("--threads", type=int, help="for every candidate; by default as many as the process may use")
    parser.add_argument("--processor-time", action="store_true", help="let that decide, where the machine is busy")
    arguments = parser.parse_args()

    from keras_seq.serving.cpu_quota import cpu_quota

    threads = arguments.threads or cpu_quota()
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)  # read when TensorFlow first runs something
    from transformer_candidates import NUM_BEAMS, Case, decode_ways, encoder_ways
    from transformer_opponents.weights import Sizes, random_weights

    batches = (1,) if arguments.quick else (1, 16)
    rounds = arguments.rounds or (2 if arguments.quick else 5)
    by = PROCESSOR_TIME if arguments.processor_time else P10
    cases = [Case(num_beams, batch) for num_beams in (0, NUM_BEAMS, 1) for batch in batches]
    chosen = [case for case in cases if arguments.only in case.title]
    if not chosen:
        parser.error(f"no case has {arguments.only!r} in its title; a title is such as {cases[0].title!r}")
    weights, results = random_weights(Sizes()), []
    for num_beams in dict.fromkeys(case.num_beams for case in chosen):
        with tempfile.TemporaryDirectory() as folder:
            if num_beams:
                ways = decode_ways(weights, num_beams, Path(folder), threads)
            else:
                ways = encoder_ways(weights, Path(folder), threads)
            for case in chosen:
                if case.num_beams == num_beams:
                    results.append(run_case(case, ways, rounds, by))
                    print_result(results[-1])
    print_summary(results, by)
    if arguments.json:
        figures = {"threads": threads, "rounds": rounds, "results": results}
        arguments.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
