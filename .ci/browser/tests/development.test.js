// The page of a development server, as docs/local.md describes it, against a stack that needs tokens.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { createServer } from 'vite';

import { startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const pathTo = (file) => fileURLToPath(new URL(`../../../${file}`, import.meta.url));

/** Returns the configuration and the page's module in the document, for a stack at another address. */
async function recipe({ endpoint, webSocket }) {
  const document = await readFile(pathTo('docs/local.md'), 'utf8');
  const [, section] = document.split('\n### A page under development\n');
  const blocks = Array.from(section.matchAll(/^```js\n(.*?)^```/gms), ([, code]) => code);
  return blocks.map((code) => {
    return code.replace('ws://127.0.0.1:3030/dev', webSocket).replace('http://127.0.0.1:3030', endpoint);
  });
}

/** Serves the recipe with Vite. Returns the address of the page. */
async function serve(t, stack) {
  const [config, script] = await recipe(stack);
  // In this folder, in which the configuration finds Vite.
  const root = await mkdtemp(pathTo('.ci/browser/page-'));
  t.after(() => rm(root, { recursive: true }));
  await mkdir(join(root, 'node_modules'));
  await symlink(pathTo('web'), join(root, 'node_modules/herald-client'));
  await writeFile(join(root, 'vite.config.js'), config);
  await writeFile(join(root, 'main.js'), script);
  await writeFile(join(root, 'index.html'), '<!doctype html><script type="module" src="/main.js"></script>');
  const server = await createServer({ root, logLevel: 'error', server: { host: '127.0.0.1', port: 0 } });
  t.after(() => server.close());
  await server.listen();
  return `http://127.0.0.1:${server.httpServer.address().port}/`;
}

test('a page under development gets a token through its server, and its pushes', { timeout: 300_000 }, async (t) => {
  const [stack, browser] = await Promise.all([startStack(t, '--auth', 'jwks'), startBrowser(t)]);
  const page = await browser.newPage();
  const failures = [];
  page.on('pageerror', ({ message }) => failures.push(message));
  const pushed = page.waitForEvent('console', (message) => message.text().includes('shipped'));
  await page.goto(await serve(t, stack));
  while ((await stack.listeners('order-1')) === 0) await page.waitForTimeout(50);
  await stack.put('order-1', { state: 'shipped' });
  await pushed;
  assert.deepEqual(failures, []);
});
