"""The parts of the demo that reads dates: how people write them, examples to learn from, the picture of the attention.

`../dates.py` trains and exports; `../serve_dates.py` reads with the bundle alone and uses `source` and `heat_map`.
"""
