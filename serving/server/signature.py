"""One thing that can be asked of a served bundle."""

from dataclasses import dataclass

from keras_seq.serving.option_spec import OptionSpec
from keras_seq.serving.tensor_spec import TensorSpec


@dataclass(frozen=True)
class Signature:
    """One graph of a bundle, asked in numbers or in texts: what the inference protocol calls a model.

    Attributes:
        name: Under which it is asked: `"tagger"`, `"tagger.text"`, `"dates.generate_text"`.
        graph: The graph that runs.
        takes_text: Whether texts go in.
        inputs: What goes in; where `takes_text`, those of them in `text_inputs` as texts.
        outputs: The numbers that come out.
        options: What may be set besides.
        text_inputs: Names of the inputs that have a tokenizer.
        one_text: Whether one text a row is enough for all of them.
        labels: Names of the outputs that have labels.
    """

    name: str
    graph: str
    takes_text: bool
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    options: tuple[OptionSpec, ...] = ()
    text_inputs: tuple[str, ...] = ()
    one_text: bool = False
    labels: tuple[str, ...] = ()
