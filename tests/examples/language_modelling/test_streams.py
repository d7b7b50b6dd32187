import numpy as np
import pytest

from language_modelling.streams import Windows, one_stream


class Letters:
    def encode(self, texts, add_start, add_end):
        assert (add_start, add_end) == (False, True)
        return [[ord(letter) for letter in text] + [2] for text in texts]


def test_texts_follow_one_another_with_their_ends():
    stream = one_stream(Letters(), ["ab", "", "c"])
    assert (stream.tolist(), stream.dtype) == ([97, 98, 2, 2, 99, 2], "int32")


@pytest.mark.backend("tensorflow")
def test_every_text_begins_behind_the_start_token():
    windows = Windows(np.array([7, 8, 2, 9, 2, 5, 6, 2, 7, 2]), batch_size=2, steps=3)
    assert len(windows) == 2
    before, ids = windows[0]
    assert before.tolist() == [[1, 7, 8], [1, 5, 6]]
    assert ids.tolist() == [[7, 8, 2], [5, 6, 2]]
    before, ids = windows[1]
    assert before.tolist() == [[1, 9, 0], [1, 7, 0]]
    assert ids.tolist() == [[9, 2, 0], [7, 2, 0]]
