// What a model says of texts, in the form that the server's routes of plain text give: the twin of
// serving/server/text_answers.py. Rows of numbers are tensors of the client: { data, dims, dtype }.

const DIGITS = 1e6; // what float32 is good for
const SUM_ATOL = 5e-3; // what a softmax in half precision may miss 1 by

export class AnswerError extends Error {}

const rounded = (value) => (Number.isFinite(value) ? Math.round(value * DIGITS) / DIGITS : null);
const finite = (value) => (value !== null && Number.isFinite(value) ? value : null);

function* entries({ data, dims }) {
  const size = dims.at(-1);
  for (let at = 0; at < data.length; at += size) yield Array.from(data.subarray(at, at + size));
}

const sum = (values) => values.reduce((all, value) => all + value, 0);

function softmax(scores) {
  const top = Math.max(...scores);
  const powers = scores.map((score) => Math.exp(score - top));
  const all = sum(powers);
  return powers.map((power) => power / all);
}

// Scores of classes, (..., classes) or (..., 1), as a list of probabilities for each entry: probabilities stay what they
// are, others go through a softmax, a single score of two classes is the probability of the second. Null where they
// say nothing of probabilities.
export function probabilities(scores, classes) {
  if (!scores.dtype.startsWith("float")) return null;
  const all = [...entries(scores)];
  if (scores.dims.at(-1) === 1 && classes === 2) {
    const within = all.every(([score]) => score >= 0 && score <= 1);
    return within ? all.map(([score]) => [1 - score, score]) : null;
  }
  const already = all.every((row) => row.every((score) => score >= 0) && Math.abs(sum(row) - 1) <= SUM_ATOL);
  return already ? all : all.map(softmax);
}

// An output without a time axis is one tensor for all texts.
const rowOf = (rows, i) => (Array.isArray(rows) ? rows[i] : rows.row(i));

function tokensOf(answer, inputs, row, length) {
  const columns = [...inputs.map((name) => `${name}.tokens`), "tokens"].map((key) => answer[key]);
  return columns.find((column) => column?.[row].length === length)?.[row] ?? null;
}

// Each text with its tokens, and their labels. Args: as `tagged` in Python.
export function tagged(texts, answer, output, labels, inputs) {
  return texts.map((text, i) => {
    const names = answer[`${output}.labels`][i];
    const tokens = tokensOf(answer, inputs, i, names.length);
    if (tokens === null) {
      throw new AnswerError(
        `Output '${output}' has ${names.length} labels for a text of another number of tokens, so it is not known ` +
          "which is whose. Export the model with the time axis of that output under another name.",
      );
    }
    const likely = names.length ? probabilities(rowOf(answer[output], i), labels.length) : null;
    const best = (k) => (likely === null ? null : rounded(Math.max(...likely[k])));
    return { text, tokens: tokens.map((token, k) => ({ text: token, label: names[k], probability: best(k) })) };
  });
}

// Each text with its class, and the probabilities of all.
export function classified(texts, answer, output, labels) {
  return texts.map((text, i) => {
    const likely = probabilities(rowOf(answer[output], i), labels.length)?.[0] ?? null;
    const every =
      likely &&
      likely
        .map((probability, k) => ({ label: labels[k], probability }))
        .sort((a, b) => b.probability - a.probability)
        .map(({ label, probability }) => ({ label, probability: rounded(probability) }));
    const label = answer[`${output}.labels`][i];
    return { text, label, probability: every ? every[0].probability : null, probabilities: every };
  });
}

function found({ ids, text, score, finished, alignment }, target) {
  return {
    text: text ?? null,
    score: finite(score ?? null),
    finished,
    tokens: Array.from(ids, (id) => (target === null ? String(id) : target.vocabulary[Number(id)])),
    alignment: alignment ? [...entries(alignment)].map((row) => row.map(rounded)) : null,
  };
}

// Each text with its hypotheses. tokens: of each text; target: the tokenizer of the hypotheses, null for ids alone.
export function generated(texts, tokens, hypotheses, target) {
  return texts.map((text, i) => ({ text, tokens: tokens[i], hypotheses: hypotheses[i].map((one) => found(one, target)) }));
}
