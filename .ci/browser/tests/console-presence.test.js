// The members of entities in the console: users, connections and frames, in windows of all sizes.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { openConsole, startBrowser } from '../browser.js';
import { startStack } from '../stack.js';

const WIDTHS = [320, 375, 768, 1280, 1440];

test('presence in the console', { timeout: 600_000 }, async (t) => {
  const flags = ['--auth', 'jwks', '--parameter', 'Presence={"room-*":{"interval":1}}'];
  const [stack, browser] = await Promise.all([startStack(t, ...flags), startBrowser(t)]);
  const console = await openConsole(browser, stack.console, { viewport: { width: 1440, height: 900 } });
  const { page } = console;
  const room = page.locator('#presence-list > li').filter({ hasText: 'room-1' });
  const summary = room.locator('summary').first();
  const users = room.locator('.members > li');
  let alice;
  let bob;

  await t.test('lists users with their connections and info', async () => {
    await giveInfo(console, '{"name": "Alice"}');
    alice = await console.connect('alice');
    await alice.subscribe('room-1', { presence: true });
    await giveInfo(console, '');
    bob = await console.connect('bob');
    await bob.subscribe('room-1');
    const second = await openConsole(browser, stack.console, { context: page.context() });
    await giveInfo(second, '{"name": "Alice"}');
    await (await second.connect('alice')).subscribe('room-1');

    await console.view('Presence');
    await summary.getByText('alice ×2, bob').waitFor();
    await summary.getByText('2 here').waitFor();
    await summary.click();
    await users.nth(1).waitFor();
    assert.match(await users.nth(0).textContent(), /^alice2 connections{"name":"Alice"}(.{8,}expires [\d:]{8}.*){2}$/);
    assert.match(await users.nth(1).textContent(), /^bob1 connection.{8,}expires [\d:]{8}/);
    await room.getByText('not announced').first().waitFor({ state: 'detached' });
    await room.getByText('frame due').waitFor({ state: 'detached' });
    assert.match(await room.locator('dl').textContent(), /^Version\d+Count in the last frame2Next framenone is due/);
    assert.equal(await room.getByText('not connected').count(), 0);
    await second.page.close();
    await summary.getByText('alice, bob').waitFor();
  });

  await t.test('shows the frames of a set with their posts', async () => {
    const frame = room.locator('.frames > li').first();
    await frame.locator('summary').click();
    await frame.getByText('2 members, delivered to 1').waitFor();
    assert.match(await frame.locator('tbody').textContent(), /^alice .*200 delivered/);
  });

  await t.test('opens a frame of presence to those who joined and left', async () => {
    await bob.close();
    const frames = alice.region.locator('.frames > li');
    const left = frames.filter({ hasText: 'presence · room-1 · −bob, 1 present' });
    await left.locator('summary').click();
    await left.getByText(/^room-1 at version \d+: 1 present, 0 joined, 1 left\.$/).waitFor();
    assert.equal(await left.locator('.members').textContent(), 'leftbob');
    const snapshot = frames.filter({ hasText: 'ack · subscribe · room-1' });
    await snapshot.locator('summary').click();
    assert.equal(await snapshot.locator('.members').textContent(), 'alice1 connection{"name":"Alice"}');
    await summary.getByText('1 here').waitFor();
    await users.nth(1).waitFor({ state: 'detached' });
  });

  await t.test('links a member to its connection', async () => {
    const link = users.first().getByRole('link');
    await link.nth(1).waitFor({ state: 'detached' });
    const id = await link.textContent();
    await link.click();
    const card = page.locator('#connections-list > li:focus');
    assert.equal(await card.locator('code').textContent(), id);
    await console.view('Presence');
  });

  await t.test('marks members that are not connected', async () => {
    await putMember(stack, 'carol#PcQeDRO4gIEm4LQ=', 'carol');
    await putMember(stack, '#PcQeDRO4gIEm4L0=');
    await stack.put('room-1', 'a record');
    await users.filter({ hasText: 'carol' }).getByText('not connected').waitFor();
    await users.filter({ hasText: 'anonymous' }).getByText('not connected').waitFor();
    assert.match(await users.last().textContent(), /^anonymous/);
    await summary.getByText('alice, carol, 1 anonymous').waitFor();
  });

  await t.test('shows the count alone of a set that is too large for a list', async () => {
    await putSet(stack, 'room-2', 5210);
    await stack.put('room-1', 'another record');
    const large = page.locator('#presence-list > li').filter({ hasText: 'room-2' });
    await large.getByText('5,210 here').waitFor();
    await large.locator('summary').first().click();
    await large.getByText('More than 200 members').waitFor();
    await page.getByRole('searchbox', { name: 'Filter presence' }).fill('room-1');
    await large.waitFor({ state: 'detached' });
    await page.getByRole('searchbox', { name: 'Filter presence' }).fill('');
    await large.waitFor();
  });

  await t.test('shows long ids and infos', async () => {
    await putMember(stack, `${'x'.repeat(120)}#PcQeDRO4gIEm4L2=`, 'y'.repeat(250));
    await stack.put('room-1', 'a third record');
    await users.filter({ hasText: 'xxx' }).getByText('yyy').waitFor();
  });

  for (const colorScheme of ['light', 'dark']) {
    await t.test(`fits all windows in ${colorScheme} colours, and is accessible`, async () => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: 900 });
        for (const view of ['Presence', 'Try it']) {
          await console.view(view);
          await console.assertFits();
          await console.assertAccessible();
          await console.screenshot(`${view.toLowerCase().replace(' ', '-')}-members-${width}-${colorScheme}`);
        }
      }
    });
  }

  assert.deepEqual(console.errors, []);
});

/** Gives the tokens of the next clients this info. */
async function giveInfo({ page }, info) {
  const field = page.getByLabel('Info');
  if (!(await field.isVisible())) await page.locator('#connect-token summary').click();
  await field.fill(info);
}

/** Writes the row of a member of room-1 that a frame has told of. */
function putMember(stack, key, info) {
  const endsAt = Math.floor(Date.now() / 1000) + 10 * 60;
  return putRow(stack, 'room-1', key, {
    ...(info && { info: { S: JSON.stringify(info) } }),
    change: { N: '1' },
    announced: { BOOL: true },
    endsAt: { N: String(endsAt) },
  });
}

/** Writes the set of an entity. */
function putSet(stack, entity, count) {
  return putRow(stack, entity, '!', { version: { N: '7' }, count: { N: String(count) }, turn: { N: '7' } });
}

function putRow(stack, entity, key, attributes) {
  const Item = { pk: { S: `P#${entity}` }, sk: { S: key }, ...attributes };
  return stack.call('DynamoDB_20120810.PutItem', { TableName: stack.tables.Table, Item });
}
