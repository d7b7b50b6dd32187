"""The parts of the translation demo: pairs of sentences, their words, the scores by length and the error analysis.

`../translate.py` trains and exports; `../serve_translate.py` translates with the bundle alone and uses `words`.
"""
