// A request as a program of the JavaScript client, to be run in a module of this site.

const quoted = (value) => JSON.stringify(value, null, 0);

export function program({ entry, variant, task, body }, site, backend) {
  const { graph } = entry.routes[task];
  const decodes = graph === "generate";
  const runner = decodes ? "Generator" : "Predictor";
  const name = runner.toLowerCase();
  const webgpu = backend === "webgpu";
  const given = ["ort"];
  if (!decodes && graph !== "model") given.push(`graph: ${quoted(graph)}`);
  if (variant && variant !== "float") given.push(`variant: ${quoted(variant)}`);
  if (webgpu) given.push('providers: ["webgpu", "wasm"]');
  const options = body.options ? `, ${quoted(body.options)}` : "";
  const texts = quoted("text" in body ? [body.text] : body.texts);
  const call = body.stream
    ? [
        `for await (const token of ${name}.stream(${quoted(body.text)}${options})) {`,
        "  console.log(token.text);",
        "}",
      ]
    : [`const answer = await ${name}.${decodes ? "generateText" : "predictText"}(${texts}${options});`];
  const module = site.backends[webgpu ? "webgpu" : "wasm"].module;
  return [
    `import { Bundle, ${runner} } from "./keras_seq/index.js";`,
    `import * as ort from "./${module}";`,
    "",
    `const bundle = await Bundle.load(${quoted(entry.folder)});`,
    `const ${name} = await ${runner}.create(bundle, { ${given.join(", ")} });`,
    ...call,
  ].join("\n");
}
