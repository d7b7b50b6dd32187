// The random numbers of `keras_seq.decoding`: the same to the last bit.

const MULTIPLIERS = [171, 172, 170];
const MODULI = [30269, 30307, 30323];
const MIXING_ROUNDS = 5;
const { fround } = Math;

/**
 * The numbers that one text draws, one a step.
 *
 * Wichmann & Hill 1982, "Algorithm AS 183: An Efficient and Portable Pseudo-Random Number Generator", Applied Statistics
 * 31(2). An exported decode loop draws by the same rule, so a seed gives one text wherever it runs.
 */
export class UniformStream {
  #state;

  /**
   * @param {number} seed from 0 to 2^31 - 1
   * @param {number} [row] the row's number in the batch
   */
  constructor(seed, row = 0) {
    this.#state = MODULI.map((modulus) => {
      let state = seed % modulus;
      for (let round = 0; round < MIXING_ROUNDS; round++) {
        state = (state * state + ((row % MODULI[0]) + 7 * round + 11)) % modulus;
      }
      return Math.max(state, 1);
    });
  }

  /** The next number, from 0 to 1. */
  next() {
    this.#state = this.#state.map((state, i) => (state * MULTIPLIERS[i]) % MODULI[i]);
    const total = this.#state.reduce((sum, state, i) => fround(sum + fround(state / MODULI[i])), 0);
    return fround(total - Math.floor(total));
  }
}
