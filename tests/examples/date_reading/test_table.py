import pytest

from date_reading.table import Row, read_rows, write_rows
from tagging.sentence import CorpusError

ROWS = [
    Row("de", "4. März 2021", "2021-03-04", "new dates"),
    Row("fa", "۴ مارس ۲۰۲۱", "2021-03-04", "x"),
    Row("en-US", "3/4/21"),
]


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "dates.tsv"
    write_rows(path, ROWS)
    assert path.read_text(encoding="utf-8").startswith("language\ttext\tiso\tgroup\nde\t4. März 2021\t2021-03-04\tnew")
    assert read_rows(path) == ROWS


def test_language_and_text_are_enough(tmp_path):
    path = tmp_path / "dates.tsv"
    path.write_text("language\ttext\r\nde\t4. 3. 2021\r\n\r\n")
    assert read_rows(path) == [Row("de", "4. 3. 2021")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("language\ttext\nde 4.3.2021\n", r"dates\.tsv, line 2: expected language, text, .*'de 4\.3\.2021'"),
        ("language\ttext\na\tb\tc\td\te\n", r"line 2: expected language"),
        ("de\t4.3.2021\n", r"expected a header and at least one date\. Found none"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(tmp_path, text, message):
    path = tmp_path / "dates.tsv"
    path.write_text(text)
    with pytest.raises(CorpusError, match=message):
        read_rows(path)


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(CorpusError, match=r"nowhere\.tsv: cannot be read"):
        read_rows(tmp_path / "nowhere.tsv")
