"""Errors as one line that says what to do."""

import re


class CommandError(Exception):
    """The command cannot do what was asked; the message is one line that says what to do. Exit code 2."""


# The libraries' messages speak of arguments in Python; here the same things are options.
_OPTIONS = {
    r"`?overwrite=True`?": "--overwrite",
    r"`?allow_loop=True`?": "--allow-loop",
    r"`?streaming=True`?": "--streaming",
    r"Export it with streaming=False": "Leave --streaming out",
    r"portable=True": "--portable",
    r"with triton=True `formats` needs 'onnx'": "with --triton, --formats needs onnx",
    r"export with triton=False": "leave --triton out",
    r"with ort_format=True `formats` needs 'onnx'": "with --ort, --formats needs onnx",
    r"Export with ort_format=False": "Leave --ort out",
    r"export with ort_format=False": "leave --ort out",
    r"export_model\(\.\.\., ort_format=True\)": "`keras-seq export --ort`",
    r"Export with portable=False": "Leave --portable out",
    r"`min_onnxruntime`": "--min-onnxruntime",
    r"min_onnxruntime=": "--min-onnxruntime ",
    r"a wider `tolerance`": "larger --atol and --rtol",
    r"`keras_seq\.export\.export_model` wrote": "`keras-seq export` wrote",
    r"with 'onnx' among `formats`": "with onnx among --formats",
    r"Give graph='generate'": "Give --graph generate",
    r"so texts must be given by name in a dict\. Received: list\.": (
        "and the command line has one text for all. Call Predictor.predict_text from Python."
    ),
    r"`tokenizer=?`": "--tokenizer",
    r"`labels`": "--labels",
    r"`keep`": "--keep",
    r"make Predictor\(\.\.\., graph='generate'\) or a Generator": "give --graph generate",
}
_FROM_PYTHON = " No option of the command line says that: export from Python, with keras_seq.export.export_model."


def one_line(message: object) -> str:
    r"""A message on one line, with options in place of Python arguments.

    Args:
        message: A text or an exception.

    Example:
        >>> one_line("two layers look ahead:\n  layer 'a'\n  layer 'b'\nPass allow_loop=True.")
        "two layers look ahead: layer 'a'; layer 'b'; Pass --allow-loop."
    """
    text = re.sub(r"(?<=[.:;,])\s*\n\s*", " ", str(message).strip())
    text = re.sub(r"\s*\n\s*", "; ", text)
    for argument, option in _OPTIONS.items():
        text = re.sub(argument, option, text)
    return text + _FROM_PYTHON if "input_signature=" in text else text


def missing_extra(what: str, packages: list[str]) -> CommandError:
    """The error for what needs packages that are not installed.

    Args:
        what: What cannot be done, worded to stand before "needs".
        packages: What is missing.

    Example:
        >>> print(missing_extra("exporting", ["onnx", "tf2onnx"]))
        exporting needs onnx, tf2onnx, not installed here: pip install 'keras_seq[export]'
    """
    return CommandError(f"{what} needs {', '.join(packages)}, not installed here: pip install 'keras_seq[export]'")
