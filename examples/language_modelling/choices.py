"""What the command lines offer; here, because the models themselves need Keras, which takes seconds to load."""

NETWORKS = ("SimpleRNN", "GRU", "LSTM", "GRU, long memory", "LSTM, long memory")
LEVELS = ("char", "word")
MODELS = ("recurrent", "transformer")
CELLS = ("gru", "lstm", "peephole_lstm", "simple_rnn")
NUM_HEADS = 4  # of the transformer
