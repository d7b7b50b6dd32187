"""`predict --ray`: folders in, folders out. The job itself is tested with `run_batch`; here the command around it."""

import json
import sys

import pytest

from keras_seq.serving import ray_batch
from tests.serving.toy_text import write_tagger

pytest.importorskip("ray", reason="ray is not installed: pip install 'keras_seq[ray]'")

from tests.serving.fake_ray import FakeRay


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("the dog\nit rains\nbarks\n", encoding="utf-8")
    write_tagger(tmp_path / "tagger", limits={"time": 5})
    return tmp_path


@pytest.fixture
def predict(keras_seq_command, folder, monkeypatch):
    """Calls the command on the folder."""
    monkeypatch.setattr(ray_batch, "ray_running", FakeRay().running)
    usual = ["--ray", "-i", folder / "in", "-o", folder / "out"]
    return lambda *arguments: keras_seq_command("predict", folder / "tagger", *usual, *arguments)


def test_a_folder_is_run_and_run_again(predict, folder):
    done = predict("--part-rows", "2", "--workers", "2", "--keep", "tokens", "--keep", "mood.labels")
    assert (done.code, done.out.split(", in ")[0]) == (0, f"{folder / 'out'}: 3 rows of 1 files in 2 parts")
    assert "2 of 2 parts, 3 rows" in done.err
    parts = sorted((folder / "out" / "a.txt").glob("part-*"))
    rows = [json.loads(line) for part in parts for line in part.read_text(encoding="utf-8").splitlines()]
    assert [row["tokens"] for row in rows] == [["the", "dog"], ["it", "rains"], ["barks"]]
    assert list(rows[0]) == ["text", "tokens", "mood.labels"]
    done = predict("--part-rows", "2", "--keep", "tokens", "--keep", "mood.labels", "--json")
    told = json.loads(done.out)
    assert (done.code, told["output"], told["done_before"]) == (0, str(folder / "out"), 2)


def test_bad_rows_exit_2_with_one_line_that_names_them(predict, folder):
    (folder / "in" / "a.txt").write_text("it\nit it it it it it\n", encoding="utf-8")
    done = predict()
    assert (done.code, done.out) == (2, "")
    line = done.err.splitlines()[-1]
    assert "1 of the 1 parts to do have rows that cannot be run:" in line
    assert "a.txt, line 2: Input 'words': text 0 has 6 tokens, and the model takes 5 at most." in line


def test_outputs_of_another_job_are_overwritten_when_told_so(predict):
    assert predict("--keep", "tokens").code == 0
    done = predict("--keep", "mood")
    assert done.code == 2
    assert "holds the outputs of a job with another keep" in done.err
    assert "Give another folder, or --overwrite to do everything again." in done.err
    assert predict("--keep", "mood", "--overwrite").code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--text", "a"],
            "--ray runs folders, each worker on one thread. Leave --text, --stream, --threads, --variant out.",
        ),
        (["--threads", "2"], "--ray runs folders"),
        (["--keep", "nonsense"], "--keep must have names of outputs: 'tags', 'mood', "),
        (["--option", "alpha=1"], "has no option 'alpha'"),
        (["--graph", "generate"], "has no graph 'generate'"),
    ],
)
def test_what_does_not_go_together_is_refused(predict, folder, arguments, message):
    done = predict(*arguments)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert not (folder / "out").exists()


@pytest.mark.parametrize("arguments", [["-i", "in"], ["-o", "out"], ["-i", "-", "-o", "out"]])
def test_both_folders_must_be_named(keras_seq_command, folder, arguments):
    done = keras_seq_command("predict", folder / "tagger", "--ray", *arguments)
    assert (done.code, done.out) == (2, "")
    assert "--ray runs whole folders. Give --input FOLDER and --output FOLDER." in done.err


@pytest.mark.parametrize("arguments", [["--workers", "2"], ["--overwrite"], ["--keep", "x"], ["--part-rows", "3"]])
def test_options_of_folders_need_ray(keras_seq_command, folder, arguments):
    done = keras_seq_command("predict", folder / "tagger", "--text", "a", *arguments)
    assert (done.code, done.out) == (2, "")
    assert f"{arguments[0]} is for folders. Give --ray too, or leave it out." in done.err


def test_without_ray_the_message_says_what_to_install(keras_seq_command, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    done = keras_seq_command("predict", folder / "tagger", "--ray", "-i", folder / "in", "-o", folder / "out")
    assert (done.code, done.out) == (2, "")
    assert "this needs Ray, which is not installed. Install it with: pip install 'keras_seq[ray]'" in done.err
