// The client in a browser: tokens, broken networks, restarts of the server, refusals.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { Proxy } from '../../../web/tests/proxy.js';
import { openConsole, startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

describe('a client in a browser', { timeout: 900_000 }, () => {
  test('connects with a token, and receives events that another tab puts', async (t) => {
    const [stack, browser] = await Promise.all([startStack(t, '--auth', 'jwks'), startBrowser(t)]);
    const first = await openConsole(browser, stack.console, { view: 'connections' });
    const second = await openConsole(browser, stack.console, { context: first.page.context() });
    const handshakes = await watchHandshakes(second.page);

    const [alice, bob] = [await first.connect('alice'), await second.connect('bob')];
    const [protocols, chosen] = handshakes;
    assert.match(protocols, /^herald\.v1, eyJ[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.equal(chosen, 'herald.v1');

    await alice.subscribe('order-1');
    await bob.subscribe('order-1');
    const cards = first.page.locator('#connections-list');
    await cards.getByText('order-1').nth(1).waitFor();
    assert.deepEqual((await cards.locator('strong').allTextContents()).sort(), ['alice', 'bob']);

    const eventId = await second.putAbout('order-1', { state: 'packed' });
    for (const client of [alice, bob]) {
      const [frame, ...others] = await client.received('Entity Updated');
      assert.match(frame, /order-1 · {"state":"packed"}/);
      assert.deepEqual(others, []);
    }
    await second.event(eventId, 'delivered to 2');

    await second.putAboutUser('Send User Push Notification', 'alice');
    await alice.received('User Push Notification');
    await second.putAboutUser('Disconnect User', 'alice');
    await alice.is('Stopped: disconnected by the server (user_disconnected: disconnected)');
    assert.equal((await bob.frames()).length, 2, 'an acknowledgement and a push');
    assert.deepEqual([...first.errors, ...second.errors], []);
  });

  test('sends pending messages once after the network is back', async (t) => {
    const [stack, browser] = await Promise.all([startStack(t), startBrowser(t)]);
    const proxy = new Proxy(new URL(stack.endpoint));
    await proxy.listen();
    t.after(() => proxy.end());
    const near = await openConsole(browser, stack.console, { view: 'try' });
    const far = await openConsole(browser, `http://127.0.0.1:${proxy.port}/`, { view: 'try' });
    const [alice, bob] = [await far.connect('alice'), await near.connect('bob')];
    await alice.subscribe('order-1');
    await bob.subscribe('room-1');

    // The browser reports that it is offline, so the client closes its connection.
    await far.page.context().setOffline(true);
    await alice.is('Reconnecting: waiting for the network');
    for (const message of ['one', 'two', 'three']) await alice.send('room-1', message);
    await alice.is('3 messages waiting for a reply');
    assert.deepEqual(await bob.received('ack'), await bob.frames());
    await far.page.context().setOffline(false);
    await alice.is('Open');
    await bob.received('"three"');
    await alice.is('Sent and acknowledged.');

    // The browser reports nothing, but every socket breaks and no other can be opened.
    await proxy.end();
    await alice.is('Reconnecting: attempt');
    for (const message of ['four', 'five']) await alice.send('room-1', message);
    await alice.is('2 messages waiting for a reply');
    await proxy.listen(proxy.port);
    await alice.is('Open');
    await bob.received('"five"');
    await far.isLive();

    await near.putAbout('order-1', 'still subscribed');
    await alice.received('still subscribed');
    await alice.send('room-1', 'last');
    await bob.received('"last"');
    const messages = (await bob.frames()).map((frame) => /· room-1 · "([^"]*)"/.exec(frame)?.[1]).filter(Boolean);
    assert.deepEqual(messages.sort(), ['five', 'four', 'last', 'one', 'three', 'two']);
    assert.equal((await alice.received('still subscribed')).length, 1);
  });

  test('reconnects after a crash of the server without a reload of the page', async (t) => {
    const [stack, browser] = await Promise.all([startStack(t, '--auth', 'jwks'), startBrowser(t)]);
    const page = await openConsole(browser, stack.console, { view: 'events' });
    const alice = await page.connect('alice');
    await alice.subscribe('order-1');
    const before = await page.putAbout('order-1', 'before');
    await page.event(before, 'delivered to 1');
    await page.page.evaluate(() => (globalThis.loadedOnce = true));

    await stack.kill();
    await page.page.getByRole('alert').getByText(/^herald-local does not respond/).waitFor();
    await alice.is('Reconnecting');
    await page.screenshot('recovery-lost');
    await stack.start();

    await page.isLive();
    await page.page.getByRole('alert').waitFor({ state: 'hidden' });
    await alice.is('Open');
    const after = await page.putAbout('order-1', 'after');
    await page.event(after, 'delivered to 1');
    await alice.received('"after"');
    assert.equal(await page.page.locator('#events-list > li').count(), 1, 'the new stack has no events of the old one');
    assert.equal(await page.page.evaluate(() => globalThis.loadedOnce), true);
    assert.deepEqual(page.exceptions, []);
  });

  test('stops after three refusals, and shows that', async (t) => {
    const [stack, browser] = await Promise.all([startStack(t, '--auth', 'secret'), startBrowser(t)]);
    const page = await openConsole(browser, stack.console, { view: 'connections', clock: true });
    await page.page.getByText('Token', { exact: true }).click();
    await page.page.getByLabel('Expires after (seconds)').fill('-60');
    // No delay so short that it ends by itself: two refusals close together count as one.
    await page.page.evaluate(() => (Math.random = () => 0.95));
    const client = await page.startClient('alice');
    for (const attempt of [1, 2]) {
      await client.is(`Reconnecting: attempt ${attempt} `);
      // Longer than the longest delay, and than the time between two refusals that count as two.
      await page.page.clock.fastForward(31_000);
    }
    await client.is('Stopped: the server refused the connection repeatedly');
    await page.page.clock.fastForward(60_000);

    await page.page.getByText('refused 401').nth(2).waitFor();
    assert.equal(await page.page.getByText('refused 401').count(), 3);
    assert.equal(await client.region.getByRole('button', { name: 'Send' }).count(), 0);
    await page.screenshot('refused');
    assert.deepEqual(page.exceptions, []);
  });
});

/** Returns a list that receives the subprotocols that the next WebSocket offers, and the one that the server chooses. */
async function watchHandshakes(page) {
  const seen = [];
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  const header = ({ headers }) => headers['Sec-WebSocket-Protocol'] ?? headers['sec-websocket-protocol'];
  session.on('Network.webSocketWillSendHandshakeRequest', ({ request }) => seen.push(header(request)));
  session.on('Network.webSocketHandshakeResponseReceived', ({ response }) => seen.push(header(response)));
  return seen;
}
