/**
 * The part of JSON Schema 2020-12 that shared/protocol.json uses, and no more:
 * $ref, type, const, enum, required, properties, additionalProperties, items, anyOf, sizes, ranges, pattern.
 * An unknown keyword is a fault of ours and throws.
 */

const KNOWN = new Set([
  "$ref", "type", "const", "enum", "required", "properties", "additionalProperties", "items", "anyOf",
  "minItems", "maxItems", "minimum", "maximum", "maxLength", "pattern",
]);

/** @typedef {Record<string, any>} Schema */

/** @param {unknown} value @param {string} type */
function isType(value, type) {
  switch (type) {
    case "object": return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array": return Array.isArray(value);
    case "integer": return Number.isInteger(value);
    case "number": return typeof value === "number" && Number.isFinite(value);
    case "null": return value === null;
    default: return typeof value === type;
  }
}

/** @param {any} value @param {Schema} schema @returns {string | null} the name of the broken rule */
function brokenScalarRule(value, schema) {
  if (schema.type && !isType(value, schema.type)) return "type";
  if ("const" in schema && value !== schema.const) return "const";
  if (schema.enum && !schema.enum.includes(value)) return "enum";
  if (typeof value === "number") {
    if (value < (schema.minimum ?? -Infinity)) return "minimum";
    if (value > (schema.maximum ?? Infinity)) return "maximum";
  }
  if (typeof value === "string") {
    if ([...value].length > (schema.maxLength ?? Infinity)) return "maxLength";
    if (schema.pattern && !new RegExp(schema.pattern, "u").test(value)) return "pattern";
  }
  return null;
}

/** @param {unknown[]} value @param {Schema} schema @param {Schema} root @param {string} path @returns {string | null} */
function arrayProblem(value, schema, root, path) {
  if (value.length < (schema.minItems ?? 0)) return `${path}: minItems`;
  if (value.length > (schema.maxItems ?? Infinity)) return `${path}: maxItems`;
  if (!schema.items) return null;
  for (let i = 0; i < value.length; i += 1) {
    const found = problem(value[i], schema.items, root, `${path}/${i}`);
    if (found) return found;
  }
  return null;
}

/** @param {Record<string, unknown>} value @param {Schema} schema @param {Schema} root @param {string} path @returns {string | null} */
function objectProblem(value, schema, root, path) {
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) return `${path}/${name}: required`;
  }
  const properties = schema.properties ?? {};
  for (const [name, item] of Object.entries(value)) {
    if (Object.hasOwn(properties, name)) {
      const found = problem(item, properties[name], root, `${path}/${name}`);
      if (found) return found;
    } else if (schema.additionalProperties === false) return `${path}/${name}: additionalProperties`;
  }
  return null;
}

/**
 * @param {unknown} value @param {Schema} schema @param {Schema} root the document that `$ref` points into
 * @param {string} [path]
 * @returns {string | null} place and name of the broken rule, or null
 */
export function problem(value, schema, root, path = "") {
  for (const keyword of Object.keys(schema)) {
    if (!KNOWN.has(keyword)) throw new Error(`schema keyword ${keyword} is not supported`);
  }
  if (schema.$ref) return problem(value, root.$defs[schema.$ref.replace("#/$defs/", "")], root, path);
  const broken = brokenScalarRule(value, schema);
  if (broken) return `${path}: ${broken}`;
  if (schema.anyOf && schema.anyOf.every((/** @type {Schema} */ one) => problem(value, one, root, path))) return `${path}: anyOf`;
  if (Array.isArray(value)) return arrayProblem(value, schema, root, path);
  if (isType(value, "object")) return objectProblem(/** @type {Record<string, unknown>} */ (value), schema, root, path);
  return null;
}

/**
 * Check one whole message, the data of `samples` included.
 * @param {any} message @param {Schema} protocol the document shared/protocol.json
 * @returns {string | null}
 */
export function messageProblem(message, protocol) {
  const schema = typeof message?.type === "string" && Object.hasOwn(protocol.$defs, message.type) ? protocol.$defs[message.type] : null;
  if (!schema) return "/type: unknown";
  const found = problem(message, schema, protocol);
  if (found || message.type !== "samples") return found;
  const { phase, kind, data } = message;
  if ((kind === "final" || kind === "died") !== (message.final === true)) return "/final: kind";
  const inner = protocol.$defs[`${phase}.${kind}.data`] ?? protocol.$defs[`${kind}.data`];
  return inner ? problem(data, inner, protocol, "/data") : `/kind: ${phase} has no ${kind}`;
}
