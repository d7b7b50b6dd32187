"""The whole demo, with networks of a few units that learn next to nothing."""

import re

import pytest
import vanishing_gradients
from rich.console import Console

pytestmark = pytest.mark.backend("tensorflow")


def test_the_demo_shows_every_network_at_every_distance(tmp_path, monkeypatch):
    networks = ("SimpleRNN", "LSTM, long memory")  # compiling each takes longer than its training here
    monkeypatch.setattr(vanishing_gradients, "NETWORKS", networks)
    picture, console = tmp_path / "out" / "curves.png", Console(record=True, width=120)
    settings = {"--distances": "5 7", "--units": "3", "--steps": "2", "--epochs": "1", "--picture": str(picture)}
    arguments = [word for name, values in settings.items() for word in (name, *values.split())]
    assert vanishing_gradients.main(arguments, console) == 0
    printed = console.export_text()
    for step in ("Sentences", "Gradients that vanish", "Gradients that explode"):
        assert f"\n{step}" in printed
    assert re.search(r"the \w+ , which ate \w+ , (was|were) \.\.\.", printed)
    for network in networks:
        assert re.search(rf"│ {network} +│ \de[-+]\d\d │ \de[-+]\d\d │", printed)
        assert re.search(rf"│ {network} +│ [01]\.\d+ │ [01]\.\d+ │", printed)
        assert re.search(rf"│ {network} +│ all 2 │ all 2 │", printed)
    assert "clipped to 1" in printed
    assert picture.is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "0"], "--steps must be at least 1. Received: 0."),
        (["--distances", "3", "5"], "--distances must rise, and be at least 4. Received: 3 5."),
        (["--distances", "9", "5"], "--distances must rise, and be at least 4. Received: 9 5."),
    ],
)
def test_bad_options_are_told_before_anything_is_trained(capsys, arguments, message):
    with pytest.raises(SystemExit, match="2"):
        vanishing_gradients.main(arguments)
    assert message in capsys.readouterr().err
