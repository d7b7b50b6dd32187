"""The whole demo, with networks of a few units that learn next to nothing."""

import re

import pytest
import vanishing_gradients
from rich.console import Console

from language_modelling.explosion import CLIP, Training

pytestmark = pytest.mark.backend("tensorflow")


def test_the_demo_shows_what_became_of_every_network(tmp_path, monkeypatch):
    from language_modelling import explosion

    networks = ("SimpleRNN", "LSTM, long memory")  # compiling each takes longer than its training here
    monkeypatch.setattr(vanishing_gradients, "NETWORKS", networks)
    trainings = {None: Training([], [], [], "epoch 1, batch 4: off"), CLIP: Training([0.7, 0.1], [12.0, 0.5], [0.5, 1])}
    monkeypatch.setattr(explosion, "train_exploding", lambda clip, **_: trainings[clip])
    picture, console = tmp_path / "out" / "curves.png", Console(record=True, width=120)
    settings = {"--distances": "5", "--units": "3", "--steps": "2", "--epochs": "1", "--picture": str(picture)}
    arguments = [word for name, values in settings.items() for word in (name, *values.split())]
    assert vanishing_gradients.main(arguments, console) == 0
    printed = console.export_text()
    for step in ("Sentences", "Gradients that vanish", "Gradients that explode"):
        assert f"\n{step}" in printed
    assert re.search(r"the \w+ , which ate \w+ , (was|were) \.\.\.", printed)
    for network in networks:
        assert re.search(rf"│ {network} +│ \de[-+]\d\d │", printed)
        assert re.search(rf"│ {network} +│ [01]\.\d+ │", printed)
        assert re.search(rf"│ {network} +│ all 2 │", printed)
    assert re.search(r"│ as they are +│ epoch 1, batch 4: off +│", printed)
    assert re.search(r"│ clipped to 1 +│ 2 +│ +5.0e-01 │ +0.100 │ +1.000 │", printed)
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
