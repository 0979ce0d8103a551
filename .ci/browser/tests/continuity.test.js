// Continuity in a browser: reloads of the page, and a computer that sleeps.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { Proxy } from '../../../web/tests/proxy.js';
import { startApp } from '../app.js';
import { startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const HISTORY = JSON.stringify({ '**': { messages: 1000, seconds: 600 } });

/** Options of a client that finds a dead connection within seconds. */
const QUICK = { pingAfter: 500, pongTimeout: 2000, backoffBase: 50 };

const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

describe('continuity in a browser', { timeout: 900_000 }, () => {
  test('a page that is reloaded while events are published receives each once and in order', async (t) => {
    const { stack, app, browser } = await start(t);
    const settings = { url: stack.webSocket, entity: 'order-1' };
    const [tab, witness] = [await app.open(browser, settings), await app.open(browser, settings)];

    let published = 0;
    const publish = async (count) => {
      for (let event = 0; event < count; event += 1) await stack.put('order-1', ++published);
    };
    for (let reload = 0; reload < 3; reload += 1) {
      // Some events are published before, some while the page does not exist, and some while it subscribes again.
      const held = app.holdPage();
      const [before, reloaded] = [publish(3), tab.page.reload()];
      await Promise.all([before, held.requested]);
      await publish(4);
      await witness.received(published);
      held.release();
      await Promise.all([reloaded, publish(3), tab.isSubscribed()]);
    }
    await assertReceived([tab, witness], published);
  });

  test('a page whose socket is dead for longer than the pong time-out recovers what was published meanwhile', async (t) => {
    const { stack, proxy, tab, witness } = await startBehindProxy(t);
    await stack.put('order-1', 1);
    await tab.received(1);
    proxy.silence();
    for (const message of [2, 3, 4]) await stack.put('order-1', message);
    await witness.received(4);
    await assertReceived([tab, witness], 4);
  });

  test('a page that sleeps while its socket dies recovers what was published meanwhile', async (t) => {
    const { stack, proxy, tab, witness } = await startBehindProxy(t);
    await stack.put('order-1', 1);
    await tab.received(1);

    const session = await tab.page.context().newCDPSession(tab.page);
    // Chromium freezes no visible page, but its debugger stops one.
    await session.send('Debugger.enable');
    const stopped = once(session, 'Debugger.paused');
    await session.send('Debugger.pause');
    await stopped;
    proxy.silence();
    for (const message of [2, 3, 4]) await stack.put('order-1', message);
    await witness.received(4);
    const asleep = 2 * (QUICK.pingAfter + QUICK.pongTimeout);
    await sleep(asleep);
    await session.send('Debugger.resume');

    await assertReceived([tab, witness], 4);
    const pause = await tab.page.evaluate(() => globalThis.app.longestPause);
    assert.ok(pause >= asleep, `the page slept for ${pause} ms`);
    await stack.put('order-1', 5);
    await assertReceived([tab, witness], 5);
  });
});

async function start(t) {
  const stack = startStack(t, '--parameter', `History=${HISTORY}`);
  const [started, app, browser] = await Promise.all([stack, startApp(t), startBrowser(t)]);
  return { stack: started, app, browser };
}

/** Starts a tab behind a proxy, and a witness that is not. */
async function startBehindProxy(t) {
  const { stack, app, browser } = await start(t);
  const proxy = new Proxy(new URL(stack.webSocket));
  await proxy.listen();
  t.after(() => proxy.end());
  const tab = await app.open(browser, { url: proxy.webSocket, entity: 'order-1', options: QUICK });
  const witness = await app.open(browser, { url: stack.webSocket, entity: 'order-1' });
  return { stack, proxy, tab, witness };
}

/** Fails unless each tab received this many events, each once and in the order of the log. */
async function assertReceived(tabs, count) {
  const all = [];
  for (const tab of tabs) {
    const received = await tab.received(count);
    assert.deepEqual(received.map(({ position }) => position.offset), numbers(count));
    assert.deepEqual(await tab.losses(), []);
    all.push(received.map(({ message }) => message));
  }
  for (const messages of all) assert.deepEqual(messages, all[0]);
  assert.deepEqual(all[0].toSorted((one, other) => one - other), numbers(count));
}
