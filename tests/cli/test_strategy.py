import pytest

from keras_seq.cli.errors import CommandError
from keras_seq.cli.strategy import read_strategy


def test_a_name_and_settings_become_a_strategy():
    import keras_seq

    assert read_strategy(None) is None
    assert read_strategy("greedy") == keras_seq.Greedy()
    expected = keras_seq.BeamSearch(num_beams=3, alpha=0.5, length_term="gnmt")
    assert read_strategy("beam_search:num_beams=3,alpha=0.5,length_term=gnmt") == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("beam", r"--generate takes greedy, sampling, beam_search. Received: 'beam'"),
        ("greedy:alpha=1", r"--generate greedy:alpha=1: .*alpha.* The settings of greedy: banned_ids, max_length"),
        ("beam_search:num_beams=0", r"`num_beams` must be a positive integer"),
        ("sampling:top_k", r"'top_k' is not NAME=VALUE"),
    ],
)
def test_what_cannot_be_read_is_refused(text, message):
    with pytest.raises(CommandError, match=message):
        read_strategy(text)
