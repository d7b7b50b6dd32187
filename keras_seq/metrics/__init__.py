"""How good generated sequences are: BLEU, exact matches, edit distances.

Apart from the metrics that `fit` uses, `BitsPerCharacter`, `Perplexity` and `SequenceAccuracy`, they take plain Python
sequences and NumPy arrays and need no Keras: hypotheses of an exported bundle are judged on a machine that has none.
"""

import lazy_loader

from keras_seq._extras import naming_extra

# No function has the name of its module: whoever imports the module would put it in the function's place.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "bleu_score": ["BLEUScore", "bleu"],
        "exact_match": ["sequence_accuracy"],
        "levenshtein": ["edit_distance"],
        "perplexity_metric": ["BitsPerCharacter", "Perplexity"],
        "sequence_accuracy_metric": ["SequenceAccuracy"],
    },
)
__getattr__ = naming_extra(__getattr__, "metrics", ["rapidfuzz", "sacrebleu"])
__getattr__ = naming_extra(__getattr__, "train", ["keras", "tensorflow"])
