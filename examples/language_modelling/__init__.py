"""The parts of the demos about language models: texts, models that count, sampling, and how far back networks remember.

`../language_model.py` trains and exports, `../serve_language_model.py` writes with the bundle alone;
`../vanishing_gradients.py` needs `agreement`, `memory`, `explosion` and `curves`.
"""
