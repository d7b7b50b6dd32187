from types import SimpleNamespace

from rich.console import Console

from quantizing.quantizing import Quantizing


def test_without_a_variant_nothing_is_asked_for_and_nothing_shown():
    quantizing = Quantizing(None, [1, 2], "accuracy")
    assert quantizing.settings() == {}
    console = Console(record=True)
    quantizing.show(console, SimpleNamespace(quantization=None))
    assert console.export_text() == ""


def test_a_variant_is_tried_on_what_the_demo_holds_out():
    assert Quantizing("fp16", [1, 2], "accuracy").settings() == {
        "quantize": "fp16",
        "validation_data": [1, 2],
        "metric": "accuracy",
    }
