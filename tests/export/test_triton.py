"""The model repository for Triton: Triton's own description of a configuration is the oracle, and ONNX Runtime.

What a server does with requests is done by hand: rows of one shape are put together and split again, states are carried
from request to request, starting as Triton starts them.
"""

import itertools
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest

from keras_seq.export import ExportError, TritonSettings, export_model
from keras_seq.export.triton import triton_entries, write_triton
from keras_seq.serving import Bundle, GraphSpec, Stream
from tests.export.triton_repository import Repository
from tests.serving import conftest as toy
from tests.serving.toy_cache import FEATURES, attended, write_cache
from tests.serving.toy_decoder import VOCABULARY, decode, write_decoder
from tests.serving.toy_text import document, write_language_model, write_tagger

SAMPLING = {"strategy": "Sampling", "start_id": 1, "end_id": 2}
LM_OPTIONS = {"max_length": 7, "temperature": 1.0, "seed": 0}
NUMPY = {
    "TYPE_BOOL": bool,
    "TYPE_INT32": np.int32,
    "TYPE_INT64": np.int64,
    "TYPE_FP32": np.float32,
    "TYPE_STRING": object,
}


def repository_of(folder, **settings):
    manifest = Bundle.load(folder).manifest
    write_triton(folder, manifest.name, manifest.graphs, TritonSettings(**settings))
    return Repository(folder)


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    return tmp_path_factory.mktemp("bundles")


@pytest.fixture(scope="module")
def masked_path(bundles):
    return toy._write_bundle(bundles / "masked")


def random_rows(count, steps, seed):
    """Inputs of the tagger."""
    rng = np.random.default_rng(seed)
    words = rng.integers(1, toy.VOCABULARY, (count, steps)).astype("int32")
    return {"words": words, "shapes": rng.normal(size=(count, steps, toy.FEATURES)).astype("float32")}


@pytest.fixture(scope="module")
def tagger(bundles, masked_path):
    """Numbers alone, and a step whose states keep their size."""
    return repository_of(Path(shutil.copytree(masked_path, bundles / "tagger")))


@pytest.fixture(scope="module")
def texts(bundles):
    """Texts or ids."""
    return repository_of(write_tagger(bundles / "pos", strings=True))


@pytest.fixture(scope="module")
def decoder(bundles):
    """Options."""
    return repository_of(write_decoder(bundles / "dates"))


@pytest.fixture(scope="module")
def cache(bundles):
    """States that grow."""
    return repository_of(write_cache(bundles / "looker"))


@pytest.fixture(scope="module")
def sampler(bundles):
    """Draws at random."""
    return repository_of(write_language_model(bundles / "lm", SAMPLING, LM_OPTIONS, document()))


ENTRIES = {
    "tagger": ["tagger", "tagger_step"],
    "texts": ["pos", "pos_text"],
    "decoder": ["dates_generate", "dates_generate_options"],
    "cache": ["looker_step"],
    "sampler": ["lm_generate_options", "lm_step"],
}
ALL = [(bundle, name) for bundle, names in ENTRIES.items() for name in names]


@pytest.mark.parametrize("bundle", ENTRIES)
def test_there_is_an_entry_for_each_way_to_ask(bundle, request):
    assert request.getfixturevalue(bundle).names == ENTRIES[bundle]


@pytest.mark.parametrize(("bundle", "name"), ALL)
def test_configuration_says_what_the_graph_beside_it_says(bundle, name, request):
    repository = request.getfixturevalue(bundle)
    config, graph = repository.config(name), repository.graph(name)
    assert (config.name, config.backend) == (name, "onnxruntime")
    states = list(config.sequence_batching.state)
    batch = [-1] if config.max_batch_size else []

    def told(tensor):
        behind = list(tensor.reshape.shape) if tensor.HasField("reshape") else list(tensor.dims)
        assert len(tensor.dims) >= 1  # Triton refuses any other
        return repository.type_name(tensor.data_type), [*batch, *behind]

    def held(value):
        kind = value.type.tensor_type
        dtype = object if kind.elem_type == onnx.TensorProto.STRING else None
        dtype = dtype or onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type).type
        (name,) = (name for name, other in NUMPY.items() if np.dtype(other) == np.dtype(dtype))
        dims = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim]
        return name, dims or [1]  # a scalar, which the configuration has as one of size 1

    inputs = {tensor.name: told(tensor) for tensor in config.input}
    inputs |= {s.input_name: (repository.type_name(s.data_type), [*batch, *s.dims]) for s in states}
    outputs = {tensor.name: told(tensor) for tensor in config.output}
    outputs |= {s.output_name: (repository.type_name(s.data_type), [*batch, *s.dims]) for s in states}
    assert inputs == {value.name: held(value) for value in graph.input}
    assert outputs == {value.name: held(value) for value in graph.output}
    assert len(inputs) == len(config.input) + len(states)


@pytest.mark.parametrize(("bundle", "name"), ALL)
def test_only_models_without_batching_have_inputs_that_may_be_left_out(bundle, name, request):
    """Triton's backend refuses any other, and counts: what must be given is what ONNX Runtime asks for."""
    repository = request.getfixturevalue(bundle)
    config, session = repository.config(name), repository.session(name)
    optional = {tensor.name for tensor in config.input if tensor.optional}
    assert not (optional and config.max_batch_size)
    assert optional == {tensor.name for tensor in session.get_overridable_initializers()}
    required = len(config.input) - len(optional) + len(config.sequence_batching.state)
    assert required == len(session.get_inputs())


def test_requests_share_calls_as_the_settings_say(bundles, masked_path):
    folder = Path(shutil.copytree(masked_path, bundles / "settings"))
    repository = repository_of(
        folder,
        max_batch_size=13,
        preferred_batch_sizes=(5, 13),
        max_queue_delay_microseconds=700,
        max_streams=17,
        max_stream_idle_seconds=1.5,
    )
    batching = repository.config("tagger").dynamic_batching
    assert repository.config("tagger").max_batch_size == 13
    assert (list(batching.preferred_batch_size), batching.max_queue_delay_microseconds) == ([5, 13], 700)
    sequences = repository.config("tagger_step").sequence_batching
    assert sequences.WhichOneof("strategy_choice") == "oldest"
    assert list(sequences.oldest.preferred_batch_size) == [5, 13]
    assert (sequences.oldest.max_candidate_sequences, sequences.max_sequence_idle_microseconds) == (17, 1_500_000)
    assert list(sequences.control_input) == []


def test_rows_of_one_length_may_share_a_call(tagger):
    rows = random_rows(5, 7, seed=1)
    together = tagger.ask("tagger", **rows)
    for i in range(5):
        alone = tagger.ask("tagger", **{name: value[i : i + 1] for name, value in rows.items()})
        for name, value in alone.items():
            np.testing.assert_allclose(together[name][i], value[0], rtol=1e-6, atol=1e-6)


def test_texts_of_any_length_may_share_a_call_and_end_where_tokens_do(texts):
    given = np.array(["dog", "rains", "naïve"], object)
    together = texts.ask("pos_text", text=given)
    for i, text in enumerate(given):
        alone = texts.ask("pos_text", text=np.array([text], object))
        assert alone["tokens"][0].tolist() == [text]
        for name, value in alone.items():
            steps = slice(value.shape[1]) if value.ndim > 2 else slice(None)
            np.testing.assert_array_equal(together[name][i][steps], value[0])


def test_numbers_of_a_graph_of_texts_need_no_text(texts):
    ids = np.array([[4, 5], [7, 3]], "int32")
    of_ids = texts.ask("pos", words=ids)
    assert set(of_ids) == {"tags", "mood"}
    for row, text in enumerate(["the", "dog"]):
        of_text = texts.ask("pos_text", text=np.array([text], object))
        np.testing.assert_array_equal(of_text["tags"][0, 0], of_ids["tags"][0, row])
    operators = {node.op_type for node in texts.graph("pos").node}
    assert operators.isdisjoint({"If", "LabelEncoder"})


def test_options_may_be_given_where_a_request_runs_alone(decoder):
    source = np.random.default_rng(2).integers(3, VOCABULARY, (1, 7)).astype("int32")
    for options in ({}, {"max_length": 5}, {"max_length": 5, "alpha": 1.5}):
        feeds = {
            name: np.array(value, "int32" if name == "max_length" else "float32") for name, value in options.items()
        }
        answer, expected = decoder.ask("dates_generate_options", source=source, **feeds), decode(source[0], **options)
        for name, value in expected.items():
            np.testing.assert_allclose(answer[name][0], value, rtol=1e-6)
    defaults = decoder.ask("dates_generate", source=source)
    np.testing.assert_array_equal(defaults["ids"][0], decode(source[0])["ids"])


def zeros_of_start(repository, name):
    """What Triton starts a stream with: zeros, 1 wherever a dimension is not fixed. `(input, output, zeros)` each.

    It pairs the states by the order of their names, and takes the bytes from `initial_state`.
    """
    states = repository.config(name).sequence_batching.state
    outputs = sorted(state.output_name for state in states)
    found = []
    for state, output in zip(sorted(states, key=lambda state: state.input_name), outputs, strict=True):
        shape = [1 if dim == -1 else dim for dim in state.dims]
        (start,) = state.initial_state
        assert start.zero_data
        assert start.data_type == state.data_type
        assert list(start.dims) == shape
        found.append((state.input_name, output, np.zeros([1, *shape], NUMPY[repository.type_name(state.data_type)])))
    return found


def carry(repository, name, rows, chunks):
    """Feeds several streams in step, each chunk of all of them in one call; gives the outputs of each chunk."""
    session = repository.session(name)
    outputs = [output.name for output in session.get_outputs()]
    start = zeros_of_start(repository, name)
    count = len(next(iter(rows.values())))
    carried = {given: np.repeat(zeros, count, axis=0) for given, _, zeros in start}
    pieces = []
    for begin, end in itertools.pairwise(np.cumsum([0, *chunks])):
        feeds = {key: value[:, begin:end] for key, value in rows.items()} | carried
        results = dict(zip(outputs, session.run(outputs, feeds), strict=True))
        carried = {given: results.pop(output) for given, output, _ in start}
        pieces.append(results)
    return pieces


def test_streams_that_share_calls_give_what_each_gives_alone(tagger, masked_path):
    rows = random_rows(5, 11, seed=3)
    pieces = carry(tagger, "tagger_step", rows, [2, 1, 5, 3])
    tags = np.concatenate([piece["tags"] for piece in pieces], axis=1)
    with Stream(masked_path) as stream:
        for i in range(5):
            one = stream.new()
            one.feed({name: value[i : i + 1] for name, value in rows.items()})
            expected = one.result()
            np.testing.assert_allclose(tags[i : i + 1], expected["tags"], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(pieces[-1]["sentence"][i], expected["sentence"][0], rtol=1e-5, atol=1e-6)


def test_states_that_grow_start_with_one_entry_that_counts_for_nothing(cache):
    config = cache.config("looker_step")
    assert config.max_batch_size == 1  # streams of different lengths cannot share a call
    assert {tuple(state.dims) for state in config.sequence_batching.state} == {(-1, 3), (-1, 5), (1,)}
    signal = np.random.default_rng(4).normal(size=(1, 13, FEATURES)).astype("float32")
    for chunks in ([13], [1] * 13, [5, 1, 7]):
        pieces = carry(cache, "looker_step", {"signal": signal}, chunks)
        received = np.concatenate([piece["context"] for piece in pieces], axis=1)
        np.testing.assert_allclose(received, attended(signal), rtol=1e-5, atol=1e-5)


def test_what_draws_at_random_shares_no_call(sampler):
    config = sampler.config("lm_generate_options")
    assert config.max_batch_size == 0
    assert not config.HasField("dynamic_batching")
    assert {tensor.name for tensor in config.input if tensor.optional} == set(LM_OPTIONS)


def step_with_states(masked_path, *names):
    """The toy's step whose two states are called otherwise: pairs of input and output names."""
    spec = Bundle.load(masked_path).graph("step")
    value = spec.to_dict()
    for state, (given, output) in zip(value["states"], names, strict=True):
        state |= {"input": given, "output": output}
    return GraphSpec.from_dict(value)


def test_states_that_triton_would_exchange_are_refused(masked_path):
    spec = step_with_states(masked_path, ("a", "y"), ("b", "x"))
    with pytest.raises(ExportError, match=r"pairs the states of step.onnx in the order of their names.*'lstm.h', 'lst"):
        list(triton_entries(masked_path, "toy", "step", spec))


def test_state_without_dimensions_is_refused(masked_path):
    value = step_with_states(masked_path, ("a", "x"), ("b", "y")).to_dict()
    value["states"][1]["shape"] = ["batch"]
    with pytest.raises(ExportError, match=r"state 'lstm.c' of step.onnx is one number a sequence"):
        list(triton_entries(masked_path, "toy", "step", GraphSpec.from_dict(value)))


def test_names_of_entries_are_safe_in_paths_and_addresses(masked_path):
    spec = Bundle.load(masked_path).graph("model")
    (entry,) = triton_entries(masked_path, "../a b/ä.c", "model", spec)
    assert entry.name == "___a_b___c"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_batch_size": 0}, "`max_batch_size` must be an integer of at least 1. Received: 0."),
        ({"max_queue_delay_microseconds": 0.5}, "`max_queue_delay_microseconds` must be an integer of at least 0. Rec"),
        ({"max_streams": True}, "`max_streams` must be an integer of at least 1. Received: True."),
        ({"max_stream_idle_seconds": 0}, "`max_stream_idle_seconds` must be a positive number. Received: 0."),
        ({"preferred_batch_sizes": (8, 4)}, "`preferred_batch_sizes` must rise and be from 1 to max_batch_size=64. R"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        TritonSettings(**settings)


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    from tests.export.models import tagger as build

    path = tmp_path_factory.mktemp("triton") / "tagger"
    return export_model(build(), path, formats="onnx", streaming=True, triton=TritonSettings(max_batch_size=64))


@pytest.mark.backend("tensorflow")
def test_files_are_in_the_manifest_and_checked(report):
    files = [f"triton/{name}/{file}" for name in ("tagger", "tagger_step") for file in ("1/model.onnx", "config.pbtxt")]
    assert [name for name in report.manifest.files if name.startswith("triton/")] == sorted(files)
    Bundle.load(report.path)


@pytest.mark.backend("tensorflow")
def test_what_triton_runs_is_compared(report):
    compared = {(row.reference, row.candidate, row.output) for row in report.parity if "triton" in row.candidate}
    pairs = (("model.onnx", "triton/tagger/1/model.onnx"), ("step.onnx", "triton/tagger_step/1/model.onnx"))
    assert compared == {(*pair, output) for pair in pairs for output in ("tags", "style")}


@pytest.mark.backend("tensorflow")
def test_states_are_those_of_the_manifest(report):
    config = Repository(report.path).config("tagger_step")
    found = {(state.input_name, state.output_name) for state in config.sequence_batching.state}
    assert found == {(state.input, state.output) for state in report.manifest.graphs["step"].states}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"triton": "yes"}, r"`triton` must be True, False or keras_seq.export.TritonSettings. Received: 'yes'."),
        (
            {"triton": True, "formats": "saved_model"},
            r"with triton=True `formats` needs 'onnx'. Received: \('saved_",
        ),
    ],
)
@pytest.mark.backend("tensorflow")
def test_what_cannot_be_is_refused(tmp_path, arguments, message):
    from tests.export.models import small

    with pytest.raises(ExportError, match=message):
        export_model(small(), tmp_path / "small", **arguments)
    assert list(tmp_path.iterdir()) == []
