"""What the command line offers; here, because the models themselves need Keras, which takes seconds to load."""

MODELS = ("attention", "plain", "transformer")
NUM_HEADS = 4  # of the transformer
