"""What the command lines offer; here, because the models themselves need Keras, which takes seconds to load."""

NETWORKS = ("SimpleRNN", "GRU", "LSTM", "GRU, long memory", "LSTM, long memory")
