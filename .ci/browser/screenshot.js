// Makes docs/console.png, the picture of the console in the README: two clients, and an event that is open.

import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { openConsole, startBrowser } from './browser.js';
import { startStack } from './stack.js';

const PICTURE = fileURLToPath(new URL('../../docs/console.png', import.meta.url));

test('screenshot for the README', async (t) => {
  const [stack, browser] = await Promise.all([startStack(t), startBrowser(t)]);
  const console = await openConsole(browser, stack.console, { viewport: { width: 1360, height: 1000 } });
  const [alice, bob] = [await console.connect('alice'), await console.connect('bob')];
  for (const client of [alice, bob]) await client.subscribe('order-1');
  await alice.send('order-1', 'Where is my order?');
  await bob.received('Where is my order?');
  const message = { state: 'shipped', carrier: 'Slow & Steady' };
  const row = await console.event(await console.putAbout('order-1', message), 'delivered to 2');
  await row.locator('summary').first().click();
  await console.page.evaluate(() => scrollTo(0, 0));
  await alice.region.evaluate((region) => (region.closest('#try').scrollTop = region.offsetTop));
  await console.page.mouse.move(0, 0);
  await console.page.screenshot({ path: PICTURE });
});
