import importlib.metadata

import pytest

COMMANDS = ("export", "inspect", "verify", "bench", "predict", "serve", "web", "explain")


def test_help_lists_every_command_and_the_exit_codes(keras_seq_command):
    done = keras_seq_command("--help")
    assert (done.code, done.err) == (0, "")
    listed = [line.split()[0] for line in done.out.partition("Commands:")[2].splitlines() if line.startswith("  ")]
    assert listed[: len(COMMANDS)] == list(COMMANDS)
    assert "..." not in done.out.partition("Commands:")[2]  # no summary is cut
    assert "2 bad usage" in done.out


def test_no_arguments_show_the_help(keras_seq_command):
    assert keras_seq_command() == keras_seq_command("--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_json(keras_seq_command, command):
    done = keras_seq_command(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert "--json" in done.out


def test_version_is_that_of_the_package(keras_seq_command):
    assert keras_seq_command("--version").out == f"keras_seq {importlib.metadata.version('keras_seq')}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["unpack"], "keras-seq: No such command 'unpack'. See keras-seq --help.\n"),
        (["inspect"], "keras-seq inspect: Missing argument 'BUNDLE'. See keras-seq inspect --help.\n"),
        (["inspect", "a", "--bogus"], "keras-seq inspect: No such option: --bogus. See keras-seq inspect --help.\n"),
    ],
)
def test_bad_usage_exits_2_with_one_line(keras_seq_command, arguments, message):
    assert keras_seq_command(*arguments) == (2, "", message)


def test_an_unforeseen_error_is_one_line_and_shows_where_it_comes_from_on_demand(keras_seq_command, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("keras_seq.serving.bundle.Bundle.load", fail)
    done = keras_seq_command("inspect", "somewhere")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("keras-seq inspect: RuntimeError: first line; second line")
    assert done.err.count("\n") == 1
    monkeypatch.setenv("KERAS_SEQ_DEBUG", "1")
    assert "Traceback" in keras_seq_command("inspect", "somewhere").err


def test_ctrl_c_exits_130_with_one_line(keras_seq_command, monkeypatch):
    def interrupt(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_seq.serving.bundle.Bundle.load", interrupt)
    done = keras_seq_command("inspect", "somewhere")
    assert done == (130, "", "keras-seq inspect: interrupted; nothing is half written\n")
