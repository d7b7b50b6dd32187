"""The command line: `keras-seq export | inspect | verify | bench | predict | explain`.

One command per file. Needs the extra `keras_seq[cli]`; a command imports what is heavy only when it runs, so that
`inspect` and `predict` work where neither Keras nor TensorFlow is installed.
"""
