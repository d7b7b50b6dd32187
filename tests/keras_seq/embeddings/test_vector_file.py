import os
import tracemalloc

import numpy as np
import pytest
from gensim.models import KeyedVectors

from keras_seq.embeddings import WordVectors, binary_vectors, read_word_vectors, write_word_vectors
from keras_seq.embeddings import vector_file as module
from tests.keras_seq.embeddings.toy_vectors import gensim_vectors, random_vectors

FORMATS = ["word2vec", "word2vec_binary", "glove"]
# Letters of several bytes; blanks that are none of ASCII's, and so no end of a word; what `str.splitlines` breaks at.
ODD_WORDS = ["naïve", "日本", "🙂", "a\u00a0b", "x\u2028y", "\x85", "1", "-1.5", "nan", "#", "</s>", "<unk>"]


def odd_vectors():
    rows = np.random.default_rng(2).normal(size=(len(ODD_WORDS), 5)).astype("float32")
    rows[0] = [1e-38, -1e38, 1 / 3, 0, 16777217]
    return WordVectors(ODD_WORDS, rows)


def gensim_options(format):
    return {"binary": format == "word2vec_binary", "no_header": format == "glove"}


def assert_same(one, two):
    assert one.words == two.words
    np.testing.assert_array_equal(one.vectors, two.vectors)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("ending", [".txt", ".txt.gz"])
def test_what_is_written_is_read_again_to_the_last_bit(tmp_path, format, ending):
    for vectors in (random_vectors(), odd_vectors()):
        path = tmp_path / f"vectors{ending}"
        write_word_vectors(vectors, path, format=format)
        assert_same(read_word_vectors(path, format=format), vectors)
    assert (path.read_bytes()[:2] == b"\x1f\x8b") == ending.endswith(".gz")


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # gensim leaves a file without a header open
@pytest.mark.parametrize("format", FORMATS)
def test_gensim_reads_what_is_written(tmp_path, format):
    vectors = odd_vectors()
    vectors.save(tmp_path / "vectors", format=format)
    theirs = KeyedVectors.load_word2vec_format(tmp_path / "vectors", **gensim_options(format))
    assert tuple(theirs.index_to_key) == vectors.words
    np.testing.assert_array_equal(theirs.vectors, vectors.vectors)


@pytest.mark.parametrize("format", FORMATS)
def test_what_gensim_writes_is_read(tmp_path, format):
    vectors = odd_vectors()
    options = gensim_options(format)
    gensim_vectors(vectors).save_word2vec_format(
        tmp_path / "vectors", binary=options["binary"], write_header=not options["no_header"]
    )
    assert_same(WordVectors.load(tmp_path / "vectors", format=format), vectors)


def test_the_format_is_told_by_name_and_first_line(tmp_path):
    vectors = random_vectors()
    for name, format in [("a.bin", "word2vec_binary"), ("b.bin.gz", "word2vec_binary"), ("c.vec", "word2vec")]:
        vectors.save(tmp_path / name)
        assert_same(WordVectors.load(tmp_path / name), vectors)
        assert_same(WordVectors.load(tmp_path / name, format=format), vectors)
    vectors.save(tmp_path / "d.txt", format="glove")
    assert_same(WordVectors.load(tmp_path / "d.txt"), vectors)


def test_the_original_tools_blanks_and_line_ends_are_read(tmp_path):
    (tmp_path / "text").write_bytes(b"2 2\r\nsun 1.0 2.0 \r\nmoon 3.0 4.0 \r\n\n")
    rows = [np.array(row, "<f4").tobytes() for row in ([1, 2], [3, 4])]
    (tmp_path / "tool.bin").write_bytes(b"2 2\nsun " + rows[0] + b"\nmoon " + rows[1] + b"\n")
    (tmp_path / "plain.bin").write_bytes(b"2 2\nsun " + rows[0] + b"moon " + rows[1])
    for name in ("text", "tool.bin", "plain.bin"):
        assert_same(read_word_vectors(tmp_path / name), WordVectors(["sun", "moon"], [[1, 2], [3, 4]]))


@pytest.mark.parametrize("block", [1, 7, 64])
def test_words_and_vectors_may_lie_across_the_blocks_that_a_binary_file_is_read_by(tmp_path, monkeypatch, block):
    odd_vectors().save(tmp_path / "v.bin")
    monkeypatch.setattr(binary_vectors, "_BLOCK", block)
    assert_same(read_word_vectors(tmp_path / "v.bin"), odd_vectors())


def test_words_with_blanks_in_a_file_of_glove(tmp_path):
    (tmp_path / "glove").write_text("the 1 2\n. . . 3 4\nat name@domain.com 5 6\n")
    vectors = read_word_vectors(tmp_path / "glove")
    assert vectors.words == ("the", ". . .", "at name@domain.com")
    assert vectors.vectors.tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("format", FORMATS)
def test_only_the_first_or_only_some_are_kept(tmp_path, format):
    vectors, path = random_vectors(), tmp_path / "vectors"
    vectors.save(path, format=format)
    assert_same(read_word_vectors(path, format=format, limit=11), vectors.subset(vectors.words[:11]))
    wanted = ["w40", "w3", "w17", "elsewhere"]
    assert_same(read_word_vectors(path, format=format, only=wanted), vectors.subset(["w3", "w17", "w40"]))
    assert_same(read_word_vectors(path, format=format, only=set(wanted), limit=2), vectors.subset(["w3", "w17"]))


@pytest.mark.parametrize("format", FORMATS)
def test_what_lies_behind_the_limit_is_not_read(tmp_path, format):
    path = tmp_path / "vectors"
    random_vectors().save(path, format=format)
    path.write_bytes(path.read_bytes()[:-9])
    assert len(read_word_vectors(path, format=format, limit=50)) == 50


def test_memory_holds_what_is_kept_and_not_the_file(tmp_path):
    path = tmp_path / "vectors.bin"
    random_vectors(20_011, 101).save(path)
    tracemalloc.start()
    vectors = read_word_vectors(path, limit=23)
    few = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(vectors) == 23
    assert few < 4 * 2**20 < path.stat().st_size


def good(format, words=3):
    """The bytes of a file with words `w0`, … and two features."""
    rows = [(f"w{number}", [number, 0.5]) for number in range(words)]
    if format == "word2vec_binary":
        return f"{words} 2\n".encode() + b"".join(w.encode() + b" " + np.array(r, "<f4").tobytes() for w, r in rows)
    lines = [f"{w} {r[0]} {r[1]}\n" for w, r in rows]
    return "".join([f"{words} 2\n"] * (format == "word2vec") + lines).encode()


@pytest.mark.parametrize(
    ("content", "format", "message"),
    [
        (b"", "word2vec", r"v, line 1: expected how many words .* Found: b''"),
        (b"", "word2vec_binary", r"v, line 1: expected how many words"),
        (b"", "glove", "v: expected at least one word with a vector. Found none"),
        (b"\n\n", "glove", "v: expected at least one word"),
        (b"0 5\n", "word2vec", "v: expected at least one word"),
        (b"3 0\n", "word2vec", "line 1: expected how many words"),
        (b"sun 1 2\n", "word2vec", "line 1: expected how many words .* Found: b'sun 1 2.n'. .* format='glove'"),
        (b"sun\n", "glove", "line 1: expected a word and its numbers. Found: b'sun'"),
        (good("word2vec") + b"w3 1 2\n", "word2vec", "line 5: expected no more, line 1 says 3 words"),
        (good("word2vec")[:-9], "word2vec", "line 3: the file ends after 2 words, but line 1 says 3"),
        (good("word2vec")[:-5], "word2vec", "line 4: expected a word and 2 numbers. Found 1 after 'w2'"),
        (good("glove") + b"w3 1\n", "glove", "v, line 4: expected a word and 2 numbers. Found 1 after 'w3'"),
        (good("glove") + b"w3 1 2 3\n", "glove", "v, line 4: expected a word and 2 numbers. Found 3 after 'w3'"),
        (good("glove") + b"\nw3 1 2\n", "glove", "v, line 4: expected a word and 2 numbers. Found 0"),
        (good("glove") + b"w3 1 two\n", "glove", "v, line 4: expected numbers after the word. Found: 'two'"),
        (good("glove") + b" 1 2\n", "glove", "v, line 4: expected a word before the numbers. Found none"),
        (good("glove") + b"w1 1 2\n", "glove", "v, line 4: the word 'w1' stands twice, in line 2 too"),
        (good("glove") + b"w3 1 nan\n", "glove", "v, line 4: the vector of 'w3' is not finite"),
        (good("glove") + b"w3 1 1e39\n", "glove", "v, line 4: the vector of 'w3' is not finite"),
        (good("glove") + b"\xff\xfe 1 2\n", "glove", r"v, line 4: the word b'.xff.xfe' is not UTF-8: invalid start"),
        (good("word2vec_binary")[:-3], "word2vec_binary", "v, word 3 of 3: the file ends inside its vector"),
        (good("word2vec_binary")[:-10], "word2vec_binary", "v, word 3 of 3: the file ends inside its word"),
        (good("word2vec_binary")[:15], "word2vec_binary", "v, word 2 of 3: the file ends inside its w"),
        (good("word2vec_binary") + b"w3 ", "word2vec_binary", "v: expected the end after 3 words, as line 1 says"),
        (
            b"1 2\n" + b"a" * 20_000,
            "word2vec_binary",
            "v, word 1 of 1: expected a word and a blank. Found none in 10000",
        ),
        (b"1 2\n\xff 12345678", "word2vec_binary", r"v, word 1 of 1: b'.xff' is not UTF-8"),
        (
            b"2 1\nsun " + np.float32([1]).tobytes() + b"sun " + np.float32([1]).tobytes(),
            "word2vec_binary",
            "v, word 2 of 2: the word 'sun' stands twice, in word 1 of 2 too",
        ),
        (b"1 1\nsun " + np.float32([np.inf]).tobytes(), "word2vec_binary", "word 1 of 1: .* 'sun' is not finite"),
        (good("word2vec"), "word2vec_binary", "expected|not UTF-8|ends inside"),
    ],
)
def test_a_broken_file_is_refused_with_the_place(tmp_path, content, format, message):
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_word_vectors(tmp_path / "v", format=format)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"format": "fasttext"}, ValueError, "must be one of 'word2vec', 'word2vec_binary', 'glove'. .*: 'fasttext'"),
        ({"limit": 0}, ValueError, "`limit` must be at least 1. Received: 0"),
        ({"only": "sun"}, TypeError, "`only` must be several words. Received the text 'sun'"),
        ({"only": ["sun", "moon"]}, ValueError, "Found none of the 2 words asked for"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, settings, error, message):
    (tmp_path / "v").write_bytes(good("glove"))
    with pytest.raises(error, match=message):
        read_word_vectors(tmp_path / "v", **settings)


@pytest.mark.parametrize("word", ["New York", "a\nb", "tab\t", "\r"])
def test_a_word_that_no_file_can_hold_is_refused_before_anything_is_written(tmp_path, word):
    vectors = WordVectors(["sun", word], [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"cannot hold a word with a blank, tab or line end. Received: "):
        vectors.save(tmp_path / "v")
    assert os.listdir(tmp_path) == []


def test_a_file_is_replaced_whole_or_left_as_it_was(tmp_path, monkeypatch):
    path = tmp_path / "v"
    path.write_text("as it was")

    def fails(file, words, vectors, *, header):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(module, "write_text", fails)
    with pytest.raises(OSError, match="no space left"):
        random_vectors().save(path)
    assert path.read_text() == "as it was"
    assert os.listdir(tmp_path) == ["v"]
    monkeypatch.undo()
    random_vectors().save(path)
    assert len(WordVectors.load(path)) == 53
    assert os.listdir(tmp_path) == ["v"]
    if os.name == "posix":
        (tmp_path / "plain").write_text("")
        assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
