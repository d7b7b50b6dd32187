"""What a bundle can do with text is read off its manifest."""

import dataclasses
import json

import pytest

from keras_seq.serving import Bundle, InputError
from keras_seq.serving.text.text_task import TextTask, text_tasks
from tests.serving.server.text_models import DECODING, OPTIONS
from tests.serving.server.toy_pair import write_pair
from tests.serving.server.toy_translator import write_translator
from tests.serving.toy_text import MOODS, TAGS, document, write_language_model, write_tagger


@pytest.fixture
def tasks_of(tmp_path):
    """The tasks of a bundle, after a change of its manifest's JSON."""

    def read(folder, change=lambda value: None):
        path = folder / "bundle.json"
        value = json.loads(path.read_text(encoding="utf-8"))
        change(value)
        path.write_text(json.dumps(value), encoding="utf-8")
        return text_tasks(Bundle.load(folder))

    return read


def test_labels_along_the_time_axis_tag_and_others_classify(tasks_of, tmp_path):
    tasks = tasks_of(write_tagger(tmp_path / "tagger", limits={"time": 13}))
    assert tasks == {
        "tag": TextTask("tag", "model", ("words",), ("tags",), (("tags", tuple(TAGS)),), longest=13),
        "classify": TextTask("classify", "model", ("words",), ("mood",), (("mood", tuple(MOODS)),), longest=13),
    }


def test_indices_of_labels_have_no_axis_of_labels(tasks_of, tmp_path):
    def give_indices(value):
        tags, mood = value["graphs"]["model"]["outputs"]
        tags.update(dtype="int32", shape=["batch", "time"])
        mood.update(dtype="int32", shape=["batch"])

    tasks = tasks_of(write_tagger(tmp_path / "tagger"), give_indices)
    assert [(name, task.outputs) for name, task in tasks.items()] == [("tag", ("tags",)), ("classify", ("mood",))]


def test_labels_on_another_time_axis_are_not_those_of_tokens(tasks_of, tmp_path):
    def halve(value):
        value["graphs"]["model"]["outputs"][0]["shape"][1] = "half"

    assert list(tasks_of(write_tagger(tmp_path / "tagger"), halve)) == ["classify"]


@pytest.mark.parametrize("field", ["labels", "tokenizers"])
def test_without_labels_or_tokenizer_there_is_nothing_to_do(tasks_of, tmp_path, field):
    assert tasks_of(write_tagger(tmp_path / "tagger"), lambda value: value.pop(field)) == {}


def test_one_text_must_do_for_all_inputs(tasks_of, tmp_path):
    assert tasks_of(write_pair(tmp_path / "pair"))["tag"].inputs == ("words", "long")
    assert tasks_of(write_pair(tmp_path / "two"), lambda value: value["tokenizers"].pop("long")) == {}

    def share(value):  # as a model that compares two texts
        value["tokenizers"]["long"] = value["tokenizers"]["words"]

    assert tasks_of(write_pair(tmp_path / "three"), share) == {}


def test_a_language_model_generates_and_streams(tasks_of, tmp_path):
    tasks = tasks_of(write_language_model(tmp_path / "story", DECODING, OPTIONS, document()))
    assert list(tasks) == ["generate"]
    task = tasks["generate"]
    assert (task.streams, task.why_no_stream, task.end_id, task.aligned) == (True, "", 2, False)
    assert [option.name for option in task.options] == list(OPTIONS)


def test_it_does_not_stream_without_a_step_or_with_a_search(tasks_of, tmp_path):
    task = tasks_of(write_language_model(tmp_path / "story", DECODING, OPTIONS, document(), step=False))["generate"]
    assert not task.streams
    assert "no step of a language model" in task.why_no_stream
    beams = {**DECODING, "strategy": "BeamSearch"}
    task = tasks_of(write_language_model(tmp_path / "beams", beams, OPTIONS, document()))["generate"]
    assert not task.streams
    assert "searches by BeamSearch" in task.why_no_stream


def test_a_decoder_of_sources_translates_too(tasks_of, tmp_path):
    tasks = tasks_of(write_translator(tmp_path / "letters"))
    assert list(tasks) == ["generate", "translate"]
    assert dataclasses.replace(tasks["generate"], name="translate") == tasks["translate"]
    assert (tasks["translate"].aligned, tasks["translate"].longest) == (True, 13)


def test_a_decoder_of_ids_alone_gives_no_text(tasks_of, tmp_path):
    assert tasks_of(write_translator(tmp_path / "letters"), lambda value: value["tokenizers"].pop("target")) == {}


def test_an_output_that_has_no_labels_is_refused():
    task = TextTask("tag", "model", ("words",), ("tags", "chunks"))
    assert (task.output(None), task.output("chunks")) == ("tags", "chunks")
    with pytest.raises(
        InputError, match=r"`output` must be one of those with labels: 'tags', 'chunks'\. Received: 'x'"
    ):
        task.output("x")
