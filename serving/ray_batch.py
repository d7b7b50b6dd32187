"""Offline inference of a folder of texts or arrays on Ray, part by part: resumable, every row written once."""

import collections
import contextlib
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_seq.serving.bundle import MANIFEST_FILE, Bundle
from keras_seq.serving.cpu_quota import cpu_quota
from keras_seq.serving.errors import InputError, ServingError
from keras_seq.serving.fields import shorten
from keras_seq.serving.folder_job.inputs import plan_parts
from keras_seq.serving.folder_job.output import TEMPORARY, is_done, record_path, write_whole
from keras_seq.serving.folder_job.part import BatchPart, digest_of
from keras_seq.serving.folder_job.report import BatchReport
from keras_seq.serving.folder_job.worker import BatchWorker
from keras_seq.serving.ray_start import ray_running

PLAN_FILE = "batch.json"
_SCHEMA_VERSION = 1
_RETRIES = 3  # of a part whose worker dies: what kills that many is to blame itself


def run_batch(
    bundle: str | Path,
    inputs: str | Path,
    output: str | Path,
    *,
    graph: str | None = None,
    options: Mapping[str, Any] | None = None,
    keep: Sequence[str] | None = None,
    rows_per_part: int = 1024,
    max_batch_tokens: int = 2048,
    num_workers: int | None = None,
    address: str | None = None,
    overwrite: bool = False,
    progress: Callable[[str], None] | None = None,
) -> BatchReport:
    """Runs a graph of a bundle on all rows of a folder, on the processors of one machine or of a Ray cluster.

    Inputs are cut into parts. Each becomes a file under the name of the input, `OUT/a.txt/part-000000.jsonl`: an object
    a line for texts, `.npz` for arrays; sorted by name, rows are in their order. A part is written whole or not at all,
    with a record of the bundle, the options and the rows that it was made of. A run that was broken off is called
    again: it does what is missing, what was damaged, and what belongs to inputs that changed, and nothing else. A
    worker that dies is replaced, and what it was doing done again.

    Args:
        bundle: The bundle's folder. On a cluster this and the two following must be the same on every machine.
        inputs: Folder of `.txt` (a text a line; a line without anything is a text without anything), `.jsonl` (a line
            `"…"`, `{"text": "…"}`, or an object of one row by input name), `.npz` and `.npy` (as `keras-seq predict`
            reads and writes them: rows end to end under `NAME`, their lengths under `NAME.lengths`).
        output: Folder of the outputs, to be made.
        graph: Which of the bundle's graphs; by default `generate` where there is one, else `model`.
        options: Of that graph.
        keep: Names of the outputs to write; by default all.
        rows_per_part: Rows of a part.
        max_batch_tokens: Rows of a part are sorted by length and run together as long as they have no more steps,
            padding included.
        num_workers: Processes, each with a processor; by default one for each processor.
        address: Of a Ray cluster; by default that of the environment variable `RAY_ADDRESS`, and without it a Ray on
            this machine for the time of the job.
        overwrite: Throw away what is in `output` of a job with another bundle, other options or parts of another size.
        progress: Called with a line of text now and then.

    Returns:
        What was done.

    Raises:
        BundleError: The bundle is no use.
        InputError: Rows are no use; the message has the file, the line and the reason of each. All parts without
            such rows are written, so once these are mended the next run does the rest.
        ServingError: Ray is not installed, a file cannot be read or written, `output` holds something else, or a part
            kills every worker that takes it.

    Example:
        ```python
        report = run_batch("out/tagger", "letters", "tagged", keep=["tokens", "tags.labels"], num_workers=2)
        print(report)
        ```
    """
    begun, say = time.monotonic(), progress or (lambda line: None)
    for name, value in (("rows_per_part", rows_per_part), ("max_batch_tokens", max_batch_tokens)):
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise InputError(f"`{name}` must be a positive integer. Received: {value!r}.")
    if num_workers is not None and num_workers < 1:
        raise InputError(f"`num_workers` must be a positive integer. Received: {num_workers!r}.")
    inputs, output = Path(inputs).resolve(), Path(output).resolve()
    if output == inputs or output.is_relative_to(inputs) or inputs.is_relative_to(output):
        raise InputError(f"outputs must lie outside of the inputs. Received: {output}, and inputs in {inputs}.")
    loaded = Bundle.load(bundle)
    graph = graph or ("generate" if "generate" in loaded.manifest.graphs else "model")
    settings = {"graph": graph, "options": dict(options or {}), "keep": None if keep is None else list(keep)}
    job = _job(loaded, settings, rows_per_part)
    worker = {**settings, "max_batch_tokens": max_batch_tokens}
    # One here, before anything is written or started: what is wrong with graph, options or names is said at once.
    BatchWorker(loaded.path.resolve(), inputs, output, job["digest"], **worker)
    say(f"reading {inputs}")
    parts = plan_parts(inputs, rows_per_part)
    old = _begin(output, job, overwrite)
    removed = _remove_strangers(output, old, parts)
    _write_plan(output, job, parts)
    missing = [part for part in parts if not is_done(output, part, job["digest"])]
    _remove_stale(output, missing)
    if missing:
        arguments = (str(loaded.path.resolve()), str(inputs), str(output), job["digest"])
        say(f"{len(parts) - len(missing)} of {len(parts)} parts are done already; starting Ray")
        with ray_running(address, num_workers) as ray:
            count = min(num_workers or _processors(ray, address), len(missing))
            actor = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=_RETRIES)(BatchWorker)
            workers = [actor.remote(*arguments, **worker) for _ in range(count)]
            try:
                _run_all(ray, workers, missing, lambda done: say(_state(done, missing, parts)))
            finally:
                for one in workers:
                    ray.kill(one)
    files = len({part.source for part in parts})
    rows, before = sum(part.num_rows for part in parts), len(parts) - len(missing)
    return BatchReport(output, files, len(parts), rows, before, removed, time.monotonic() - begun)


def _job(bundle: Bundle, settings: Mapping[str, Any], rows_per_part: int) -> dict[str, Any]:
    """What makes outputs what they are, inputs apart."""
    digest = digest_of((bundle.path / MANIFEST_FILE).read_bytes())  # which has those of all its files
    said = {"bundle": digest, **settings, "rows_per_part": rows_per_part}
    try:
        return {"digest": digest_of(json.dumps(said, sort_keys=True).encode()), **said}
    except TypeError as error:
        raise InputError(f"`options` must be numbers, true or false. Received: {settings['options']!r}.") from error


def _begin(output: Path, job: Mapping[str, Any], overwrite: bool) -> list[str]:
    """Makes the folder of outputs, or looks what is in it; gives the part files of an earlier run."""
    plan = output / PLAN_FILE
    try:
        if output.exists() and not plan.exists() and any(output.iterdir()):
            raise ServingError(
                f"{output} holds something else: it has no {PLAN_FILE}. Give a folder that is new, or of this job."
            )
        output.mkdir(parents=True, exist_ok=True)
        if not plan.exists():
            return []
        old = json.loads(plan.read_bytes())
        names = [part["output"] for part in old["parts"]]
        differ = [name for name in job if name != "digest" and old["job"].get(name) != job[name]]
    except OSError as error:
        raise ServingError(f"{output} cannot be used for outputs: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ServingError(f"{plan} is damaged ({error!r}). Give another folder, or remove this one.") from error
    if differ and not overwrite:
        told = ", ".join(f"{name} (then {shorten(old['job'].get(name))}, now {shorten(job[name])})" for name in differ)
        raise ServingError(
            f"{output} holds the outputs of a job with another {told}. Give another folder, or overwrite=True to do "
            "everything again."
        )
    return names


def _remove_strangers(output: Path, old: Sequence[str], parts: Sequence[BatchPart]) -> int:
    """Removes part files of inputs that are gone: who reads all that is there shall find every row once."""
    wanted, removed = {part.output for part in parts}, 0
    for name in old:
        path = output / name
        if name in wanted or not path.resolve().is_relative_to(output):
            continue
        removed += path.exists()
        for file in (path, record_path(path)):
            file.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are in it
            for parent in itertools.takewhile(lambda parent: parent != output, path.parents):
                parent.rmdir()
    return removed


def _remove_stale(output: Path, missing: Sequence[BatchPart]):
    """Removes what is there of parts to be made again: it is of other rows, or damaged; and what dying workers left."""
    for path in [output / part.output for part in missing]:
        path.unlink(missing_ok=True)
        record_path(path).unlink(missing_ok=True)
    for path in output.rglob(TEMPORARY):
        path.unlink(missing_ok=True)


def _write_plan(output: Path, job: Mapping[str, Any], parts: Sequence[BatchPart]):
    told = [{"output": part.output, **part.to_dict()} for part in parts]
    plan = {"schema_version": _SCHEMA_VERSION, "job": job, "parts": told}
    try:
        write_whole(output / PLAN_FILE, (json.dumps(plan, indent=1) + "\n").encode())
    except OSError as error:
        raise ServingError(f"{output / PLAN_FILE} cannot be written: {error.strerror}.") from error


def _processors(ray: Any, address: str | None) -> int:
    """How many workers there is room for."""
    joined = address or os.environ.get("RAY_ADDRESS")
    return max(1, int(ray.cluster_resources().get("CPU", 1))) if joined else cpu_quota()


def _run_all(ray: Any, workers: Sequence[Any], parts: Sequence[BatchPart], done: Callable[[list], None]):
    """Hands parts to whoever is free, until all have come back; raises what is wrong with rows at the end."""
    waiting, busy, finished, faults = collections.deque(parts), {}, [], []
    for worker in workers:  # one at a time: what waits behind a part that kills its worker would die as often
        _hand_out(worker, waiting, busy)
    for ready in _as_they_come(ray, busy):
        worker, part = busy.pop(ready)
        try:
            answer = ray.get(ready)
        except ray.exceptions.RayTaskError as error:  # of what the worker has no words for
            answer = {"faults": [f"{_rows(part)}: {type(error.cause).__name__}: {error.cause}"]}
        except ray.exceptions.RayActorError:
            answer = {"faults": [f"{_rows(part)}: {_RETRIES + 1} workers died of them. Is the memory too small?"]}
        faults += answer.get("faults", [])
        finished += [part] * ("rows" in answer)
        done(finished)
        _hand_out(worker, waiting, busy)
    if faults:
        listed = "\n".join(f"  {fault}" for fault in faults)
        raise InputError(
            f"{len(parts) - len(finished)} of the {len(parts)} parts to do have rows that cannot be run:\n{listed}\n"
            "The others are written. Mend these rows and run the job again: it does what is missing."
        )


def _rows(part: BatchPart) -> str:
    return f"{part.row_name(0)} to {part.row_name(part.num_rows - 1).rpartition(' ')[2]}"


def _hand_out(worker: Any, waiting: collections.deque, busy: dict):
    if waiting:
        part = waiting.popleft()
        busy[worker.run.remote(part)] = (worker, part)


def _as_they_come(ray: Any, busy: dict) -> Iterator[Any]:
    while busy:
        (ready,), _ = ray.wait(list(busy), num_returns=1)
        yield ready


def _state(done: Sequence[BatchPart], missing: Sequence[BatchPart], parts: Sequence[BatchPart]) -> str:
    before = len(parts) - len(missing)
    return f"{before + len(done)} of {len(parts)} parts, {sum(part.num_rows for part in done)} rows"
