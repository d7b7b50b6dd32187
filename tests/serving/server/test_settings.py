"""Settings refuse what they cannot mean."""

import pytest

from keras_seq.serving.server import ServerSettings


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_rows", 0, "a positive integer"),
        ("max_length", 2.5, "a positive integer"),
        ("max_queue", "many", "a positive integer"),
        ("workers", -1, "a positive integer"),
        ("num_threads", 0, "a positive integer"),
        ("max_streams", True, "a positive integer"),
        ("timeout_seconds", 0, "a number of seconds above 0"),
        ("keep_alive_seconds", float("inf"), "a number of seconds above 0"),
        ("max_wait_seconds", -0.001, "a number of seconds"),
        ("drain_seconds", None, "a number of seconds"),
        ("port", 65536, "from 0 to 65535"),
        ("port", -1, "from 0 to 65535"),
    ],
)
def test_a_setting_that_means_nothing_is_refused_by_name(name, value, expected):
    with pytest.raises(ValueError, match=rf"`{name}` must be {expected}\. Received: {name}="):
        ServerSettings(**{name: value})


@pytest.mark.parametrize("tokens", [("",), ("good", "schlüssel"), (7,)])
def test_tokens_that_cannot_be_sent_are_refused_and_not_shown(tokens):
    with pytest.raises(ValueError, match=r"`tokens` must be texts of ASCII characters") as caught:
        ServerSettings(tokens=tokens)
    assert "good" not in str(caught.value)


def test_zero_is_a_waiting_time_and_a_port():
    settings = ServerSettings(max_wait_seconds=0, drain_seconds=0, port=0, num_threads=3)
    assert (settings.max_wait_seconds, settings.port, settings.num_threads) == (0, 0, 3)
