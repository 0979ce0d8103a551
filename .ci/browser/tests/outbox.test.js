// An outbox that survives a reload of its page, in IndexedDB.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Proxy } from '../../../web/tests/proxy.js';
import { startApp } from '../app.js';
import { startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const HISTORY = JSON.stringify({ '**': { messages: 1000, seconds: 600 } });

const numbers = (count) => Array.from({ length: count }, (_, index) => index + 1);

/** Starts a client with an outbox in a page. */
async function startClient({ url, entry }) {
  const [{ connect }, { indexedDbOutbox }] = await Promise.all([import(entry), import('/outbox/index.js')]);
  const app = { sent: [], failed: [], acks: [] };
  app.outbox = indexedDbOutbox('app', {
    onSent: ({ message }, { eventId }) => app.sent.push([message, typeof eventId]),
    onFailed: ({ message }, { kind }) => app.failed.push([message, kind]),
  });
  app.client = connect(url, { outbox: app.outbox, backoffBase: 50 });
  app.send = (message, options) => app.client.send({ entityId: 'room-1', message }, options);
  globalThis.app = app;
}

/** Sends numbers, without waiting for their acknowledgements, and resolves once all are kept. */
async function keep(page, all) {
  await page.evaluate(async (messages) => {
    const before = (await globalThis.app.outbox.pending()).length;
    for (const message of messages) globalThis.app.send(message).catch(() => {});
    while ((await globalThis.app.outbox.pending()).length < before + messages.length) await new Promise((next) => setTimeout(next, 10));
  }, all);
}

/** Starts a stack behind a proxy, and a witness of what arrives. */
async function start(t, entry = '/herald-client.js') {
  const [stack, app, browser] = await Promise.all([
    startStack(t, '--parameter', `History=${HISTORY}`),
    startApp(t),
    startBrowser(t),
  ]);
  const proxy = new Proxy(new URL(stack.webSocket));
  await proxy.listen();
  t.after(() => proxy.end());
  const context = await browser.newContext();
  context.setDefaultTimeout(90_000);
  const settings = { url: proxy.webSocket, entry };
  const load = async (page) => {
    await page.goto(app.emptyPage);
    await page.evaluate(startClient, settings);
    return page;
  };
  const open = async () => load(await context.newPage());
  const witness = await app.open(browser, { url: stack.webSocket, entity: 'room-1' });
  return { stack, proxy, open, load, witness };
}

/** Fails unless the witness got these messages, each once, and nothing is left in the outbox. */
async function assertDelivered(witness, page, messages) {
  assert.deepEqual((await witness.received(messages.length)).map(({ message }) => message), messages);
  await page.waitForFunction(async () => (await globalThis.app.outbox.pending()).length === 0);
  assert.equal((await witness.received(messages.length)).length, messages.length);
}

describe('an outbox in IndexedDB', { timeout: 900_000 }, () => {
  for (const entry of ['/herald-client.js', '/shared/index.js']) {
    test(`delivers what was sent offline after a reload, once and in order, with ${entry}`, async (t) => {
      const { proxy, open, load, witness } = await start(t, entry);
      const page = await open();
      assert.equal((await page.evaluate(() => globalThis.app.send(1))).type, 'ack');
      await proxy.end();
      await page.waitForFunction(() => globalThis.app.client.state.name === 'reconnecting');
      await keep(page, [2, 3, 4, 5, 6]);
      await load(page);
      await keep(page, [7, 8]);
      await proxy.listen(proxy.port);
      await assertDelivered(witness, page, numbers(8));
      assert.deepEqual(await page.evaluate(() => globalThis.app.sent), [2, 3, 4, 5, 6].map((message) => [message, 'string']));
      assert.deepEqual(await page.evaluate(() => globalThis.app.failed), []);
    });
  }

  test('of two pages delivers the messages of both, and those of the one that was closed', async (t) => {
    const { proxy, open, witness } = await start(t);
    const [one, other] = [await open(), await open()];
    await proxy.end();
    await one.waitForFunction(() => globalThis.app.client.state.name === 'reconnecting');
    await keep(one, [1, 2, 3]);
    await keep(other, [4, 5, 6]);
    await one.close();
    await proxy.listen(proxy.port);
    await assertDelivered(witness, other, numbers(6));
    assert.deepEqual(await other.evaluate(() => globalThis.app.sent.map(([message]) => message)), [1, 2, 3]);
  });

  test('keeps the messages of a client that is closed for the next one', async (t) => {
    const { proxy, open, witness } = await start(t);
    const page = await open();
    await proxy.end();
    await page.waitForFunction(() => globalThis.app.client.state.name === 'reconnecting');
    const kinds = page.evaluate(async () => {
      const sent = [1, 2].map((message) => globalThis.app.send(message).catch(({ kind }) => kind));
      while ((await globalThis.app.outbox.pending()).length < 2) await new Promise((next) => setTimeout(next, 10));
      await globalThis.app.client.close();
      return Promise.all(sent);
    });
    assert.deepEqual(await kinds, ['stopped', 'stopped']);
    await proxy.listen(proxy.port);
    await page.evaluate(startClient, { url: proxy.webSocket, entry: '/herald-client.js' });
    await assertDelivered(witness, page, [1, 2]);
  });

  test('tells of a message that was in flight when its page was reloaded, and repeats it if that is safe', async (t) => {
    const { proxy, open, load, witness } = await start(t);
    const page = await open();
    await page.waitForFunction(() => globalThis.app.client.state.name === 'open');
    proxy.silence();
    await page.evaluate(() => {
      globalThis.app.send(1).catch(() => {});
      globalThis.app.send(2, { safeToRepeat: true }).catch(() => {});
    });
    await page.waitForFunction(async () => (await globalThis.app.outbox.pending()).length === 2);
    await page.waitForFunction(async () => (await globalThis.app.outbox.pending())[0].isInFlight);
    await load(page);
    await page.waitForFunction(() => globalThis.app.sent.length === 1);
    assert.deepEqual(await page.evaluate(() => globalThis.app.failed), [[1, 'outcomeUnknown']]);
    await assertDelivered(witness, page, [2]);
  });

  test('refuses a message that it cannot keep', async (t) => {
    const { proxy, open } = await start(t);
    const page = await open();
    await proxy.end();
    await keep(page, [1]);
    const full = await page.evaluate(async () => {
      const { indexedDbOutbox } = await import('/outbox/index.js');
      const send = indexedDbOutbox('app', { limit: 1 }).attach(globalThis.app.client, () => {});
      return send({ entityId: 'room-1', message: 2 }).catch(({ kind }) => kind);
    });
    assert.equal(full, 'outboxFull');
    // Chromium's own override of the quota does not reach the profile of a test.
    const overQuota = await page.evaluate(() => {
      const { add } = IDBObjectStore.prototype;
      const error = new DOMException('no room is left', 'QuotaExceededError');
      Object.defineProperty(IDBTransaction.prototype, 'error', { get: () => error });
      IDBObjectStore.prototype.add = function (...all) {
        const adding = add.apply(this, all);
        this.transaction.abort();
        return adding;
      };
      return globalThis.app.send(3).catch(({ kind, message }) => [kind, message]);
    });
    assert.deepEqual(overQuota, ['notKept', 'the outbox cannot keep the message, and it was not sent: QuotaExceededError: no room is left']);
    const without = await page.evaluate(() => {
      delete globalThis.indexedDB;
      Object.defineProperty(globalThis, 'indexedDB', { value: undefined });
      return globalThis.app.send(4).catch(({ kind, message }) => [kind, message]);
    });
    assert.match(without.join(), /^notKept,.*this environment has no IndexedDB$/);
  });
});
