"""The parts of the tagging demo: readers, features, batches, model, scores and what is printed.

`serve_tags.py` uses those that need no Keras, beside `keras_seq.serving` alone: `sentence`, `conllu`, `python_source`,
`corpus`, `features` and `terminal`. The others, `vocabularies`, `batches`, `model`, `training` and `latency`, are for
`tag.py`.
"""
