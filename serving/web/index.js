// keras-seq: runs bundles of keras_seq in a browser and in Node.

export { Bundle } from "./src/bundle.js";
export { whyNoWebAssembly, whyOneThread } from "./src/backend.js";
export { BundleError, InputError, ServingError } from "./src/errors.js";
export { Generator } from "./src/generator.js";
export { Manifest, SCHEMA_VERSION } from "./src/manifest.js";
export { Predictor } from "./src/predictor.js";
export { Session } from "./src/session.js";
export { Stream } from "./src/stream.js";
export { Tensor } from "./src/tensor.js";
export { CharTokenizer } from "./src/text/char_tokenizer.js";
export { Tokenizer } from "./src/text/tokenizer.js";
export { loadTokenizer } from "./src/text/tokenizer_file.js";
export { WordCharacterTokenizer } from "./src/text/word_character_tokenizer.js";
export { WordPieceTokenizer } from "./src/text/word_piece_tokenizer.js";
export { WordTokenizer } from "./src/text/word_tokenizer.js";
