"""A server under everything at once, for minutes: does it give wrong answers, lose requests, or grow?

    python benchmarks/soak.py [--minutes 10] [--seed N] [--json FILE]

`keras-seq serve` runs with four small models, in a process of its own. Visitors ask it at the same time, over HTTP (v2
with JSON and with binary data, texts to tag and to go on with, tokens as events) and over WebSockets (chunks,
snapshots), in shapes drawn by chance. Among them are requests that must be refused, and clients that leave in the
middle of a body, before the answer, or in the middle of a stream. Meanwhile all models are loaded anew again and again,
and one is taken away now and then. Every answer is compared with what the runtime gives in the visitors' process for
that request alone.

To reach: nothing wrong, nothing lost, and less than 5 % more memory at the end than after the warm-up.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from serving_parts.servers import Server, python
from soaking.models import FLICKER, TEXTS
from soaking.oracle import Oracle
from soaking.soak import soak
from soaking.tally import Tally
from timing import markdown_table

MAX_GROWTH = 0.05
WITH_TEXTS = ("reader", "writer")


def print_report(tally: Tally, seconds: float) -> bool:
    """The tally as Markdown; whether the targets are met."""
    kinds = sorted({*tally.right, *tally.sent_away, *tally.aborted})
    columns = tally.right, tally.sent_away, tally.aborted
    rows = [[kind, *(str(column[kind] or "–") for column in columns)] for kind in kinds]
    rows.append(["all", *(str(column.total()) for column in columns)])
    print(markdown_table(["", "right", "sent away", "left by the client"], rows))
    print(f"\n{tally.requests} requests in {seconds:.0f} s.")
    print("\nMemory:", ", ".join(f"{mb:.0f} MB at {at:.0f} s" for at, mb in tally.samples[:: len(tally.samples) // 10]))
    growth = tally.growth()
    met = [tally.wrong == 0, tally.lost == 0, growth is not None and growth < MAX_GROWTH]
    words = ["met" if one else "MISSED" for one in met]
    print(f"\n- {words[0]}: {tally.wrong} wrong, to reach 0\n- {words[1]}: {tally.lost} lost, to reach 0")
    grown = "too short to tell" if growth is None else f"{growth:.1%}"
    print(f"- {words[2]}: growth of memory after the warm-up: {grown}, to reach under {MAX_GROWTH:.0%}")
    for fault in tally.faults:
        print(f"  {fault}")
    return all(met)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--visitors", type=int, default=24, help="over HTTP, at the same time")
    parser.add_argument("--listeners", type=int, default=8, help="over WebSockets, at the same time")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE as well")
    arguments = parser.parse_args()
    seconds = 60 * arguments.minutes
    with tempfile.TemporaryDirectory() as folder:
        # Keras in a process of its own: this one shall have its processors for asking.
        subprocess.run([sys.executable, str(Path(__file__).with_name("soaking") / "models.py"), folder], check=True)
        paths = sorted(Path(folder).iterdir())
        oracles = [Oracle(p.name, p, TEXTS if p.name in WITH_TEXTS else (), p.name == FLICKER) for p in paths]
        command = python("-m", "keras_seq.cli", "serve", *map(str, paths), "--port", "{port}")
        with Server(command, "/v2/health/ready") as server:
            tally = asyncio.run(
                soak(
                    server.port,
                    oracles,
                    seed=arguments.seed,
                    visitors=arguments.visitors,
                    listeners=arguments.listeners,
                    seconds=seconds,
                    memory=server.resident_mb,
                )
            )
            met = print_report(tally, seconds)
            if not met:
                print(f"\nThe end of the server's log:\n{server.log()}")
    if arguments.json:
        arguments.json.write_text(json.dumps(vars(tally), indent=1), encoding="utf-8")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
