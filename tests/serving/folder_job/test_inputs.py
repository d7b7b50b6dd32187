"""Files of texts and arrays, cut into parts: every row is in one of them, in order, as it stands in the file."""

import numpy as np
import pytest

from keras_seq.serving import InputError, ServingError
from keras_seq.serving.folder_job.inputs import parse_line, plan_parts, read_lines, read_rows

LINES = ["the dog", "", "caf\u00e9 \u2028 x", "last"]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


def lines_of(folder, rows_per_part):
    return [read_lines(folder, part) for part in plan_parts(folder, rows_per_part)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
@pytest.mark.parametrize("last", ["", "end"])
def test_lines_are_cut_into_parts_as_they_stand(folder, end, start, last):
    ended = end if last else ""
    (folder / "a.txt").write_bytes((start + end.join(LINES) + ended).encode())
    assert lines_of(folder, 3) == [LINES[:3], LINES[3:]]
    assert lines_of(folder, 4) == [LINES]
    assert lines_of(folder, 1) == [[line] for line in LINES]


def test_bytes_that_are_no_utf_8_are_replaced(folder):
    (folder / "a.txt").write_bytes(b"caf\xe9\nb")
    assert lines_of(folder, 9) == [["caf\ufffd", "b"]]


def test_files_come_in_the_order_of_their_names_and_hidden_ones_not_at_all(folder):
    (folder / "b").mkdir()
    (folder / ".git").mkdir()
    for name in ("c.jsonl", "b/z.txt", "b/a.txt", ".hidden.doc", ".git/x.txt"):
        (folder / name).write_text("1\n2\n3\n", encoding="utf-8")
    parts = plan_parts(folder, 2)
    assert [(part.source, part.number, part.first_row, part.num_rows) for part in parts] == [
        ("b/a.txt", 0, 0, 2),
        ("b/a.txt", 1, 2, 1),
        ("b/z.txt", 0, 0, 2),
        ("b/z.txt", 1, 2, 1),
        ("c.jsonl", 0, 0, 2),
        ("c.jsonl", 1, 2, 1),
    ]
    assert [part.output for part in parts[:2]] == ["b/a.txt/part-000000.jsonl", "b/a.txt/part-000001.jsonl"]
    assert parts[1].row_name(0) == "b/a.txt, line 3"


def test_a_part_is_known_by_its_rows(folder):
    (folder / "a.txt").write_text("1\n2\n3\n4\n", encoding="utf-8")
    before = plan_parts(folder, 2)
    (folder / "a.txt").write_text("1\n2\n3\n5\n", encoding="utf-8")
    after = plan_parts(folder, 2)
    assert before[0] == after[0]
    assert before[1].digest != after[1].digest
    with pytest.raises(ServingError, match=r"a.txt was changed while the job ran"):
        read_lines(folder, before[1])


def test_rows_of_arrays(folder):
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(n, 3)).astype("float32") for n in (2, 5, 1, 7)]
    lengths = np.array([len(row) for row in rows])
    np.savez(folder / "a.npz", **{"x": np.concatenate(rows), "x.lengths": lengths, "style": np.arange(4)})
    np.save(folder / "b.npy", np.arange(10).reshape(5, 2))
    parts = plan_parts(folder, 3)
    assert [(part.source, part.first_row, part.num_rows) for part in parts] == [
        ("a.npz", 0, 3),
        ("a.npz", 3, 1),
        ("b.npy", 0, 3),
        ("b.npy", 3, 2),
    ]
    assert parts[1].row_name(0) == "a.npz, row 3"
    found = read_rows(folder, parts[0])
    assert [row.tolist() for row in found["x"]] == [row.tolist() for row in rows[:3]]
    assert found["style"].tolist() == [0, 1, 2]
    assert read_rows(folder, parts[3])[""].tolist() == [[6, 7], [8, 9]]
    np.savez(folder / "a.npz", x=np.ones((4, 2)))
    with pytest.raises(ServingError, match=r"a.npz was changed while the job ran"):
        read_rows(folder, parts[1])


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"has no rows. Give files that end in '.txt', '.jsonl'"),
        ({"a.txt": b""}, r"has no rows"),
        ({"a.txt": b"\xef\xbb\xbf"}, r"has no rows"),
        ({"a.doc": b"x", "a.txt": b"x"}, r"and no others. Received: 'a.doc'. Move them"),
        ({"a.npz": b"PK\x03\x04 cut off"}, r"a.npz is no file of plain arrays of rows, or it is damaged"),
        ({"a.npy": b""}, r"a.npy is no file of plain arrays of rows, or it is damaged"),
    ],
)
def test_folders_that_are_no_use_are_refused(folder, files, message):
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with pytest.raises(InputError, match=message):
        plan_parts(folder, 2)


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"nowhere is no folder. Give one with files"):
        plan_parts(tmp_path / "nowhere", 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.ones(3), "y": np.ones(4)}, r"a.npz: inputs must have the same number of rows. Rec.*'x': 3, 'y': 4"),
        (
            {"x": np.ones(3), "x.lengths": np.array([1, 3])},
            r"'x.lengths' must be integers that add up to the 3 entries",
        ),
        ({"x": np.float32(1)}, r"a.npz is no file of plain arrays of rows"),
        ({"x": np.array([{}], object)}, r"a.npz is no file of plain arrays of rows"),
    ],
)
def test_arrays_that_are_no_rows_are_refused(folder, arrays, message):
    np.savez(folder / "a.npz", **arrays)
    with pytest.raises(InputError, match=message):
        plan_parts(folder, 2)


def test_lines_of_json():
    assert parse_line('"a\\nb"', "x") == "a\nb"
    assert parse_line('{"text": "a", "id": 3}', "x") == "a"
    assert parse_line('{"words": [1, 2]}', "x") == {"words": [1, 2]}


@pytest.mark.parametrize("line", ["", "{", "7", "[1]", "{}", "null"])
def test_lines_that_are_no_rows_are_refused_by_name(line):
    with pytest.raises(InputError, match=r"^a.jsonl, line 3 (is no JSON|must be a text)"):
        parse_line(line, "a.jsonl, line 3")
