// Validates an AsyncAPI document: node validate.js FILE. Nothing is sent anywhere. That examples fit their schemas is not
// checked here but by the end-to-end tests.

import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

// Advice, not rules: a newer version of the format to move to, and tags, contact and ids nobody here looks for.
const ADVICE = ["asyncapi-latest-version", "asyncapi-info-contact", "asyncapi-id", "asyncapi-tags", "asyncapi3-tags"];

const [file] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(await readFile(file, "utf8"));
const found = diagnostics.filter(({ code }) => !ADVICE.includes(code));
for (const { code, message, path, range } of found) {
  console.error(`${file}:${range.start.line + 1}: ${code}: ${message} (${path.join(".")})`);
}
if (!document || found.length > 0) process.exit(1);
console.log(`${file}: ${document.allMessages().all().length} messages in ${document.allOperations().all().length} operations`);
