"""The parameters of a request."""

import pytest

from keras_seq.serving import InputError, OptionSpec
from keras_seq.serving.server.v2.parameters import Parameters, read_parameters

OPTIONS = [OptionSpec("alpha", "float32", 0.7), OptionSpec("seed", "int32", 0)]


def test_options_time_and_form_are_told_apart():
    value = {"seed": 3, "timeout": 1_500_000, "binary_data_output": True, "content_type": "np"}
    assert read_parameters(value, OPTIONS) == Parameters({"seed": 3}, 1.5, True)
    assert read_parameters(None, OPTIONS) == Parameters({}, None, False)


def test_a_timeout_of_zero_is_none():
    assert read_parameters({"timeout": 0}, []).timeout is None


def test_an_option_goes_before_what_the_protocol_calls_so():
    options = [OptionSpec("timeout", "float32", 0.5), OptionSpec("priority", "int32", 0)]
    value = {"timeout": 0.25, "priority": 2}
    assert read_parameters(value, options) == Parameters(value, None, False)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1], "`parameters` must be an object. Received: a list."),
        (
            {"sed": 3},
            "a parameter 'sed' that the model does not have. Its options: 'alpha', 'seed'; for every request:",
        ),
        ({"timeout": 1.5}, "`parameters.timeout` must be a whole number of microseconds. Received: 1.5."),
        ({"timeout": True}, "`parameters.timeout` must be a whole number of microseconds. Received: True."),
        ({"timeout": 2**63}, "`parameters.timeout` must be a whole number of microseconds. Received: 9223372036854"),
        ({"binary_data_output": "yes"}, "`parameters.binary_data_output` must be true or false. Received: 'yes'."),
        ({"sequence_start": True}, "open a stream, which is the WebSocket /v1/{model}/stream."),
        ({"sequence_id": 1}, "open a stream, which is the WebSocket /v1/{model}/stream."),
        ({"headers": {}}, "'headers' is not for this server. It is Triton's own: leave it out."),
        ({"triton_final_response": 1}, "'triton_final_response' is not for this server. It is Triton's own: leave it"),
    ],
)
def test_parameters_that_the_server_does_not_have_are_refused(value, message):
    with pytest.raises(InputError) as error:
        read_parameters(value, OPTIONS)
    assert message in str(error.value)
