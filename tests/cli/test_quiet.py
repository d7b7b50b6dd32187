import os
import subprocess
import sys

import pytest

from keras_seq.cli.quiet import _stderr_held_back


def test_what_is_written_to_the_descriptor_is_dropped(capfd):
    with _stderr_held_back():
        os.write(2, b"a note from C++\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_it_is_shown_where_the_block_fails(capfd):
    @_stderr_held_back()
    def fail():
        os.write(2, b"why it failed\n")
        raise ImportError("no such symbol")

    with pytest.raises(ImportError, match="no such symbol"):
        fail()
    assert capfd.readouterr().err == "why it failed\n"


def test_warnings_that_were_asked_for_stay():
    code = "from keras_seq.cli.quiet import hush; hush(); import warnings; warnings.warn('old', stacklevel=1)"
    for options, shown in (([], False), (["-W", "default"], True)):
        done = subprocess.run([sys.executable, *options, "-c", code], capture_output=True, text=True, check=False)
        assert ("old" in done.stderr) == shown
