import pytest

from keras_seq.cli.errors import one_line


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (
            "out exists already. Pass overwrite=True to replace it.",
            "out exists already. Pass --overwrite to replace it.",
        ),
        ("Export the model with `streaming=True`.", "Export the model with --streaming."),
        ("`min_onnxruntime` must be a version.", "--min-onnxruntime must be a version."),
        ("These:\n  layer 'a'\n  layer 'b'\nMend them.", "These: layer 'a'; layer 'b'; Mend them."),
    ],
)
def test_arguments_become_options_and_lines_become_one(message, expected):
    assert one_line(message) == expected


def test_what_no_option_can_say_is_sent_to_python():
    text = one_line("it does not say what it takes. Pass input_signature=keras.InputSpec(shape=(None, None)).")
    assert text.endswith("export from Python, with keras_seq.export.export_model.")
