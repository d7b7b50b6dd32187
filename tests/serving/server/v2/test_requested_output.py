"""Which outputs a request asks for."""

import pytest

from keras_seq.serving import InputError
from keras_seq.serving.server.v2.requested_output import RequestedOutput, read_outputs

VALID = ["tags", "scores"]


@pytest.mark.parametrize("value", [None, []])
def test_all_outputs_come_where_none_is_named(value):
    assert read_outputs(value, VALID, True) == [RequestedOutput("tags", True), RequestedOutput("scores", True)]


def test_what_an_output_says_goes_before_what_the_request_says():
    value = [{"name": "scores", "parameters": {"binary_data": False, "classification": 3}}, {"name": "tags"}]
    assert read_outputs(value, VALID, True) == [RequestedOutput("scores", False, 3), RequestedOutput("tags", True)]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"name": "tags"}, "`outputs` must be a list of objects. Received: an object."),
        (["tags"], "`outputs[0]` must be an object. Received: 'tags'."),
        ([{}], "`outputs[0].name` must be one of 'tags', 'scores'. Received: null."),
        ([{"name": "tag"}], "`outputs[0].name` must be one of 'tags', 'scores'. Received: 'tag'."),
        ([{"name": ["tags"]}], "`outputs[0].name` must be one of 'tags', 'scores'. Received: a list."),
        ([{"name": "tags"}, {"name": "tags"}], "`outputs` must have each name once. Received: 'tags' twice."),
        ([{"name": "tags", "parameters": 3}], "`outputs[0].parameters` must be an object. Received: 3."),
        (
            [{"name": "tags", "parameters": {"binary_data": 1}}],
            "`outputs[0].parameters.binary_data` must be true or false. Received: 1.",
        ),
        (
            [{"name": "tags", "parameters": {"classification": -1}}],
            "`outputs[0].parameters.classification` must be a number of classes. Received: -1.",
        ),
        (
            [{"name": "tags", "parameters": {"classification": True}}],
            "`outputs[0].parameters.classification` must be a number of classes. Received: True.",
        ),
        (
            [{"name": "tags", "parameters": {"shared_memory_region": "r"}}],
            "Received: 'shared_memory_region'. Shared memory is not for this server: ask for binary data.",
        ),
    ],
)
def test_outputs_that_are_not_as_the_protocol_says_are_refused(value, message):
    with pytest.raises(InputError) as error:
        read_outputs(value, VALID, False)
    assert message in str(error.value)
