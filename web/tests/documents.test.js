// The JavaScript and TypeScript examples in the documents can be parsed.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import { transform } from 'esbuild';

const root = new URL('../../', import.meta.url);
const documents = ['README.md', 'web/README.md', ...markdownIn('docs/')];

/** Returns the paths of the documents in a folder. @param {string} folder */
function markdownIn(folder) {
  const names = readdirSync(new URL(folder, root)).filter((name) => name.endsWith('.md'));
  return names.map((name) => folder + name);
}

/** Returns the examples of a document, each with its language. @param {string} document */
function examplesIn(document) {
  const text = readFileSync(new URL(document, root), 'utf8');
  const blocks = text.matchAll(/^ *```(?<loader>[jt]sx?)\n(?<code>.*?)^ *```$/gms);
  return Array.from(blocks, ({ groups }) => ({ document, loader: groups.loader, code: groups.code }));
}

test('each example in the documents can be parsed', async () => {
  const examples = documents.flatMap(examplesIn);
  assert.ok(examples.length > 10, `only ${examples.length} examples were found`);
  for (const { document, loader, code } of examples) {
    await assert.doesNotReject(transform(code, { loader, format: 'esm', logLevel: 'silent' }), `${document}:\n${code}`);
  }
});
