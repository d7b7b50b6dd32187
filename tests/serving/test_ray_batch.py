"""Batch jobs: what is done again and what is not, what is refused, that nothing is lost. Ray itself: test_ray.py."""

import json
import shutil
import sys

import pytest

from keras_seq.serving import BundleError, InputError, ServingError
from keras_seq.serving import ray_batch as module
from keras_seq.serving.ray_batch import run_batch
from keras_seq.serving.ray_start import import_ray
from tests.serving.toy_text import write_tagger

pytest.importorskip("ray", reason="ray is not installed: pip install 'keras_seq[ray]'")

from tests.serving.fake_ray import FakeRay

KEEP = ["tokens"]


@pytest.fixture
def fake(monkeypatch):
    fake = FakeRay()
    monkeypatch.setattr(module, "ray_running", fake.running)
    return fake


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return write_tagger(tmp_path_factory.mktemp("bundles") / "tagger", limits={"time": 11})


@pytest.fixture
def folder(tmp_path):
    """Inputs: 7 and 2 rows."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("".join(f"dog {'it ' * i}\n" for i in range(7)), encoding="utf-8")
    (tmp_path / "in" / "sub" / "b.jsonl").write_text('"the dog"\n"rains"\n', encoding="utf-8")
    return tmp_path


def job(folder, bundle, **arguments):
    arguments = {"rows_per_part": 3, "keep": KEEP, "num_workers": 2, **arguments}
    return run_batch(bundle, folder / "in", folder / "out", **arguments)


def written(folder):
    """Every row that a reader of all part files finds, in the order of their names."""
    files = sorted((folder / "out").rglob("part-*"))
    return [json.loads(line)["text"] for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def rows_in(folder):
    lines = (folder / "in" / "a.txt").read_text(encoding="utf-8").splitlines()
    return lines + [json.loads(line) for line in (folder / "in" / "sub" / "b.jsonl").read_text().splitlines()]


def test_every_row_is_written_once_and_in_order(fake, bundle, folder):
    said = []
    report = job(folder, bundle, progress=said.append)
    assert written(folder) == rows_in(folder)
    assert (report.files, report.parts, report.rows, report.done_before, report.removed) == (2, 4, 9, 0, 0)
    assert str(report).startswith(f"{folder / 'out'}: 9 rows of 2 files in 4 parts, in ")
    assert said[-1] == "4 of 4 parts, 9 rows"
    assert fake.killed == 2


def test_a_second_run_does_nothing_and_starts_no_ray(fake, bundle, folder):
    job(folder, bundle)
    report = job(folder, bundle)
    assert (fake.started, report.done_before, report.rows) == (1, 4, 9)


def test_what_is_missing_or_damaged_is_done_and_nothing_else(fake, bundle, folder):
    job(folder, bundle)
    fake.ran.clear()
    parts = folder / "out" / "a.txt"
    (parts / "part-000001.jsonl").unlink()
    (parts / "part-000002.jsonl").write_bytes(b"half")
    (parts / ".part-000002.jsonl-x1y2.half").write_bytes(b"left behind by a worker that died")
    assert job(folder, bundle).done_before == 2
    assert sorted(fake.ran) == ["a.txt/part-000001.jsonl", "a.txt/part-000002.jsonl"]
    assert written(folder) == rows_in(folder)
    assert list(parts.glob("*half")) == []


def test_parts_of_inputs_that_changed_are_done_again(fake, bundle, folder):
    job(folder, bundle)
    fake.ran.clear()
    text = (folder / "in" / "a.txt").read_text(encoding="utf-8")
    (folder / "in" / "a.txt").write_text(text.replace("dog it it it it \n", "dog dog\n"), encoding="utf-8")
    (folder / "in" / "c.txt").write_text("barks\n", encoding="utf-8")
    job(folder, bundle)
    assert sorted(fake.ran) == ["a.txt/part-000001.jsonl", "c.txt/part-000000.jsonl"]
    assert written(folder) == [*rows_in(folder)[:7], "barks", *rows_in(folder)[7:]]


def test_parts_of_inputs_that_are_gone_are_removed(fake, bundle, folder):
    job(folder, bundle)
    shutil.rmtree(folder / "in" / "sub")
    (folder / "in" / "a.txt").write_text("it\n", encoding="utf-8")
    report = job(folder, bundle)
    assert written(folder) == ["it"]
    assert (report.removed, report.parts) == (3, 1)
    assert sorted(path.name for path in (folder / "out").iterdir()) == ["a.txt", "batch.json"]


def test_bad_rows_are_told_with_file_and_line_and_the_others_are_kept(fake, bundle, folder):
    lines = (folder / "in" / "a.txt").read_text(encoding="utf-8").splitlines()
    (folder / "in" / "a.txt").write_text("\n".join([*lines[:4], "it " * 12, *lines[5:]]), encoding="utf-8")
    (folder / "in" / "sub" / "b.jsonl").write_text('"the dog"\n{\n', encoding="utf-8")
    with pytest.raises(InputError) as caught:
        job(folder, bundle)
    message = str(caught.value)
    assert message.startswith("2 of the 4 parts to do have rows that cannot be run:\n")
    assert "\n  a.txt, line 5: Input 'words': text 0 has 12 tokens, and the model takes 11 at most." in message
    assert "\n  sub/b.jsonl, line 2 is no JSON" in message
    assert "The others are written. Mend these rows and run the job again" in message
    fake.ran.clear()
    (folder / "in" / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    (folder / "in" / "sub" / "b.jsonl").write_text('"the dog"\n"it"\n', encoding="utf-8")
    assert job(folder, bundle).done_before == 2
    assert sorted(fake.ran) == ["a.txt/part-000001.jsonl", "sub/b.jsonl/part-000000.jsonl"]
    assert written(folder) == rows_in(folder)


def test_rows_that_went_bad_leave_no_old_answers(fake, bundle, folder):
    job(folder, bundle)
    (folder / "in" / "sub" / "b.jsonl").write_text("{\n", encoding="utf-8")
    with pytest.raises(InputError, match="1 of the 1 parts to do"):
        job(folder, bundle)
    assert written(folder) == rows_in_text(folder)


def rows_in_text(folder):
    return (folder / "in" / "a.txt").read_text(encoding="utf-8").splitlines()


def test_a_part_that_no_worker_survives_is_told_and_costs_no_other(fake, bundle, folder):
    fake.dies = {"a.txt/part-000001.jsonl"}
    fake.fails = {"sub/b.jsonl/part-000000.jsonl": MemoryError("17 GB")}
    with pytest.raises(InputError) as caught:
        job(folder, bundle)
    assert "\n  a.txt, line 4 to 6: 4 workers died of them. Is the memory too small?" in str(caught.value)
    assert "\n  sub/b.jsonl, line 1 to 2: MemoryError: 17 GB" in str(caught.value)
    assert written(folder) == rows_in_text(folder)[:3] + rows_in_text(folder)[6:]
    assert fake.killed == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"keep": ["mood"]},
            r"a job with another keep \(then \['tokens'\], now \['mood'\]\). Give another folder, or o",
        ),
        ({"rows_per_part": 4}, r"a job with another rows_per_part \(then 3, now 4\)"),
    ],
)
def test_outputs_of_another_job_are_not_mixed_with_these(fake, bundle, folder, change, message):
    job(folder, bundle)
    with pytest.raises(ServingError, match=message):
        job(folder, bundle, **change)
    assert written(folder) == rows_in(folder)
    job(folder, bundle, **change, overwrite=True)
    assert written(folder) == rows_in(folder)


def test_another_bundle_makes_another_job(fake, bundle, folder):
    job(folder, bundle)
    other = write_tagger(folder / "tagger", add_end=True)
    with pytest.raises(ServingError, match=r"a job with another bundle \(then "):
        job(folder, other)
    fake.ran.clear()
    job(folder, other, overwrite=True)
    assert len(fake.ran) == 4


def test_folders_of_others_are_left_alone(fake, bundle, folder):
    (folder / "out").mkdir()
    (folder / "out" / "mine").write_text("x", encoding="utf-8")
    with pytest.raises(ServingError, match=r"out holds something else: it has no batch.json"):
        job(folder, bundle, overwrite=True)
    assert [path.name for path in (folder / "out").iterdir()] == ["mine"]


def test_no_path_in_a_damaged_plan_leads_out_of_the_outputs(fake, bundle, folder):
    job(folder, bundle)
    (folder / "precious").write_text("x", encoding="utf-8")
    plan = folder / "out" / "batch.json"
    value = json.loads(plan.read_text(encoding="utf-8"))
    value["parts"] += [{"output": "../precious"}, {"output": str(folder / "precious")}]
    plan.write_text(json.dumps(value), encoding="utf-8")
    job(folder, bundle)
    assert (folder / "precious").exists()
    plan.write_text("{", encoding="utf-8")
    with pytest.raises(ServingError, match=r"batch.json is damaged \(JSONDecodeError"):
        job(folder, bundle)


@pytest.mark.parametrize("place", ["in", "in/out", ""])
def test_outputs_must_lie_elsewhere_than_inputs(fake, bundle, folder, place):
    with pytest.raises(InputError, match="outputs must lie outside of the inputs"):
        run_batch(bundle, folder / "in", folder / place)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"rows_per_part": 0}, InputError, "`rows_per_part` must be a positive integer. Received: 0."),
        ({"max_batch_tokens": True}, InputError, "`max_batch_tokens` must be a positive integer. Received: True."),
        ({"num_workers": 0}, InputError, "`num_workers` must be a positive integer. Received: 0."),
        ({"keep": ["x"]}, InputError, "`keep` must have names of outputs"),
        ({"options": {"alpha": 0.5}}, InputError, "has no option 'alpha'"),
        ({"options": {"alpha": [object()]}}, InputError, "`options` must be numbers"),
        ({"graph": "generate"}, BundleError, "has no graph 'generate'"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(fake, bundle, folder, arguments, error, message):
    with pytest.raises(error, match=message):
        job(folder, bundle, **arguments)
    assert not (folder / "out").exists()
    assert fake.started == 0


def test_without_ray_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        ServingError, match=r"needs Ray, which is not installed. Install it with: pip install 'keras_seq"
    ):
        import_ray()
