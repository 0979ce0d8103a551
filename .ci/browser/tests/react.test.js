// An application with the hooks for React in a browser, against herald-local.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const web = fileURLToPath(new URL('../../../web/', import.meta.url));

const APP = `
import { createElement as element, StrictMode, useState } from 'react';
import { flushSync } from 'react-dom';
import { createRoot } from 'react-dom/client';
import { HeraldProvider, useHeraldState, useSubscription } from 'herald-client/react';

const app = { heard: [], pending: new Set(), show: undefined, state: undefined };
globalThis.app = app;

function Watcher({ number, entity }) {
  const { subscription } = useSubscription(entity, ({ message }) => app.heard.push([number, message]));
  if (subscription) app.pending.delete(number);
  else app.pending.add(number);
  return number + ' ';
}

function Watchers() {
  const [numbers, show] = useState([]);
  app.show = (next) => {
    app.pending.clear();
    flushSync(() => show(next));
  };
  app.state = useHeraldState().name;
  return numbers.map((number) => element(Watcher, { key: number, number, entity: 'e' + (number % 10) }));
}

const url = decodeURIComponent(location.search.slice(1));
createRoot(document.body.appendChild(document.createElement('div'))).render(
  element(StrictMode, null, element(HeraldProvider, { url }, element(Watchers))),
);
`;

/** Serves the application's page. Returns its address. */
async function serveApp(t) {
  const flags = ['--bundle', '--format=esm', '--target=es2022', '--log-level=warning', '--loader=js'];
  const script = execFileSync('node_modules/.bin/esbuild', flags, { cwd: web, input: APP, maxBuffer: 2 ** 24 });
  const page = '<!doctype html><title>An application</title><body><script type="module" src="app.js"></script>';
  const server = createServer(({ url }, response) => {
    const isScript = url === '/app.js';
    response.setHeader('content-type', `text/${isScript ? 'javascript' : 'html'}; charset=utf-8`);
    response.end(isScript ? script : page);
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}/`;
}

test('100 components in StrictMode that mount at random share a subscription per entity', { timeout: 300_000 }, async (t) => {
  const [stack, browser, address] = await Promise.all([startStack(t), startBrowser(t), serveApp(t)]);
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  const errors = [];
  page.on('pageerror', (error) => errors.push(error.message));
  await page.goto(`${address}?${encodeURIComponent(stack.webSocket)}`);
  await page.waitForFunction(() => globalThis.app?.state === 'open');

  const shown = await page.evaluate(async () => {
    let numbers = [];
    for (let round = 0; round < 30; round += 1) {
      numbers = Array.from({ length: 100 }, (_, number) => number).filter(() => Math.random() < 0.5);
      app.show(numbers);
      if (round % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    }
    // Every entity is shown at the end but the last one.
    numbers = numbers.filter((number) => number % 10 !== 9 && number >= 10).concat([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    app.show(numbers);
    return numbers;
  });
  await page.waitForFunction(() => app.pending.size === 0 && app.state === 'open');
  for (let entity = 0; entity < 9; entity += 1) await stack.put(`e${entity}`, 'once');
  await page.waitForFunction((count) => app.heard.length >= count, shown.length);
  const heard = await page.evaluate(() => app.heard);
  assert.deepEqual(heard.map(([number]) => number).sort(), shown.toSorted());
  for (let entity = 0; entity < 9; entity += 1) assert.equal(await stack.listeners(`e${entity}`), 1, `e${entity}`);

  await page.evaluate(() => app.show([]));
  for (let entity = 0; entity < 10; entity += 1) {
    while ((await stack.listeners(`e${entity}`)) > 0) await page.waitForTimeout(50);
  }
  assert.deepEqual(errors, []);
});
