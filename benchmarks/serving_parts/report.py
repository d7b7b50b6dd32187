"""The figures of all rounds as the tables of docs/serving.md, and which targets are met."""

from collections.abc import Callable, Sequence

import numpy as np
from timing import markdown_table

CORES_OF_LOAD = "load_cores"
MIN_GAIN, MIN_OF_RAW, MAX_TAIL, MAX_OVERHEAD_SECONDS, MAX_START_SECONDS, MAX_MB = 3.0, 0.6, 5.0, 1.5e-3, 2.0, 250.0
AT_ONCE = 32


def print_report(results: dict[str, list[dict]], ours: str, cores: int) -> None:
    """Prints everything.

    Args:
        results: `closed`, `open`, `raw` and `start`, each a list with one entry a round.
        ours: The way whose targets are judged.
        cores: Processors that all share.
    """
    _print_closed(results["closed"])
    _print_open(results["open"])
    if ours not in results["closed"][0]:
        return
    if AT_ONCE in results["closed"][0][ours] and 1 in results["closed"][0][ours]:
        _print_raw(results, ours, cores)
        _print_targets(results, ours)


def _median(rounds: Sequence[dict], find: Callable[[dict], float]) -> float:
    return float(np.median([find(one) for one in rounds]))


def _row(title: str, rounds: Sequence[dict]) -> list[str]:
    """Cells that all loads have: requests a second, latencies, processor time, what went wrong."""

    def median(name: str) -> float:
        return _median(rounds, lambda one: one[name])

    def total(name: str) -> int:
        return sum(one[name] for one in rounds)

    latencies = [f"{median(name) * 1e3:#.3g}".rstrip(".") for name in ("p50_seconds", "p95_seconds", "p99_seconds")]
    cpu = [f"{median(name) * 1e3:.2f}" for name in ("server_cpu_seconds", "load_cpu_seconds")]
    bad = [str(total("shed")), str(total("failed") + total("wrong"))]
    return [title, f"{median('per_second'):.0f}", *latencies, *cpu, *bad]


_HEADER = ["requests/s", "p50 ms", "p95 ms", "p99 ms", "server CPU ms", "loader CPU ms", "shed", "wrong"]


def _print_closed(rounds: list[dict]) -> None:
    print("\n### Closed loop\n")
    rows = []
    for way in rounds[0]:
        for count in rounds[0][way]:
            some = [one[way][count] for one in rounds]
            size = f"{_median(some, lambda one: one['rows']):.1f}" if "rows" in some[0] else "–"
            rows.append([*_row(way, some)[:1], str(count), *_row(way, some)[1:], size])
    print(markdown_table(["", "at a time", *_HEADER, "rows a call"], rows))


def _print_open(rounds: list[dict]) -> None:
    print("\n### Open loop\n")
    rows = []
    for way in rounds[0]:
        for share in rounds[0][way]:
            some = [one[way][share] for one in rounds]
            cells = _row(way, some)
            rate, late = _median(some, lambda one: one["rate"]), _median(some, lambda one: one["late_seconds"])
            rows.append([cells[0], f"{share:.0%}", f"{rate:.0f}", *cells[1:], f"{late * 1e3:.2f}"])
    print(markdown_table(["", "of capacity", "due/s", *_HEADER, "sent late, p99 ms"], rows))


def _print_raw(results: dict[str, list[dict]], ours: str, cores: int) -> None:
    print("\n### Beside `session.run` alone, at the same rows a call and about the same padding\n")
    rows = []
    for count in results["closed"][0][ours]:
        both = zip(results["closed"], results["raw"], strict=True)
        pairs = [(closed[ours][count], raw[count]) for closed, raw in both]
        served = _median(pairs, lambda pair: pair[0]["per_second"])
        raw = _median(pairs, lambda pair: pair[1]["per_second"])
        ratio = _median(pairs, lambda pair: pair[0]["per_second"] / pair[1]["per_second"])
        left = _median(pairs, lambda pair: _without_loader(*pair, cores))
        of_left = _median(pairs, lambda pair: pair[0]["per_second"] / _without_loader(*pair, cores))
        size, padding = (_median(pairs, lambda pair, name=name: pair[1][name]) for name in ("rows", "padding"))
        figures = [f"{served:.0f}", f"{raw:.0f}", f"{ratio:.2f}", f"{left:.0f}", f"{of_left:.2f}"]
        rows.append([str(count), f"{size:.0f}", f"{padding:.0%}", *figures])
    header = ["at a time", "rows a call", "padding", "served/s", "raw rows/s", "share", "raw less loader", "share"]
    print(markdown_table(header, rows))
    print("\n*Raw less loader*: times the share of the processors that the load generator left.")


def _without_loader(served: dict, raw: dict, cores: int) -> float:
    return raw["per_second"] * (1 - served[CORES_OF_LOAD] / cores)


def _print_targets(results: dict[str, list[dict]], ours: str) -> None:
    print("\n### Targets\n")
    closed, raw, start = results["closed"], results["raw"], results["start"]
    both = list(zip(closed, raw, strict=True))
    server = ours.partition(",")[0]
    gain = _median(closed, lambda one: one[ours][AT_ONCE]["per_second"] / one[ours][1]["per_second"])
    of_raw = _median(both, lambda one: one[0][ours][AT_ONCE]["per_second"] / one[1][AT_ONCE]["per_second"])
    tail = _median(closed, lambda one: one[ours][AT_ONCE]["p99_seconds"] / one[ours][AT_ONCE]["p50_seconds"])
    over = _median(both, lambda one: one[0][ours][1]["p50_seconds"] - one[1][1]["alone"]["p50_seconds"])
    seconds, mb = (_median(start, lambda one, name=name: one[server][name]) for name in ("seconds", "mb"))
    wrong = sum(figures["wrong"] + figures["failed"] for one in closed for figures in one[ours].values())
    _print_target(f"{AT_ONCE} at a time against one", f"{gain:.2f} times", f"{MIN_GAIN:g}", gain >= MIN_GAIN)
    _print_target(f"of the raw limit, {AT_ONCE} at a time", f"{of_raw:.2f}", f"{MIN_OF_RAW:g}", of_raw >= MIN_OF_RAW)
    _print_target(f"p99 over p50, {AT_ONCE} at a time", f"{tail:.2f}", f"under {MAX_TAIL:g}", tail < MAX_TAIL)
    limit = f"under {MAX_OVERHEAD_SECONDS * 1e3:g} ms"
    _print_target("over `session.run`, one at a time", f"{over * 1e3:.2f} ms", limit, over < MAX_OVERHEAD_SECONDS)
    _print_target("ready after", f"{seconds:.2f} s", f"under {MAX_START_SECONDS:g} s", seconds < MAX_START_SECONDS)
    _print_target("resident then", f"{mb:.0f} MB", f"under {MAX_MB:g} MB", mb < MAX_MB)
    _print_target("wrong or failed answers", str(wrong), "0", wrong == 0)


def _print_target(what: str, found: str, target: str, met: bool) -> None:
    print(f"- {'met' if met else 'MISSED'}: {what}: {found}, to reach {target}")
