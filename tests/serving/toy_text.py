"""Bundles made by hand that take texts: a tagger, and a language model with its step. No exporter takes part."""

import json
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from keras_seq.serving import (
    FileSpec,
    GraphSpec,
    Manifest,
    OptionSpec,
    StateSpec,
    TensorSpec,
    TextSpec,
    TokenizerSpec,
)

SPECIAL = ["<pad>", "<start>", "<end>", "<unk>"]
WORDS = [*SPECIAL, "the", "dog", "barks", "it", "rains", "!", "naïve"]
TAGS, MOODS = ["DET", "NOUN", "VERB", "PUNCT", "X"], ["calm", "loud", "wet"]
UNITS, LONGEST = 5, 13

RULES = {
    "whitespace": [[0, 0], [9, 13], [32, 32], [0x3000, 0x3000]],
    "punctuation": [[33, 47], [58, 64], [0x1F600, 0x1F64F]],
    "lower": [[65, 90, 1, 32], [0x0130, 0x0130, 1, -199]],
}


def document(kind: str = "word", **changes) -> dict:
    """The content of a `tokenizer.json`."""
    own = {
        "char": {"vocabulary": [*SPECIAL, "a", "b", " ", "\n", "\U0001f600"]},
        "word": {"vocabulary": WORDS, "split": "words", "punctuation": "split"},
        "wordchar": {
            "vocabulary": [*SPECIAL, *"abdeghinorst!"],
            "split": "words",
            "punctuation": "split",
            "num_first": 3,
            "num_last": 2,
        },
        "wordpiece": {
            "vocabulary": [*SPECIAL, "un", "##able", "##afford", "a", "##b", "##c", "abc", "!"],
            "split": "words",
            "prefix": "##",
            "max_word_length": 12,
        },
    }
    common = {"lowercase": False, "add_start": False, "add_end": False, "max_length": None, "rules": RULES}
    return {"schema_version": 1, "kind": kind, **common, **own[kind], **changes}


def tag_scores() -> np.ndarray:
    """What the tagger says of each id, `(vocabulary, tags)`."""
    return np.random.default_rng(3).normal(size=(len(WORDS), len(TAGS))).astype("float32")


def mood_scores() -> np.ndarray:
    """What each id adds to the mood of its sentence; padding adds nothing."""
    scores = np.random.default_rng(4).normal(size=(len(WORDS), len(MOODS))).astype("float32")
    scores[0] = 0
    return scores


def _model(nodes, inputs, outputs, constants, opset: int = 18) -> bytes:
    kinds = {
        "int32": TensorProto.INT32,
        "float32": TensorProto.FLOAT,
        "bool": TensorProto.BOOL,
        "string": TensorProto.STRING,
    }
    inputs, outputs = (
        [helper.make_tensor_value_info(name, kinds[dtype], shape) for name, dtype, shape in tensors]
        for tensors in (inputs, outputs)
    )
    initializers = [
        helper.make_tensor(name, TensorProto.STRING, value.shape, [text.encode() for text in value.ravel()])
        if value.dtype.kind in "OU"
        else numpy_helper.from_array(value, name)
        for name, value in constants.items()
    ]
    graph = helper.make_graph(nodes, "toy", inputs, outputs, initializers)
    domains = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 4)]
    return helper.make_model(graph, opset_imports=domains, ir_version=8).SerializeToString()


def _write(folder: Path, graphs: dict[str, GraphSpec], tokenizers: dict[str, dict], **manifest) -> Path:
    (folder / "tokenizers").mkdir()
    for name, content in tokenizers.items():
        (folder / "tokenizers" / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    files = [*(graph.file for graph in graphs.values()), *(f"tokenizers/{name}.json" for name in tokenizers)]
    value = Manifest(
        name=folder.name,
        created="2025-01-02T03:04:05+00:00",
        model={"class": "Functional", "parameters": 97, "dtype_policy": "float32"},
        versions={"python": "3.11.7"},
        graphs=graphs,
        files={name: FileSpec.of(folder / name) for name in files},
        onnx={"opset": 18, "ir_version": 8, "min_onnxruntime": "1.17"},
        tokenizers={name: TokenizerSpec(f"tokenizers/{name}.json") for name in tokenizers},
        **manifest,
    )
    (folder / "bundle.json").write_text(value.to_json(), encoding="utf-8")
    return folder


def write_tagger(folder: Path, *, strings: bool = False, limits: dict | None = None, **tokenizer) -> Path:
    """A tag for each word and a mood for each sentence; with `strings` the graph takes one word a text itself.

    `limits` go into the manifest, `tokenizer` into the tokenizer's file.
    """
    folder.mkdir(parents=True)
    make = helper.make_node
    nodes = [
        make("Gather", ["tag_table", "words"], ["tags"]),
        make("Gather", ["mood_table", "words"], ["moods"]),
        make("ReduceSum", ["moods", "one"], ["mood"], keepdims=0),
    ]
    constants = {"tag_table": tag_scores(), "mood_table": mood_scores(), "one": np.array([1])}
    inputs = [("words", "int32", ["batch", "time"])]
    outputs = [("tags", "float32", ["batch", "time", len(TAGS)]), ("mood", "float32", ["batch", len(MOODS)])]
    text = None
    if strings:
        text = TextSpec({"text": "words"}, ["tokens"])
        look_up = [
            make("LabelEncoder", ["text"], ["found"], domain="ai.onnx.ml", keys_strings=WORDS[4:],
                 values_int64s=range(4, len(WORDS)), default_int64=3),
            make("Cast", ["found"], ["narrow"], to=TensorProto.INT32),
            make("Unsqueeze", ["narrow", "one"], ["looked_up"]),
        ]  # fmt: skip
        shape = ["batch", "time"]
        branches = {
            "then_branch": helper.make_graph(
                look_up, "text", [], [helper.make_tensor_value_info("looked_up", TensorProto.INT32, shape)]
            ),
            "else_branch": helper.make_graph(
                [make("Identity", ["words"], ["given"])],
                "ids",
                [],
                [helper.make_tensor_value_info("given", TensorProto.INT32, shape)],
            ),
        }
        nodes = [
            make("Size", ["text"], ["texts"]),
            make("Cast", ["texts"], ["has_text"], to=TensorProto.BOOL),
            make("If", ["has_text"], ["ids"], **branches),
            make("Gather", ["vocabulary", "ids"], ["tokens"]),
            *nodes,
        ]
        for node in nodes[4:6]:
            node.input[1] = "ids"
        constants |= {"words": np.zeros((0, 0), "int32"), "vocabulary": np.array(WORDS)}
        inputs.append(("text", "string", ["batch"]))
        outputs.append(("tokens", "string", ["batch", "time"]))
    (folder / "model.onnx").write_bytes(_model(nodes, inputs, outputs, constants))
    graph = GraphSpec(
        "model.onnx",
        [TensorSpec("words", "int32", ("batch", "time"), pad_value=0, maximum=len(WORDS) - 1)],
        [TensorSpec(name, dtype, shape) for name, dtype, shape in outputs if dtype != "string"],
        limits=limits or {},
        text=text,
    )
    settings = {"lowercase": True, **tokenizer}
    return _write(folder, {"model": graph}, {"words": document(**settings)}, labels={"tags": TAGS, "mood": MOODS})


def spelling_scores(characters: dict) -> np.ndarray:
    """What each place and character of a word adds to its tags, `(width, vocabulary, tags)`; padding adds nothing."""
    shape = (characters["num_first"] + characters["num_last"], len(characters["vocabulary"]), len(TAGS))
    scores = np.random.default_rng(6).normal(size=shape).astype("float32")
    scores[:, 0] = 0
    return scores


def write_spelling_tagger(folder: Path, characters: dict | None = None, **words) -> Path:
    """A tag for each word, by the word and by its spelling: inputs `characters` and `words`, which share their steps.

    `characters` and `words` go into the tokenizers' files; `characters={}` leaves that of the characters out.
    """
    folder.mkdir(parents=True)
    make, spelling = helper.make_node, document("wordchar", **(characters or {}))
    table = spelling_scores(spelling)
    width, size, _ = table.shape
    nodes = [
        make("Add", ["characters", "places"], ["entries"]),
        make("Gather", ["spelling_table", "entries"], ["each"]),
        make("ReduceSum", ["each", "two"], ["spelt"], keepdims=0),
        make("Gather", ["tag_table", "words"], ["meant"]),
        make("Add", ["meant", "spelt"], ["tags"]),
    ]
    constants = {"tag_table": tag_scores(), "spelling_table": table.reshape(width * size, -1), "two": np.array([2])}
    constants["places"] = np.arange(width, dtype="int32") * np.int32(size)
    inputs = [("characters", "int32", ["batch", "time", width]), ("words", "int32", ["batch", "time"])]
    outputs = [("tags", "float32", ["batch", "time", len(TAGS)])]
    (folder / "model.onnx").write_bytes(_model(nodes, inputs, outputs, constants))
    largest = {"characters": size - 1, "words": len(WORDS) - 1}
    graph = GraphSpec(
        "model.onnx",
        [TensorSpec(name, dtype, tuple(dims), pad_value=0, maximum=largest[name]) for name, dtype, dims in inputs],
        [TensorSpec(name, dtype, tuple(dims)) for name, dtype, dims in outputs],
    )
    tokenizers = {"words": document(**{"lowercase": True, **words})}
    if characters != {}:
        tokenizers["characters"] = spelling
    return _write(folder, {"model": graph}, tokenizers, labels={"tags": TAGS})


def lm_weights(vocabulary: int) -> dict[str, np.ndarray]:
    """A recurrent language model: `h = tanh(x[id] + h @ r)`, logits `h @ w`."""
    rng = np.random.default_rng(5)
    shapes = {"x": (vocabulary, UNITS), "r": (UNITS, UNITS), "w": (UNITS, vocabulary)}
    return {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}


def write_language_model(
    folder: Path, decoding: dict, options: dict[str, float], tokenizer: dict | None = None, *, step: bool = True
) -> Path:
    """A bundle with the graphs `generate`, whose answer is always "the dog", and `step`, which is a model of language.

    Args:
        folder: Where to.
        decoding: As the manifest is to have it.
        options: Name to default of the options of `generate`.
        tokenizer: Of the prompts; None for none.
        step: Whether there is such a graph.
    """
    folder.mkdir(parents=True)
    vocabulary, make = len(WORDS), helper.make_node
    prompt = TensorSpec("prompt", "int32", ("batch", "time"), pad_value=0, maximum=vocabulary - 1)
    found = {"ids": np.array([[[4, 5, 2]]], "int32"), "lengths": np.array([[3]], "int32")}
    found |= {"scores": np.array([[-1.5]], "float32"), "finished": np.array([[True]])}
    dims = {"ids": ["batch", 1, "target"], "lengths": ["batch", 1], "scores": ["batch", 1], "finished": ["batch", 1]}
    nodes = [make("Shape", ["prompt"], ["batch"], end=1), make("Concat", ["batch", "one"], ["pair"], axis=0),
             make("Concat", ["pair", "one"], ["triple"], axis=0)]  # fmt: skip
    nodes += [make("Expand", [f"{n}.one", "triple" if n == "ids" else "pair"], [n]) for n in found]
    inputs = [("prompt", "int32", ["batch", "time"])]
    specs = [OptionSpec(name, "int32" if isinstance(v, int) else "float32", v) for name, v in options.items()]
    inputs += [(spec.name, spec.dtype, []) for spec in specs]
    outputs = [(name, str(value.dtype), dims[name]) for name, value in found.items()]
    constants = {f"{name}.one": value for name, value in found.items()} | {"one": np.array([1])}
    constants |= {spec.name: np.array(spec.default, spec.dtype) for spec in specs}
    (folder / "generate.onnx").write_bytes(_model(nodes, inputs, outputs, constants))
    graphs = {
        "generate": GraphSpec(
            "generate.onnx",
            [prompt],
            [TensorSpec(*output) for output in outputs],
            options=specs,
            limits={"time": 5},
            decoding=decoding,
        )
    }
    if step:
        (folder / "step.onnx").write_bytes(_step_graph(vocabulary))
        graphs["step"] = GraphSpec(
            "step.onnx",
            [TensorSpec("ids", "int32", ("batch", "time"), maximum=vocabulary - 1)],  # which masks nothing
            [TensorSpec("logits", "float32", ("batch", "time", vocabulary))],
            [StateSpec("rnn.h", "rnn.h", "rnn.h.next", "float32", ("batch", UNITS))],
            limits={"time": LONGEST},
        )
    return _write(folder, graphs, {} if tokenizer is None else {"prompt": tokenizer})


def _step_graph(vocabulary: int) -> bytes:
    make, weights = helper.make_node, lm_weights(vocabulary)
    nodes = [
        make("Gather", ["x", "ids"], ["by_batch"]),
        make("Transpose", ["by_batch"], ["by_time"], perm=[1, 0, 2]),
        make("Unsqueeze", ["rnn.h", "zero"], ["h"]),
        make("RNN", ["by_time", "eye", "r_t", "", "", "h"], ["y", "last"], hidden_size=UNITS),
        make("Squeeze", ["last", "zero"], ["rnn.h.next"]),
        make("Squeeze", ["y", "one"], ["hidden"]),
        make("Transpose", ["hidden"], ["outputs"], perm=[1, 0, 2]),
        make("MatMul", ["outputs", "w"], ["logits"]),
    ]
    constants = {"x": weights["x"], "w": weights["w"], "zero": np.array([0]), "one": np.array([1])}
    constants |= {"eye": np.eye(UNITS, dtype="float32")[None], "r_t": weights["r"].T[None].copy()}
    inputs = [("ids", "int32", ["batch", "time"]), ("rnn.h", "float32", ["batch", UNITS])]
    outputs = [("logits", "float32", ["batch", "time", vocabulary]), ("rnn.h.next", "float32", ["batch", UNITS])]
    return _model(nodes, inputs, outputs, constants)
