// Polling in a browser, whose WebSockets tell no status and whose HTTP requests need CORS.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Obstacle } from '../../../web/tests/obstacle.js';
import { startApp } from '../app.js';
import { startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const HISTORY = JSON.stringify({ '**': { messages: 1000, seconds: 600 } });

const QUICK = { backoffCap: 200, killedWithin: 60_000, webSocketRetry: 1500, stableAfter: 500, lingerFor: 100 };

const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

describe('polling in a browser', { timeout: 900_000 }, () => {
  for (const mode of ['swallow', 'strip', 'kill']) {
    test(`a page behind a proxy that would ${mode} WebSockets receives each event once and in order`, async (t) => {
      const [stack, app, browser] = await Promise.all([
        startStack(t, '--parameter', `History=${HISTORY}`),
        startApp(t),
        startBrowser(t),
      ]);
      const proxy = new Obstacle(new URL(stack.webSocket), mode);
      await proxy.listen();
      t.after(() => proxy.end());
      const options = { pollUrl: stack.functionUrls.PollFunctionUrl, ...QUICK };
      const tab = await app.open(browser, { url: proxy.webSocket, entity: 'order-1', options });
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
});
