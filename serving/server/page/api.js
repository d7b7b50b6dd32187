// The server's routes, from its OpenAPI document: without a way to the internet, and with a token where one is wanted.

import { get } from "./client.js";
import { byId, fill, make } from "./dom.js";

const DEEPEST = 5;
const METHODS = ["get", "post", "put", "patch", "delete"];

let schemas = {};

const resolved = (schema) => (schema?.$ref ? (schemas[schema.$ref.split("/").at(-1)] ?? {}) : (schema ?? {}));

function typeOf(given) {
  const schema = resolved(given);
  const several = schema.anyOf ?? schema.oneOf?.filter((one) => one.type ?? one.$ref);
  if (several?.length) return several.map(typeOf).join(" or ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.type === "array") return `list of ${typeOf(schema.items) || "anything"}`;
  if (schema.type === "object" || schema.properties) return "object";
  return schema.type ?? "";
}

// The properties of an object, of the objects in a list, or of those that it may be.
function properties(given, depth = 0) {
  const schema = resolved(given);
  if (depth > DEEPEST) return null;
  if (schema.type === "array") return properties(schema.items, depth);
  if (schema.anyOf) return schema.anyOf.map((one) => properties(one, depth)).find((found) => found) ?? null;
  const entries = Object.entries(schema.properties ?? {});
  if (!entries.length) return null;
  return make("ul", {}, ...entries.map(([name, one]) => property(name, one, schema.required?.includes(name), depth)));
}

// What stands between backticks is code.
const prose = (text) => text.split("`").map((part, i) => (i % 2 ? make("code", {}, part) : part));

function property(name, schema, required, depth) {
  const type = `${typeOf(schema)}${required ? "" : ", may be left out"}`;
  const about = schema.description ?? resolved(schema).description;
  const words = [make("code", {}, name), " ", make("span", { class: "type" }, type)];
  return make("li", {}, ...words, ...prose(about ? `: ${about}` : ""), properties(schema, depth + 1));
}

function parameters(list) {
  const items = list.map(({ name, in: place, required, schema, description }) =>
    property(name, { ...schema, description: `${description ?? ""} (${place})`.trim() }, required, DEEPEST),
  );
  return items.length ? [make("h3", {}, "Parameters"), make("ul", {}, ...items)] : [];
}

function body(title, content) {
  return Object.entries(content ?? {}).flatMap(([type, { schema }]) => {
    const inside = properties(schema);
    return [make("h3", {}, `${title}: ${type}`), inside ?? make("p", { class: "type" }, typeOf(schema))];
  });
}

function responses(all) {
  const [good, bad] = [[], []];
  for (const [status, response] of Object.entries(all ?? {})) (status < "400" ? good : bad).push([status, response]);
  const parts = good.flatMap(([status, { content }]) => body(`Answer ${status}`, content));
  if (!bad.length) return parts;
  const items = bad.map(([status, { description }]) => make("li", {}, make("code", {}, status), ` ${description}`));
  return [...parts, make("h3", {}, "Errors"), make("ul", {}, ...items)];
}

function route(path, method, { summary, description, parameters: given = [], requestBody, responses: all }) {
  const head = [make("span", { class: "method" }, method.toUpperCase()), make("code", {}, path), " "];
  const inside = make(
    "div",
    { class: "inside" },
    ...(description ?? "").split(/\n\s*\n/).filter(Boolean).map((text) => make("p", {}, ...prose(text))),
    ...parameters(given),
    ...body("Body", requestBody?.content),
    ...responses(all),
  );
  return make("details", {}, make("summary", {}, ...head, make("span", { class: "about" }, summary ?? "")), inside);
}

async function load() {
  try {
    const value = await get("../openapi.json");
    show(value);
  } catch (error) {
    byId("summary").textContent = "";
    fill(byId("routes"), make("p", { role: "alert" }, error.message));
  }
}

function show({ info, paths, components }) {
  schemas = components?.schemas ?? {};
  byId("summary").textContent = `${info.version} · ${info.summary ?? ""}`;
  const groups = new Map();
  for (const [path, methods] of Object.entries(paths)) {
    for (const method of METHODS.filter((name) => methods[name])) {
      const group = methods[method].tags?.[0] ?? "server";
      groups.set(group, [...(groups.get(group) ?? []), route(path, method, methods[method])]);
    }
  }
  fill(byId("routes"), ...[...groups].flatMap(([name, found]) => [make("h2", {}, name), ...found]));
}

load();
