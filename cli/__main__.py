"""`python -m keras_seq.cli` is `keras-seq`."""

import sys

from keras_seq.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
