"""The parts of the demo that names what texts are about: `examples/sentiment.py`."""
