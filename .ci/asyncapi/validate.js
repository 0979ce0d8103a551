// Validates an AsyncAPI document: node validate.js FILE. Nothing is sent anywhere. The end-to-end tests check the examples
// against their schemas.

import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

// Advice that we ignore: a newer version of the format, and tags, contact and ids.
const ADVICE = ["asyncapi-latest-version", "asyncapi-info-contact", "asyncapi-id", "asyncapi-tags", "asyncapi3-tags"];

const [file] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(await readFile(file, "utf8"));
const found = diagnostics.filter(({ code }) => !ADVICE.includes(code));
for (const { code, message, path, range } of found) {
  console.error(`${file}:${range.start.line + 1}: ${code}: ${message} (${path.join(".")})`);
}
if (!document || found.length > 0) process.exit(1);
console.log(`${file}: ${document.allMessages().all().length} messages in ${document.allOperations().all().length} operations`);
