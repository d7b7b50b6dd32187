"""What the demos share that ship a quantised model too: `choices` without Keras, `quantizing` for those that export."""
