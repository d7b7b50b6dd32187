"""A language small enough to be learnt in a second: the label follows from the word before as well as the word."""

import numpy as np
import pytest


def conllu(seed, sentences):
    random = np.random.default_rng(seed)
    lines = []
    for _ in range(sentences):
        previous = ""
        for number in range(1, random.integers(3, 9)):
            word = str(random.choice(["the", "to", "run", "walk", "play", "Ann"]))
            label = {"the": "DET", "to": "PART", "Ann": "PROPN"}.get(word, "NOUN" if previous == "the" else "VERB")
            lines.append(f"{number}\t{word}\t_\t{label}" + "\t_" * 6)
            previous = word
        lines.append("")
    return "\n".join(lines)


@pytest.fixture(scope="session")
def treebank(tmp_path_factory):
    """A folder with a training and a dev file."""
    folder = tmp_path_factory.mktemp("treebank")
    (folder / "toy-train.conllu").write_text(conllu(1, 600))
    (folder / "toy-dev.conllu").write_text(conllu(2, 60))
    return folder
