"""What a worker of a batch job writes: the answers of each row alone, in order, whole or not at all."""

import json

import numpy as np
import pytest

from keras_seq.serving import Generator, InputError, Predictor
from keras_seq.serving.folder_job.inputs import plan_parts
from keras_seq.serving.folder_job.output import is_done, record_path, write_part, write_whole
from keras_seq.serving.folder_job.worker import BatchWorker
from tests.serving.toy_text import document, write_language_model, write_tagger

TEXTS = ["The dog barks!", "", "it", "the dog barks the dog barks it rains !", "zebra", "it rains"]
SAMPLING = {"strategy": "Sampling", "num_samples": 1, "start_id": 1, "end_id": 2}


@pytest.fixture
def folders(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in", tmp_path / "out"


@pytest.fixture
def tagger(tmp_path):
    return write_tagger(tmp_path / "tagger", limits={"time": 11})


def run(bundle, folders, rows_per_part=100, **arguments):
    worker = BatchWorker(bundle, *folders, "job", **arguments)
    return [worker.run(part) for part in plan_parts(folders[0], rows_per_part)]


def rows_of(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("max_batch_tokens", [1, 7, 1000])
def test_texts_get_the_answers_they_get_alone_in_their_order(tagger, folders, max_batch_tokens):
    (folders[0] / "a.txt").write_text("\n".join(TEXTS), encoding="utf-8")
    (answer,) = run(tagger, folders, max_batch_tokens=max_batch_tokens)
    assert answer == {"output": "a.txt/part-000000.jsonl", "rows": len(TEXTS)}
    rows = rows_of(folders[1] / answer["output"])
    assert [row["text"] for row in rows] == TEXTS
    with Predictor(tagger) as predictor:
        for row, text in zip(rows, TEXTS, strict=True):
            alone = predictor.predict_text([text])
            assert set(row) == {"text", *alone}
            assert row["tokens"] == alone["tokens"][0]
            assert row["mood.labels"] == alone["mood.labels"][0]
            np.testing.assert_allclose(np.reshape(row["tags"], (-1, 5)), alone["tags"][0], atol=1e-6)


def test_lines_of_json_are_texts_or_rows_of_numbers(tagger, folders):
    (folders[0] / "a.jsonl").write_text('"it"\n{"text": "the dog"}\n{"words": [4, 5]}\n', encoding="utf-8")
    (answer,) = run(tagger, folders, keep=["tags", "tokens"])
    rows = rows_of(folders[1] / answer["output"])
    assert [row.get("tokens") for row in rows] == [["it"], ["the", "dog"], None]
    assert rows[1]["tags"] == rows[2]["tags"]
    assert rows[2]["text"] == {"words": [4, 5]}


def test_hypotheses_of_texts(tmp_path, folders):
    options = {"max_length": 7, "temperature": 1.0, "seed": 0}
    bundle = write_language_model(tmp_path / "lm", SAMPLING, options, document())
    (folders[0] / "a.txt").write_text("it rains\nthe\n", encoding="utf-8")
    (answer,) = run(bundle, folders, graph="generate", options={"max_length": 5})
    rows = rows_of(folders[1] / answer["output"])
    with Generator(bundle) as generator:
        (expected,) = generator.generate_text(["it rains"])[0]
    found = {"text": expected.text, "score": expected.score, "finished": True, "ids": expected.ids.tolist()}
    assert rows == [{"text": text, "hypotheses": [found]} for text in ("it rains", "the")]


def test_arrays_of_rows_of_any_length(masked_path, folders, draw):
    words, shapes = draw(np.random.default_rng(2), [3, 7, 1, 5, 2])
    lengths = np.array([len(row) for row in words])
    flat = {"words": np.concatenate(words), "words.lengths": lengths}
    np.savez(folders[0] / "a.npz", **flat, **{"shapes": np.concatenate(shapes), "shapes.lengths": lengths})
    answers = run(masked_path, folders, rows_per_part=3, max_batch_tokens=6)
    assert [answer["rows"] for answer in answers] == [3, 2]
    parts = [dict(np.load(folders[1] / answer["output"])) for answer in answers]
    assert np.concatenate([part["tags.lengths"] for part in parts]).tolist() == lengths.tolist()
    with Predictor(masked_path) as predictor:
        expected = predictor.predict({"words": words, "shapes": shapes})
    tags = np.concatenate([part["tags"] for part in parts])
    np.testing.assert_allclose(tags, np.concatenate(expected["tags"]), atol=1e-6)
    sentences = np.concatenate([part["sentence"] for part in parts])
    np.testing.assert_allclose(sentences, expected["sentence"], atol=1e-6)


def test_arrays_without_names_go_to_the_only_input(tagger, folders):
    np.save(folders[0] / "a.npy", np.array([[4, 5, 6], [7, 8, 9]], "int32"))
    (answer,) = run(tagger, folders)
    assert np.load(folders[1] / answer["output"])["tags.lengths"].tolist() == [3, 3]


def test_arrays_without_names_are_refused_where_there_are_several_inputs(masked_path, folders):
    np.save(folders[0] / "a.npy", np.ones((2, 3), "int32"))
    (answer,) = run(masked_path, folders)
    assert answer["faults"] == ["a.npy has no names, and the graph takes 'words', 'shapes'. Save them with np.savez."]


def test_every_bad_row_is_named_and_nothing_of_its_part_is_written(tagger, folders):
    lines = ["it", "it " * 12, '"it', "it", "it " * 13, "it"]
    (folders[0] / "a.txt").write_text("\n".join(lines), encoding="utf-8")
    answers = run(tagger, folders, rows_per_part=3)
    assert [len(answer["faults"]) for answer in answers] == [1, 1]
    assert answers[0]["faults"][0].startswith(
        "a.txt, line 2: Input 'words': text 0 has 12 tokens, and the model takes 11"
    )
    assert answers[1]["faults"][0].startswith("a.txt, line 5: ")
    assert not folders[1].exists()
    (folders[0] / "a.txt").unlink()
    (folders[0] / "b.jsonl").write_text('"it"\n{\n{"words": [99]}\n{"wrong": [1]}', encoding="utf-8")
    (answer,) = run(tagger, folders)
    assert [fault.split(":")[0].split(" is ")[0] for fault in answer["faults"]] == [
        "b.jsonl, line 2",
        "b.jsonl, line 3",
        "b.jsonl, line 4",
    ]


def test_bad_rows_of_arrays_are_named(tagger, folders):
    np.save(folders[0] / "a.npy", np.array([[4], [99], [5]], "int32"))
    (answer,) = run(tagger, folders)
    assert len(answer["faults"]) == 1
    assert answer["faults"][0].startswith("a.npy, row 1: Input 'words'")


def test_not_all_of_many_bad_rows_are_told(tagger, folders):
    (folders[0] / "a.jsonl").write_text("{\n" * 29, encoding="utf-8")
    (answer,) = run(tagger, folders)
    assert len(answer["faults"]) == 21
    assert answer["faults"][-1] == "… and 9 more rows of the same part"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keep": ["tags", "nonsense"]}, r"`keep` must have names of outputs: 'tags', 'mood',.*Received: 'nonsense'"),
        ({"options": {"alpha": 1}}, r"has no option 'alpha'"),
    ],
)
def test_settings_that_do_not_suit_are_refused_at_once(tagger, folders, arguments, message):
    with pytest.raises(InputError, match=message):
        BatchWorker(tagger, *folders, "job", **arguments)


def test_a_part_counts_as_done_only_if_it_is_whole_and_of_the_same_rows_and_job(tagger, folders):
    (folders[0] / "a.txt").write_text("it\nrains\n", encoding="utf-8")
    first, second = plan_parts(folders[0], 1)
    BatchWorker(tagger, *folders, "job").run(first)
    path = folders[1] / first.output
    assert is_done(folders[1], first, "job")
    assert not is_done(folders[1], first, "another job")
    assert not is_done(folders[1], second, "job")
    data = path.read_bytes()
    for damaged in (data[:-1], data.replace(b"it", b"at"), b""):
        path.write_bytes(damaged)
        assert not is_done(folders[1], first, "job")
    path.write_bytes(data)
    record = record_path(path)
    for damaged in (b"", b"[]", b"{}", record.read_bytes()[:-9]):
        record.write_bytes(damaged)
        assert not is_done(folders[1], first, "job")
    write_part(folders[1], first, "job", data)
    assert is_done(folders[1], first, "job")


def test_a_file_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "a"
    write_whole(path, b"before")

    def fails(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"after")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a", b"before")]
