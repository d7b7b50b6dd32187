"""`keras-seq inspect --code`: programs in other languages, with a bundle's own names.

There are no compilers here for most of them. So the names, types, dimensions and states that a program gives are read
out of it, and ONNX Runtime is asked to run just that, call after call.
"""

import re
from dataclasses import dataclass, replace

import numpy as np
import onnxruntime
import pytest

from keras_seq.cli.errors import CommandError
from keras_seq.cli.host_code import LANGUAGES, host_code
from keras_seq.serving import Bundle, Predictor, Stream, TensorSpec
from tests.repository import ROOT
from tests.serving import conftest as toy
from tests.serving.toy_cache import write_cache
from tests.serving.toy_decoder import write_decoder
from tests.serving.toy_text import write_tagger

WRITERS = {
    "masked": toy._write_bundle,
    "dates": write_decoder,
    "pos": lambda folder: write_tagger(folder, strings=True),
    "looker": write_cache,
}
GRAPHS = [("masked", "model"), ("masked", "step"), ("dates", "generate"), ("pos", "model"), ("looker", "step")]
DTYPES = {
    "float": "float32",
    "int32_t": "int32",
    "int64_t": "int64",
    "uint8_t": "bool",
    "Float": "float32",
    "Int": "int32",
    "Int32": "int32",
    "Long": "int64",
}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return {name: Bundle.load(write(folder / name)) for name, write in WRITERS.items()}


@dataclass
class Told:
    """What a program says, in its own order."""

    feeds: dict[str, np.ndarray]
    outputs: list[str]
    states: dict[str, str]


def _strings(text):
    return re.findall(r'"([^"]*)"', text)


def _zeros(dtype, dims, sizes):
    shape = [sizes.get(dim) if dim in sizes else int(dim) for dim in (part.strip(" L") for part in dims.split(","))]
    return np.zeros(shape, dtype)


def read_cpp(program):
    sizes = {k: int(v) for k, v in re.findall(r"(\w+) = (\d+)[,;]", re.search("const int64_t batch.*;", program)[0])}
    declared = {name: DTYPES[kind] for kind, name in re.findall(r"std::vector<(\w+)> (\w+)\(", program)}
    values = []
    for helper, variable, dims in re.findall(r"inputs\.push_back\((\w+)\((\w+)(?:, \{(.*?)\})?\)\);", program):
        text = np.array(["a text"], object)
        values.append(text if helper == "texts" else _zeros(declared[variable], dims, sizes))
    names = _strings(re.search(r"input_names\[\] = \{(.*?)\};", program)[1])
    outputs = _strings(re.search(r"output_names\[\] = \{(.*?)\};", program)[1])
    assert f"output_names, {len(outputs)});" in program
    moves = re.findall(r"inputs\[(\d+)\] = std::move\(outputs\[(\d+)\]\);  // (.*)", program)
    assert [names[int(target)] for target, _, _ in moves] == [comment for _, _, comment in moves]
    return Told(dict(zip(names, values, strict=True)), outputs, {names[int(a)]: outputs[int(b)] for a, b, _ in moves})


def read_kotlin(program):
    sizes = {name: int(size) for name, size in re.findall(r"val (\w+) = (\d+)L", program)}
    declared = {name: DTYPES[kind] for name, kind in re.findall(r"val (\w+) = (\w+)Array\(", program)}
    feeds = {}
    for name, value, dims in re.findall(
        r'"(.*?)" to OnnxTensor\.createTensor\(env, (.*), longArrayOf\((.*?)\)', program
    ):
        variable = re.search(r"Buffer\.wrap\((\w+)\)", value)
        feeds[name] = _zeros(declared[variable[1]], dims, sizes) if variable else np.array(_strings(value), object)
    states = dict(re.findall(r'inputs\.put\("(.*?)", outputs\.get\("(.*?)"\)', program))
    return Told(feeds, _strings(re.search(r"setOf\((.*)\)\)", program)[1]), states)


def read_swift(program):
    sizes = {name: int(size) for name, size in re.findall(r"let (\w+) = (\d+)$", program, re.MULTILINE)}
    declared = {name: DTYPES[kind] for name, kind in re.findall(r"let (\w+) = \[(\w+)\]\(repeating: 0", program)}
    feeds = {}
    for name, variable, kind, dims in re.findall(r'"(.*?)": try tensor\((\w+), \.(\w+), \[(.*?)\]\)', program):
        assert DTYPES[kind.capitalize()] == declared[variable]
        feeds[name] = _zeros(declared[variable], dims, sizes)
    for name, text in re.findall(r'"(.*?)": try ORTValue\(tensorStringData: \["(.*?)"\], shape: \[1\]\)', program):
        feeds[name] = np.array([text], object)
    outputs = _strings(re.search(r"outputNames: \[(.*?)\], runOptions", program, re.DOTALL)[1])
    return Told(feeds, outputs, dict(re.findall(r'inputs\["(.*?)"\] = outputs\["(.*?)"\]', program)))


READERS = {"cpp": read_cpp, "kotlin": read_kotlin, "swift": read_swift}


def run(path, told):
    """Two calls where there are states, else one; the outputs of the last."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds, answers = dict(told.feeds), {}
    for _ in range(2 if told.states else 1):
        answers = dict(zip(told.outputs, session.run(told.outputs, feeds), strict=True))
        feeds |= {name: answers[next_name] for name, next_name in told.states.items()}
    return answers


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("name", "graph"), GRAPHS)
def test_what_a_program_gives_is_what_the_graph_takes(bundles, name, graph, language):
    bundle = bundles[name]
    spec = bundle.graph(graph)
    told = READERS[language](host_code(language, spec))
    answers = run(bundle.file(spec.file), told)
    assert told.states == {state.input: state.output for state in spec.states}
    if spec.text:
        assert list(told.feeds) == list(spec.text.inputs)
        assert set(told.outputs) == {tensor.name for tensor in spec.outputs} | set(spec.text.outputs)
        assert {name for name, value in answers.items() if value.dtype == object} == set(spec.text.outputs)
        return
    zeros = {tensor.name: told.feeds[tensor.name] for tensor in spec.inputs}
    if spec.states:
        with Stream(bundle) as stream:
            expected = [stream.feed(zeros) for _ in range(2)][-1]
    else:
        expected = Predictor(bundle, graph=graph).predict(zeros)
    left_out = {t.name for t in spec.outputs if t.dtype == "bool"} if language == "swift" else set()
    assert set(told.outputs) - set(told.states.values()) == set(expected) - left_out
    for output in set(expected) - left_out:
        np.testing.assert_allclose(answers[output], expected[output], atol=1e-6)


@pytest.mark.parametrize("language", LANGUAGES)
def test_variables_have_names_that_nothing_else_has(bundles, language):
    spec = bundles["masked"].graph("model")
    names = ["class", "inputs", "a.b", "a/b", "2nd", "Ω"]
    inputs = [TensorSpec(name, "float32", ("batch", "time")) for name in names]
    program = host_code(language, replace(spec, inputs=inputs))
    assert list(READERS[language](program).feeds) == names
    variables = re.findall(r"(?:std::vector<float>|val|let) (\w+)(?:\(| = FloatArray| = \[Float\])", program)
    assert len(set(variables)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in variables)
    assert not {"class", "inputs"} & set(variables)


def test_booleans_go_in_where_the_language_has_them(bundles):
    spec = bundles["masked"].graph("model")
    inputs = [TensorSpec("mask", "bool", ("batch", "time"))]
    spec = replace(spec, inputs=inputs)
    assert "inputs.push_back(flags(mask, {batch, time}));" in host_code("cpp", spec)
    assert "ByteBuffer.wrap(mask), longArrayOf(batch, time), OnnxJavaType.BOOL)" in host_code("kotlin", spec)
    with pytest.raises(
        CommandError, match=r"Objective-C API has tensors of .*; the input 'mask' of model\.onnx is of bool"
    ):
        host_code("swift", spec)


def test_options_and_what_is_known_of_inputs_stand_in_comments(bundles):
    program = host_code("cpp", bundles["dates"].graph("generate"))
    assert "// may be given too: max_length, int32, " in program
    assert "(batch, time): ids 0 to 22, rows are filled up with 0" in program


def test_the_command_prints_the_program_alone(keras_seq_command, bundles):
    path = bundles["masked"].path
    done = keras_seq_command("inspect", path, "--code", "kotlin", "--graph", "step")
    assert done == (0, host_code("kotlin", bundles["masked"].graph("step")), "")
    assert '"model.onnx"' in keras_seq_command("inspect", path, "--code", "swift").out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--code", "rust"], "--code must be one of 'cpp', 'kotlin', 'swift'. Received: 'rust'."),
        (["--code", "cpp", "--json"], "--code prints a program, not JSON."),
        (["--code", "cpp", "--graph", "generate"], "has no graph 'generate'. It has: 'model', 'step'."),
        (["--code", "cpp", "--variant", "int8"], "model.onnx has no variant 'int8'. It has: none."),
        (["--graph", "step"], "Give --code LANGUAGE too."),
    ],
)
def test_bad_options_exit_2_with_one_line(keras_seq_command, bundles, options, message):
    done = keras_seq_command("inspect", bundles["masked"].path, *options)
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert done.err.count("\n") == 1


def test_the_page_runs_and_shows_what_the_command_prints(keras_seq_command, tmp_path, monkeypatch):
    import keras

    monkeypatch.chdir(tmp_path)
    keras.backend.clear_session()  # layers are numbered as in a fresh process
    page = (ROOT / "docs" / "on_device.md").read_text(encoding="utf-8")

    def blocks(language):
        return re.findall(rf"^```{language}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)

    names = {}
    for block in blocks("python")[:2]:
        exec(compile(block, "on_device.md", "exec"), names)
    assert names["answer"][0].shape == (3, 1)
    for language in LANGUAGES:
        command = ["inspect", "out/sums", "--code", language, "--graph", "step"]
        assert blocks(language) == [keras_seq_command(*command).out]
        assert f"keras-seq {' '.join(command)}" in page
