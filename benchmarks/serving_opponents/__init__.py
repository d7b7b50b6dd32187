"""Servers that `serving.py` measures beside `keras-seq serve`: the same bundle and predictor, their own batching.

Each is a program: `python litserve_server.py BUNDLE PORT`. A request is one row, `{"words": [...], ...}`.
"""
