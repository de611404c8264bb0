// Reads a list of messages (JSON) from standard input and prints, for each, whether the page's own validator takes it.
import { readFileSync } from "node:fs";
import { messageProblem } from "../../web/shared/validate.js";

const protocol = JSON.parse(readFileSync(new URL("../../web/shared/protocol.json", import.meta.url), "utf8"));
const texts = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(texts.map((text) => messageProblem(JSON.parse(text), protocol))));
