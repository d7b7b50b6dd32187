import json
import os
import subprocess
import sys

import pytest

from keras_seq.cli.output import print_json, print_table


def test_cells_are_text_not_markup_and_nothing_is_wrapped_off_a_terminal(capsys):
    print_table("title", ["name", "why"], [["[red]a[/red]", "because " * 50]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "title"
    assert lines[-1].startswith("[red]a[/red]")
    assert lines[-1].count("because") == 50
    assert all(line == line.rstrip() for line in lines)


def test_json_refuses_what_json_cannot_hold():
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"loss": float("nan")})


def test_json_keeps_to_ascii_where_stdout_does():
    code = "from keras_seq.cli.output import print_json; print_json({'label': 'Γ'})"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, check=False)
    assert done.stderr == b""
    assert json.loads(done.stdout) == {"label": "Γ"}


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs pseudo-terminals")
def test_on_a_terminal_progress_is_shown_in_place_and_stdout_stays_pure():
    code = """
import os, time
from keras_seq.cli.output import progress
with progress() as say:
    say("loading the model")
    print("noise of a library")
    time.sleep(0.3)
print("{}")
"""
    ours, theirs = os.openpty()
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm"},
        check=False,
    )
    os.close(theirs)
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    assert (done.returncode, done.stdout) == (0, b"{}\n")
    assert "loading the model" in shown
    assert "\x1b[" in shown
