import pytest

from tagging.sentence import CorpusError
from translation.pairs import read_pairs


def written(tmp_path, text):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_two_columns_are_read_and_the_header_is_none_of_them(tmp_path):
    text = 'english\tgerman\nGo.\tGeh.\tCC-BY 2.0 (somebody)\n\n"Hi", he said.\t„Hallo“, sagte er.\r\n'
    assert read_pairs(written(tmp_path, text)) == [("Go.", "Geh."), ('"Hi", he said.', "„Hallo“, sagte er.")]


def test_a_file_may_have_no_header_and_a_byte_order_mark(tmp_path):
    assert read_pairs(written(tmp_path, "\ufeffGo.\tGeh.\n")) == [("Go.", "Geh.")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Go.\tGeh.\nCome.\n", r"pairs\.tsv, line 2: expected a sentence, a tab and its translation\. .*'Come\.\\n'"),
        ("Go.\t\n", r"line 1: expected a sentence, a tab and its translation"),
        ("english\tgerman\n", r"expected at least one pair of sentences\. Found none"),
        (b"Gr\xfc\xdfe\tx\n", r"pairs\.tsv: cannot be read: 'utf-8'"),
    ],
)
def test_what_is_no_pair_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(CorpusError, match=message):
        read_pairs(written(tmp_path, text))


def test_a_missing_file_is_refused_by_name(tmp_path):
    with pytest.raises(CorpusError, match=r"nowhere\.tsv: cannot be read"):
        read_pairs(tmp_path / "nowhere.tsv")
