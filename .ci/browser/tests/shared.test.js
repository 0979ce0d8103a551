// One connection for the tabs of an origin, in a SharedWorker and in a tab that has a lock.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { startApp } from '../app.js';
import { startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const HISTORY = JSON.stringify({ '**': { messages: 1000, seconds: 600 } });

const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** Starts a client of the shared connection in a page, with a subscription. */
async function startClient({ url, entity, worker }) {
  const { connect } = await import('/shared/index.js');
  const client = connect(url, { backoffBase: 50, worker });
  const app = { client, received: [], lost: [] };
  client.onLost((loss) => app.lost.push(loss));
  await client.subscribe(entity, ({ message }) => app.received.push(message));
  globalThis.app = app;
}

/** Resolves to what a tab received, once that is so much. */
async function received(page, count) {
  await page.waitForFunction((enough) => globalThis.app.received.length >= enough, count);
  return page.evaluate(() => globalThis.app.received);
}

/** Resolves once `condition` does to true. */
async function until(condition) {
  while (!(await condition())) await sleep(100);
}

/** Crashes a tab, which tells its page nothing. */
async function crash(page) {
  const session = await page.context().newCDPSession(page);
  const crashed = new Promise((resolve) => page.once('crash', resolve));
  session.send('Page.crash').catch(() => {});
  await crashed;
}

async function start(t, way) {
  const [stack, app, browser] = await Promise.all([
    startStack(t, '--parameter', `History=${HISTORY}`),
    startApp(t),
    startBrowser(t),
  ]);
  const context = await browser.newContext();
  context.setDefaultTimeout(90_000);
  if (way === 'lock') await context.addInitScript(() => delete globalThis.SharedWorker);
  const open = async (entity, worker) => {
    const page = await context.newPage();
    await page.goto(app.emptyPage);
    await page.evaluate(startClient, { url: stack.webSocket, entity, worker });
    return page;
  };
  return { stack, open };
}

for (const way of ['worker', 'lock']) {
  describe(`tabs that share a connection by a ${way}`, { timeout: 900_000 }, () => {
    test('have one connection, and all see an event', async (t) => {
      const { stack, open } = await start(t, way);
      const tabs = [await open('order-1'), await open('order-1'), await open('room-1')];
      assert.deepEqual([await stack.connections(), await stack.listeners('order-1')], [1, 1]);
      await stack.put('order-1', 1);
      for (const tab of tabs.slice(0, 2)) assert.deepEqual(await received(tab, 1), [1]);

      const sent = tabs[2].evaluate(() => globalThis.app.client.send({ entityId: 'order-1', message: 2 }));
      assert.equal((await sent).offset, 2);
      await stack.put('order-1', 3);
      for (const tab of tabs.slice(0, 2)) assert.deepEqual(await received(tab, 3), [1, 2, 3]);
      assert.deepEqual(await received(tabs[2], 0), []);
    });

    test('go on without loss when the first tab is closed', async (t) => {
      const { stack, open } = await start(t, way);
      const [first, second] = [await open('order-1'), await open('order-1')];
      const publish = async () => {
        for (const number of numbers(40)) await stack.put('order-1', number);
      };
      const published = publish();
      await received(first, 5);
      await first.close();
      await published;
      const all = await received(second, 40);
      assert.deepEqual(all.toSorted((one, other) => one - other), numbers(40));
      assert.deepEqual(await second.evaluate(() => globalThis.app.lost), []);
      await until(async () => (await stack.connections()) === 1);
      assert.equal(await stack.listeners('order-1'), 1);
    });

    test('lose the subscriptions of one that is frozen, which recovers once it is back', async (t) => {
      const { stack, open } = await start(t, way);
      const [first, second] = [await open('order-1'), await open('order-2')];
      // Chromium freezes no visible page. A page that is kept for the way back hides and is frozen.
      const dispatch = (name) => first.evaluate((event) => document.dispatchEvent(new Event(event)), name);
      for (let times = 2; times > 0; times -= 1) await dispatch('freeze');
      await until(async () => (await stack.listeners('order-1')) === 0);
      await stack.put('order-1', 1);
      await stack.put('order-2', 2);
      assert.deepEqual(await received(second, 1), [2]);
      for (let times = 2; times > 0; times -= 1) await dispatch('resume');
      assert.deepEqual(await received(first, 1), [1]);
      assert.deepEqual([await stack.connections(), await stack.listeners('order-1')], [1, 1]);
    });

    test('go on when the first crashes, whose subscriptions end', async (t) => {
      const { stack, open } = await start(t, way);
      const [first, second] = [await open('order-1'), await open('order-2')];
      await crash(first);
      for (const number of numbers(5)) await stack.put('order-2', number);
      assert.deepEqual((await received(second, 5)).toSorted(), numbers(5));
      await until(async () => (await stack.listeners('order-1')) === 0);
      assert.deepEqual([await stack.connections(), await stack.listeners('order-2')], [1, 1]);
      assert.deepEqual(await second.evaluate(() => globalThis.app.lost), []);
    });
  });
}

test('a tab that crashes leaves no subscription in a connection that others hold', { timeout: 300_000 }, async (t) => {
  const { stack, open } = await start(t, 'worker');
  const [, second] = [await open('order-1'), await open('order-2')];
  await crash(second);
  await until(async () => (await stack.listeners('order-2')) === 0);
  assert.deepEqual([await stack.connections(), await stack.listeners('order-1')], [1, 1]);
});

test('tabs whose worker is missing share a connection by a lock', { timeout: 300_000 }, async (t) => {
  const { stack, open } = await start(t, 'worker');
  const tabs = [await open('order-1', '/missing.js'), await open('order-1', '/missing.js')];
  await stack.put('order-1', 1);
  for (const tab of tabs) assert.deepEqual(await received(tab, 1), [1]);
  assert.equal(await stack.connections(), 1);
});

test('a tab takes the connection from one that holds it and hangs', { timeout: 300_000 }, async (t) => {
  const { stack, open } = await start(t, 'lock');
  const [first, second] = [await open('order-1'), await open('order-1')];
  const session = await first.context().newCDPSession(first);
  await session.send('Debugger.enable');
  const stopped = once(session, 'Debugger.paused');
  await session.send('Debugger.pause');
  await stopped;
  await stack.put('order-1', 1);
  assert.deepEqual(await received(second, 1), [1]);
  await session.send('Debugger.resume');
  await stack.put('order-1', 2);
  for (const tab of [first, second]) assert.deepEqual(await received(tab, 2), [1, 2]);
  await until(async () => (await stack.connections()) === 1);
});
