// A walk through the console: events and their traces, actions, keyboard, window sizes and accessibility.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openConsole, startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const VIEWS = ['Events', 'Connections', 'Presence', 'Logs', 'Functions', 'Queues', 'Try it', 'Stack'];
const WINDOWS = { phone: { width: 320, height: 640 }, desktop: { width: 1440, height: 900 } };
const OTHER_WIDTHS = [375, 768, 1280];
const POLICY = { messages: 100, seconds: 600 };
const HISTORY = { '**': POLICY, 'price:*': { last: true }, $user: POLICY, $everyone: POLICY };

test('the console', { timeout: 900_000 }, async (t) => {
  const [stack, browser] = await Promise.all([
    startStack(t, '--parameter', `History=${JSON.stringify(HISTORY)}`),
    startBrowser(t),
  ]);
  const console = await openConsole(browser, stack.console, { viewport: WINDOWS.desktop });
  const { page } = console;
  let alice;

  await t.test('shows the first steps while it is empty', async () => {
    await page.getByText('No events yet.').waitFor();
    await page.getByText('aws events put-events').first().waitFor();
    await console.view('Connections');
    await page.getByText('npx wscat -c ws://').waitFor();
    await console.view('Logs');
    await page.getByText('No logs yet.').waitFor();
    await console.view('Presence');
    await page.getByText('No members yet.').waitFor();
    await page.getByText('The stack’s parameter Presence: {}').waitFor();
    await console.view('Connections');
    await console.screenshot('empty-desktop-light');
    await console.view('Events');
  });

  await t.test('shows the trace of an event with its timings', async () => {
    alice = await console.connect('alice');
    const bob = await console.connect('bob');
    for (const client of [alice, bob]) await client.subscribe('order-1');
    const row = await console.event(await console.putAbout('order-1', { state: 'shipped' }), 'delivered to 2');
    await row.locator('summary').first().click();

    const steps = row.locator('.steps > li');
    const expected = [
      /Put on bus default by source herald\.console\. Matched herald-local-NotificationRule\..*"state": "shipped"/s,
      /Queued on NotificationQueue/,
      /NotifierFunction took [\d.]+ m?s for 1 record ok/,
      /Posted to 2 connections as order-1 at \w{8}\/1\..*(200 delivered[\d.]+ m?s\d+ B.*){2}/s,
    ];
    const texts = await steps.allTextContents();
    assert.equal(texts.length, expected.length, texts.join('\n'));
    texts.forEach((text, index) => assert.match(text, expected[index]));
    const offsets = await steps.locator('.offset').allTextContents();
    for (const offset of offsets) assert.match(offset, /^\+[\d.]+ m?s$/);
    assert.match(await row.locator('summary').first().textContent(), /order-1 \w{8}\/1/);
    await alice.received(/Entity Updated · order-1 · {"state":"shipped"} · \w{8}\/1/);
    await bob.close();
  });

  await t.test('has the clients, and not the events, in “Try it”', async () => {
    await console.view('Try it');
    await alice.region.waitFor();
    await page.getByRole('heading', { name: 'Events' }).waitFor({ state: 'hidden' });
    await console.view('Events');
    await alice.region.waitFor();
  });

  await t.test('shows the log of an entity, and that of a last message', async () => {
    await console.event(await console.putAbout('order-1', 'second'), 'delivered to 1');
    await console.event(await console.putAbout('price:7', 4.2), 'no recipients');
    await console.view('Logs');
    const price = page.locator('#logs-list > li').filter({ hasText: 'price:7' });
    await price.getByText('last message', { exact: true }).waitFor();
    await console.view('Events');
    const event = page.locator('#events-list > li').filter({ hasText: '"second"' });
    await event.locator('summary').first().click();
    await event.getByRole('link', { name: /^order-1 at \w{8}\/2$/ }).click();
    const log = page.locator('#logs-list > li').filter({ hasText: 'order-1' });
    await log.locator('details[open] > summary').first().getByText(/^\w{8}\/2$/).waitFor();
    await log.getByText('kept for 10 min 0 s').waitFor();
    const facts = await log.locator('dl').textContent();
    assert.match(facts, /Epoch\w{8}Top2Began[\d:.]+Last message[\d:.]+Head expires\d{4}-\d\d-\d\d [\d:]{8}/);
    const messages = log.locator('.frames > li');
    await messages.nth(1).waitFor();
    const texts = await messages.allTextContents();
    assert.deepEqual(texts.map((text) => text[0]), ['2', '1']);
    await messages.first().locator('summary').click();
    await messages.first().getByText(/^Stored at [\d:.]+, expires at \d{4}-\d\d-\d\d [\d:]{8}\.$/).waitFor();
    await messages.first().getByText('"offset": 2').waitFor();
    await page.getByRole('searchbox', { name: 'Filter logs' }).fill('price');
    await log.waitFor({ state: 'detached' });
    await page.getByRole('searchbox', { name: 'Filter logs' }).fill('');
    await console.event(await console.putAbout('order-1', 'third'), 'delivered to 1');
    await log.getByText(/^\w{8}\/3$/).waitFor();
  });

  await t.test('shows recoveries as a part of the story of connections', async () => {
    const log = page.locator('#logs-list > li').filter({ hasText: 'order-1' });
    const [epoch] = (await log.locator('summary .audience').textContent()).split('/');
    const since = { epoch, offset: 1 };
    await alice.sendFrame(JSON.stringify({ action: 'subscribe', entityId: 'order-1', recover: since }));
    await alice.received(`2 messages recovered · ${epoch}/3`);
    await alice.sendFrame(JSON.stringify({ action: 'sync', entities: { 'order-1': { epoch: 'another0', offset: 1 } } }));
    await alice.sendFrame(JSON.stringify({ action: 'sync', entities: { 'order-1': { epoch, offset: 3 } } }));
    await alice.sendFrame(JSON.stringify({ action: 'history', entityId: 'order-1', last: 2 }));
    await console.view('Connections');
    const story = page.locator('#traffic-list li');
    for (const text of [
      `recovered2 messages of order-1 since ${epoch}/1, now at ${epoch}/3 (subscribe)`,
      `lostmessages of order-1 since another0/1, now at ${epoch}/3 (sync)`,
      'syncnothing missed',
      `read2 messages of order-1, now at ${epoch}/3 (history)`,
    ]) {
      await story.filter({ hasText: text }).first().waitFor();
    }
    await page.locator('#connections-list .chip').filter({ hasText: `order-1${epoch}/3` }).waitFor();
    await console.view('Events');
  });

  await t.test('shows a gone connection', async () => {
    while ((await stack.listeners('order-1')) > 1) await page.waitForTimeout(50);
    await stack.leaveStaleListener('order-1');
    const row = await console.event(await console.putAbout('order-1', 'again'), 'delivered to 1, 1 gone');
    await row.locator('summary').first().click();
    await row.getByText('410 gone').waitFor();
  });

  await t.test('shows an event without recipients, and one that no rule matched', async () => {
    await console.event(await console.putAbout('order-2', 1), 'no recipients');
    const entry = { Source: 'test', DetailType: 'Order Updated', Detail: '{"orderId":1}' };
    const { Entries } = await stack.call('AWSEvents.PutEvents', { Entries: [entry] });
    await console.event(Entries[0].EventId, 'no rule matched');
  });

  await t.test('begins the trace of a client message with its request and reply', async () => {
    await alice.send('order-1', 'Hello');
    await alice.is('Sent and acknowledged.');
    const row = page.locator('#events-list > li').filter({ hasText: 'Client message' });
    await row.locator('summary').first().click();
    assert.match(await row.locator('.steps > li').first().textContent(), /Sent as sendMessage by .*"type": "ack"/s);
  });

  await t.test('sends a raw frame, and shows the error', async () => {
    await alice.sendFrame('hello');
    const [frame] = await alice.received('unknown_action');
    assert.match(frame, /Seems like wrong endpoint/);
    const row = alice.region.locator('.frames li').filter({ hasText: 'unknown_action' });
    await row.locator('summary').click();
    await row.getByText('"retryable": false').waitFor();
  });

  await t.test('adds no events while it is paused', async () => {
    const rows = page.locator('#events-list > li');
    const before = await rows.count();
    const pause = page.getByRole('button', { name: 'Pause' });
    await pause.click();
    await console.putAbout('order-1', 'while it is paused');
    await alice.received('while it is paused');
    assert.equal(await rows.count(), before);
    await pause.click();
    await rows.nth(before).waitFor();
  });

  await t.test('links an event to the log of its function, and back', async () => {
    const eventId = await console.putAbout('order-1', 'logged');
    const row = await console.event(eventId, 'delivered to 1');
    await row.locator('summary').first().click();
    await row.getByRole('link', { name: 'NotifierFunction' }).click();
    const invocation = page.locator('#functions-list > li', { has: page.locator('details[open]') });
    await invocation.getByText('delivered a batch').waitFor();
    await invocation.getByRole('link', { name: eventId }).click();
    await page.waitForURL(`**/#events/${eventId}`);
    await page.locator('#events-list details:focus-within[open]').getByText(`eventId ${eventId}`).waitFor();
  });

  await t.test('shows dead letters with their reasons, and replays and deletes them', async () => {
    const eventId = await console.putAbout('x'.repeat(300), 1);
    await console.event(eventId, 'dead letter');
    await page.getByRole('link', { name: 'Queues 1 dead letter' }).click();
    const queue = page.getByRole('region', { name: 'NotificationDeadLetterQueue' });
    const first = await openDeadLetter(queue, 'the record is not a push: the detail of "Entity Updated" is invalid');
    await queue.getByRole('button', { name: `Replay message ${first}` }).click();
    await page.getByText(`Message ${first} was replayed.`).waitFor();

    // It is still invalid, and comes back as another message.
    await queue.getByRole('definition').getByText(first).waitFor({ state: 'detached' });
    const second = await openDeadLetter(queue, 'the record is not a push');
    const remove = queue.getByRole('button', { name: /^Delete/ });
    await remove.click();
    await queue.getByRole('button', { name: /^Really delete/ }).click();
    await page.getByText(`Message ${second} was deleted.`).waitFor();
    await queue.getByText('Empty.').waitFor();

    await console.view('Events');
    const row = await console.event(eventId, 'dead letter');
    await row.locator('summary').first().click();
    await row.getByText('Replayed to NotificationQueue').waitFor();
  });

  await t.test('replays all dead letters to the connected clients', async () => {
    const body = JSON.stringify({
      id: 'replayed-1',
      'detail-type': 'Entity Updated',
      time: '2026-11-21T10:00:00Z',
      detail: { entityId: 'order-1', message: 'late, but here' },
    });
    await stack.call('AmazonSQS.SendMessage', {
      QueueUrl: stack.queues.NotificationDeadLetterQueue,
      MessageBody: body,
      MessageAttributes: { Reason: { DataType: 'String', StringValue: 'not reached in 6 attempts: 500' } },
    });
    await console.view('Queues');
    const queue = page.getByRole('region', { name: 'NotificationDeadLetterQueue' });
    await queue.getByText('not reached in 6 attempts: 500').first().waitFor();
    await queue.getByRole('button', { name: 'Replay all of NotificationDeadLetterQueue' }).click();
    await page.getByText('Replayed 1 dead letter of NotificationDeadLetterQueue.').waitFor();
    await alice.received('late, but here');
    await queue.getByText('Empty.').waitFor();
  });

  await t.test('marks invalid JSON at once, and does not put it', async () => {
    await console.view('Events');
    const message = console.putForm.getByRole('textbox', { name: 'Message' });
    await message.fill('{"state": ');
    await console.putForm.getByText(/^Not valid JSON/).waitFor();
    assert.equal(await message.getAttribute('aria-invalid'), 'true');
    const events = await page.locator('#events-list > li').count();
    await console.putForm.getByRole('button', { name: 'Put event' }).click();
    await console.putForm.getByText('Event not put').waitFor();
    assert.equal(await message.evaluate((field) => field === document.activeElement), true);

    await console.putForm.getByLabel('Text').check();
    await console.putForm.getByRole('textbox', { name: 'Entity' }).fill('order-1');
    const row = await console.event(await console.put(), 'delivered to 1');
    assert.match(await row.locator('summary').first().textContent(), /"{\\"state\\": "/);
    assert.equal(await page.locator('#events-list > li').count(), events + 1);
    await console.putForm.getByLabel('JSON', { exact: true }).check();
  });

  await t.test('shows markup of others as text', async () => {
    const markup = '<img src="x" onerror="globalThis.broken = true">';
    const row = await console.event(await console.putAbout(markup, markup), 'no recipients');
    await row.locator('summary').first().getByText(markup, { exact: true }).waitFor();
    assert.deepEqual([await page.locator('img').count(), await page.evaluate(() => globalThis.broken)], [0, undefined]);
  });

  await t.test('works with the keyboard alone', async () => {
    const keyboard = await openConsole(browser, stack.console, { context: page.context() });
    const keys = keyboard.page.keyboard;
    await keys.press('Tab');
    assert.equal(await focused(keyboard.page), 'skip');
    await tabTo(keyboard.page, 'put-entity');
    await keys.press('ControlOrMeta+A');
    await keys.type('order-1');
    await tabTo(keyboard.page, 'put-message');
    await keys.press('ControlOrMeta+A');
    await keys.type('"by keyboard"');
    await tabTo(keyboard.page, 'put-submit');
    await keys.press('Enter');
    const eventId = await keyboard.eventPut();
    await tabTo(keyboard.page, 'put-id');
    await keys.press('Enter');
    await keyboard.page.locator('#events-list details[open] summary:focus').waitFor();
    await keys.press('Space');
    await keyboard.page.locator('#events-list details:not([open]) summary:focus').waitFor();
    await console.event(eventId, 'delivered to 1');
    assert.deepEqual(keyboard.errors, []);
    await keyboard.page.close();
  });

  await t.test('narrows the events to those of one connection', async () => {
    const before = await page.locator('#events-list > li').count();
    await console.event(await console.putAbout('order-2', 'for no client'), 'no recipients');
    await console.view('Connections');
    const id = await page.locator('#connections-list > li').first().locator('code').textContent();
    await page.getByRole('link', { name: `Events of ${id}` }).click();
    const filter = page.getByRole('searchbox', { name: 'Filter events' });
    await page.locator('#events-list > li').filter({ hasText: 'for no client' }).waitFor({ state: 'detached' });
    assert.equal(await filter.inputValue(), id);
    assert.ok((await page.locator('#events-list > li').count()) > 0);
    await filter.fill('');
    await page.locator('#events-list > li').nth(before).waitFor();
  });

  await t.test('closes a connection, and shows that in the history', async () => {
    await console.view('Connections');
    const cards = page.locator('#connections-list > li');
    const id = await cards.first().locator('code').textContent();
    await page.getByRole('button', { name: `Close ${id}` }).click();
    await page.getByRole('button', { name: `Really close? ${id}` }).click();
    await page.locator('#traffic-list li').filter({ hasText: 'disconnected' }).filter({ hasText: id }).waitFor();
    await cards.filter({ hasNotText: id }).getByText('order-1').waitFor();
    await alice.is('Open');
    const recovered = page.locator('#traffic-list li').filter({ hasText: /recovered0 messages of order-1 since \w{8}\/\d+/ });
    await recovered.filter({ hasNotText: id }).waitFor();
  });

  await t.test('has contents in every view', async () => {
    await console.event(await console.putAbout('x'.repeat(300), 1), 'dead letter');
    await page.getByRole('link', { name: 'Queues 1 dead letter' }).click();
    await openDeadLetter(page.getByRole('region', { name: 'NotificationDeadLetterQueue' }), 'the record is not a push');
    await console.connect('bob');
    await console.view('Events');
    const open = page.locator('#events-list > li > details[open] > summary');
    while ((await open.count()) > 0) await open.first().click();
    const message = { state: 'shipped', carrier: 'Slow & Steady', parcels: [1, 2] };
    await stack.leaveStaleListener('order-1');
    const row = await console.event(await console.putAbout('order-1', message), 'delivered to 1, 1 gone');
    await row.locator('summary').first().click();
    await console.view('Logs');
    const log = page.locator('#logs-list > li').filter({ hasText: 'order-1' });
    if ((await log.locator('details[open]').count()) === 0) await log.locator('summary').first().click();
  });

  for (const [name, viewport] of Object.entries(WINDOWS)) {
    for (const colorScheme of ['light', 'dark']) {
      await t.test(`fits a ${name} in ${colorScheme} colours, and is accessible`, async () => {
        await page.setViewportSize(viewport);
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        for (const view of VIEWS) {
          await console.view(view);
          await console.assertFits();
          await console.assertAccessible();
          await console.screenshot(`${view.toLowerCase().replace(' ', '-')}-${name}-${colorScheme}`);
        }
      });
    }
  }

  await t.test('fits windows between a phone and a desktop', async () => {
    for (const width of OTHER_WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      for (const view of VIEWS) {
        await console.view(view);
        await console.assertFits();
        await console.screenshot(`${view.toLowerCase().replace(' ', '-')}-${width}`);
      }
    }
    await page.setViewportSize(WINDOWS.desktop);
  });

  await t.test('lists 100 of many events, and filters them', async () => {
    await console.view('Events');
    for (let put = 0; put < 30; put += 1) {
      const Entries = Array.from({ length: 10 }, (_, index) => ({
        Source: 'test',
        DetailType: 'Entity Updated',
        Detail: JSON.stringify({ entityId: `many-${put}`, message: index }),
      }));
      await stack.call('AWSEvents.PutEvents', { Entries });
    }
    await page.locator('#events-list > li').filter({ hasText: 'many-29' }).nth(9).waitFor();
    const rows = page.locator('#events-list > li');
    assert.equal(await rows.count(), 100);
    await page.locator('#events').getByRole('button', { name: 'Show more' }).click();
    await rows.nth(199).waitFor();
    await page.getByRole('searchbox', { name: 'Filter events' }).fill('many-7');
    await rows.nth(10).waitFor({ state: 'detached' });
    assert.equal(await rows.count(), 10);
    await page.getByRole('searchbox', { name: 'Filter events' }).fill('herald');
    await page.getByText('No event matches the filter.').waitFor();
  });

  assert.deepEqual(console.errors, []);
});

test('the console of a stack with tokens and a fault', { timeout: 300_000 }, async (t) => {
  const [stack, browser] = await Promise.all([
    startStack(t, '--auth', 'jwks', '--fault', 'post-delay=1ms'),
    startBrowser(t),
  ]);
  const permissions = ['clipboard-read', 'clipboard-write'];
  const context = await browser.newContext({ viewport: WINDOWS.desktop, reducedMotion: 'reduce', permissions });
  const console = await openConsole(browser, stack.console, { context });
  const { page } = console;

  await t.test('names the fault', async () => {
    await page.getByText('Injected faults: post-delay=1ms').waitFor();
  });

  await t.test('copies the command that puts an event', async () => {
    const command = page.locator('.command').filter({ hasText: 'put-events' }).first();
    await command.getByRole('button', { name: 'Copy' }).click();
    await command.getByRole('button', { name: 'Copied' }).waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    assert.equal(copied, await command.locator('code').textContent());
    assert.match(copied, /^AWS_ACCESS_KEY_ID=local /);
  });

  await t.test('names the user of each post, and finds the events of one', async () => {
    for (const user of ['alice', 'bob']) {
      const client = await console.connect(user);
      await client.subscribe(`of-${user}`);
    }
    await console.event(await console.putAbout('of-bob', 1), 'delivered to 1');
    const row = await console.event(await console.putAbout('of-alice', 2), 'delivered to 1');
    await row.locator('summary').first().click();
    assert.match(await row.locator('tbody tr').textContent(), /^alice/);
    await page.getByRole('searchbox', { name: 'Filter events' }).fill('bob');
    await row.waitFor({ state: 'detached' });
    assert.equal(await page.locator('#events-list > li').count(), 1);
  });

  assert.deepEqual(console.errors, []);
});

/** Opens the dead letter with this reason. Resolves to its message id. */
async function openDeadLetter(queue, reason) {
  const row = queue.locator('.rows > li').filter({ hasText: reason });
  await row.locator('summary').click();
  return row.locator('dd').last().textContent();
}

function focused(page) {
  return page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent || '');
}

/** Presses Tab until the element with this id has the focus. Fails if no element of the page is it. */
async function tabTo(page, id) {
  const passed = [];
  while ((await focused(page)) !== id) {
    assert.ok(passed.length < 100, `Tab does not lead to ${id}: ${passed.join(', ')}`);
    await page.keyboard.press('Tab');
    passed.push(await focused(page));
  }
}
