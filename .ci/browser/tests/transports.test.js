// Polling in a browser, whose WebSockets tell no status and whose HTTP requests need CORS.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Obstacle } from '../../../web/tests/obstacle.js';
import { startApp } from '../app.js';
import { startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const HISTORY = JSON.stringify({ '**': { messages: 1000, seconds: 600 } });

const QUICK = {
  backoffCap: 200,
  obstacleAfter: 0,
  killedWithin: 60_000,
  webSocketRetry: 1500,
  stableAfter: 500,
  lingerFor: 100,
};

const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

describe('polling in a browser', { timeout: 900_000 }, () => {
  /** Opens an application behind a proxy. */
  async function openBehind(t, mode, options = {}) {
    const [stack, app, browser] = await Promise.all([
      startStack(t, '--parameter', `History=${HISTORY}`),
      startApp(t),
      startBrowser(t),
    ]);
    const proxy = new Obstacle(new URL(stack.webSocket), mode);
    await proxy.listen();
    t.after(() => proxy.end());
    const settings = { pollUrl: stack.functionUrls.PollFunctionUrl, ...QUICK, ...options };
    const tab = await app.open(browser, { url: proxy.webSocket, entity: 'order-1', options: settings });
    return { stack, proxy, tab };
  }

  for (const [does, mode] of [
    ['swallows WebSockets', 'swallow'],
    ['strips their upgrade', 'strip'],
    ['kills them', 'kill'],
    ['answers 429 for longer than obstacleAfter', 429],
  ]) {
    test(`a page behind a proxy that ${does} polls, and receives each event once and in order`, async (t) => {
      const { stack, proxy, tab } = await openBehind(t, mode);
      for (const number of numbers(20)) await stack.put('order-1', number);
      await tab.page.waitForFunction(() => globalThis.app.client.transport === 'poll');
      const received = await tab.received(20);
      assert.deepEqual(received.map(({ position }) => position.offset), numbers(20));
      assert.deepEqual(received.map(({ message }) => message).sort((one, other) => one - other), numbers(20));

      proxy.change('pass');
      await tab.page.waitForFunction(() => globalThis.app.client.transport === 'websocket');
      await stack.put('order-1', 21);
      assert.equal((await tab.received(21)).at(-1).message, 21);
      assert.deepEqual(await tab.losses(), []);
    });
  }

  test('a page behind a proxy that answers 429 for a time shorter than obstacleAfter does not poll', async (t) => {
    const { stack, proxy, tab } = await openBehind(t, 'pass', { obstacleAfter: 600_000 });
    await stack.put('order-1', 1);
    await tab.received(1);
    proxy.change(429);
    await stack.put('order-1', 2);
    // The client asks over HTTP after each handshake that fails, so these are ten, and three would make it poll.
    await proxy.answered(20);
    proxy.change('pass');
    await tab.page.waitForFunction(() => globalThis.app.transports.length > 1);
    const received = await tab.received(2);
    assert.deepEqual(received.map(({ message }) => message), [1, 2]);
    assert.deepEqual(await tab.transports(), ['websocket', 'websocket']);
    assert.deepEqual(await tab.losses(), []);
  });
});
