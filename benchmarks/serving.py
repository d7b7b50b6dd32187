"""How fast `keras-seq serve` answers: beside `session.run` alone, LitServe and Ray Serve with the same bundle.

    python benchmarks/serving.py [BUNDLE] [--data FOLDER] [--quick] [--json FILE] [--only TEXT] [--rounds N]

The bundle is the demo's tagger, which `make demo` writes to out/tagger. A request is one row of random ids, as long as
a sentence of a corpus: the CoNLL-U files of --data, or Python's own source. Servers and the load generator are
processes of their own on one machine, so they share its processors. In the closed loop a number of connections each
wait for an answer before they ask again; in the open loop requests come by chance at a rate, whether or not earlier
ones were answered, and latency counts from when a request was due, so that a queue cannot hide. Every answer is
compared with that of the row alone, after the clock has stopped.

Servers take turns, round by round; what decides about a target is the median of the ratios within a round. What is
printed is the section "Measured" of docs/serving.md.
"""

import argparse
import json
import shlex
import shutil
import signal
import sys
import tempfile
from collections import defaultdict
from dataclasses import asdict
from pathlib import Path

import numpy as np
from serving_parts.measuring import Figures, batches_so_far, measure_load
from serving_parts.questions import BinaryForm, JSONForm, PlainForm, corpus_lengths, draw_questions
from serving_parts.raw_limit import RawLimit
from serving_parts.report import print_report
from serving_parts.servers import Server, python

from keras_seq.serving import Bundle, Predictor
from keras_seq.serving.cpu_quota import cpu_quota
from keras_seq.serving.server.settings import ServerSettings

CONCURRENCY = (1, 8, 32, 128)
SHARES = (0.5, 0.8)  # of what the closed loop reached, for the open one
OPPONENTS = Path(__file__).with_name("serving_opponents")
OURS, BINARY, LISTS, BARE = "keras-seq serve", "v2 binary", "v2 JSON", "HTTP alone"


def ways(bundle: Path, name: str, serve_options: list[str]) -> dict[str, tuple[Server, dict]]:
    """Server name to the server, not started yet, and the forms in which it is asked."""
    path = f"/v2/models/{name}/infer"
    ours = python("-m", "keras_seq.cli", "serve", str(bundle), "--port", "{port}", *serve_options)
    others = {
        BARE: ("bare_server.py", "/", {BINARY: BinaryForm(path)}),
        "LitServe": ("litserve_server.py", "/health", {"JSON": PlainForm()}),
        "Ray Serve": ("ray_serve_server.py", "/predict", {"JSON": PlainForm()}),
        "keras_seq on Ray Serve": ("ray_app_server.py", "/v2/health/ready", {BINARY: BinaryForm(path)}),
    }
    return {
        OURS: (Server(ours, "/v2/health/ready"), {BINARY: BinaryForm(path), LISTS: JSONForm(path)}),
        **{
            title: (Server(python(str(OPPONENTS / file), str(bundle), "{port}"), ready), forms)
            for title, (file, ready, forms) in others.items()
        },
    }


def run_round(chosen: dict, questions: list, raw: RawLimit, seconds: float, seed: int, concurrency) -> dict:
    """Every server once, and what ONNX Runtime does alone with batches such as our server made."""
    found: dict = {"closed": {}, "open": {}, "raw": {}, "start": {}}
    for title, (server, forms) in chosen.items():
        asked = [question.answered_with_zeros() for question in questions] if title == BARE else questions
        with server:
            found["start"][title] = {"seconds": server.ready_seconds, "mb": server.ready_mb}
            for form_name, form in forms.items():
                way = f"{title}, {form_name}"
                closed = found["closed"][way] = {}
                for count in concurrency:
                    before = batches_so_far(server) if title == OURS else None
                    figures = measure_load(server, asked, form, seconds=seconds, seed=seed, concurrency=count)
                    closed[count] = asdict(figures)
                    if before is not None:
                        calls = batches_so_far(server) - before
                        closed[count] |= {"rows": calls.rows, "padding": calls.padding}
                    print_line(way, f"{count} at a time", figures)
                capacity = max(figures["per_second"] for figures in closed.values())
                for share in () if title == BARE else SHARES:
                    rate = share * capacity
                    figures = measure_load(server, asked, form, seconds=seconds, seed=seed, rate=rate)
                    found["open"].setdefault(way, {})[share] = {**asdict(figures), "rate": rate}
                    print_line(way, f"open, {rate:.0f}/s", figures)
            found["start"][title]["mb_after"] = server.resident_mb()
    for count, figures in found["closed"].get(f"{OURS}, {BINARY}", {}).items():
        rows = max(1, round(figures["rows"]))
        found["raw"][count] = asdict(raw.measure(questions, rows, figures["padding"], seconds))
        found["raw"][count]["alone"] = asdict(raw.measure(questions, 1, 0.0, seconds / 2))
    return found


def print_line(way: str, mode: str, figures: Figures) -> None:
    bad = f", {figures.shed} shed, {figures.failed} failed, {figures.wrong} WRONG"
    print(
        f"  {way}, {mode}: {figures.per_second:.0f}/s, p50 {figures.p50_seconds * 1e3:.2f} ms, "
        f"p99 {figures.p99_seconds * 1e3:.2f} ms{bad if figures.shed + figures.failed + figures.wrong else ''}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path, nargs="?", default=Path("out/tagger"), help="default: out/tagger")
    parser.add_argument("--data", type=Path, help="folder with CoNLL-U files; default: lines of Python source")
    parser.add_argument("--quick", action="store_true", help="one short round without Ray: does it run?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as well")
    parser.add_argument("--only", default="", metavar="TEXT", help="only servers with TEXT in their names")
    parser.add_argument("--rounds", type=int, help="how often each server has its turn")
    parser.add_argument("--seconds", type=float, help="of each measurement")
    parser.add_argument("--concurrency", type=int, nargs="+", default=CONCURRENCY)
    parser.add_argument("--workers", type=int, help="of `keras-seq serve`, and of the calls without a server")
    parser.add_argument("--threads", type=int, help="likewise")
    parser.add_argument("--serve", default="", metavar="OPTIONS", help="further options of it, as one text")
    arguments = parser.parse_args()
    if not (arguments.bundle / "bundle.json").exists():
        parser.error(f"there is no bundle at {arguments.bundle}: `make demo` writes one to out/tagger")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end too
    rounds = arguments.rounds or (1 if arguments.quick else 3)
    seconds = arguments.seconds or (1.0 if arguments.quick else 4.0)

    with tempfile.TemporaryDirectory() as folder:  # a copy: whoever trains meanwhile must not mix two models here
        path = shutil.copytree(arguments.bundle, Path(folder) / arguments.bundle.resolve().name)
        compare(path, arguments, rounds, seconds)


def compare(path: Path, arguments: argparse.Namespace, rounds: int, seconds: float) -> None:
    """All rounds, and the report."""
    corpus, lengths = corpus_lengths(arguments.data)
    bundle, settings = Bundle.load(path), ServerSettings()
    with Predictor(bundle, num_threads=1) as predictor:
        questions = draw_questions(predictor, lengths, 512)
    print(f"Lengths of {corpus}: mean {np.mean(lengths):.1f}, 95 % up to {np.percentile(lengths, 95):.0f}.", flush=True)
    workers = arguments.workers or settings.calls_at_a_time
    threads = arguments.threads or settings.num_threads
    options = ["--workers", str(workers), "--threads", str(threads), *shlex.split(arguments.serve)]
    chosen = {
        title: way
        for title, way in ways(path, path.name, options).items()
        if arguments.only in title and not (arguments.quick and "Ray" in title)
    }
    if not chosen:
        raise SystemExit(f"No server has {arguments.only!r} in its name.")
    print(f"Workers: {workers}, each with {threads} of ONNX Runtime's threads.")
    raw = RawLimit(bundle, threads, workers)
    results: dict[str, list] = defaultdict(list)
    for number in range(rounds):
        print(f"Round {number + 1} of {rounds}", flush=True)
        for part, figures in run_round(chosen, questions, raw, seconds, number, arguments.concurrency).items():
            results[part].append(figures)
    if arguments.json:
        arguments.json.write_text(json.dumps({"corpus": corpus, "rounds": results}, indent=1), encoding="utf-8")
    print_report(results, f"{OURS}, {BINARY}", cpu_quota())


if __name__ == "__main__":
    main()
