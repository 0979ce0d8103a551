// A headless Chromium, and the console page in it as a person uses it: by the labels of buttons and fields.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { chromium } from 'playwright-core';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The longest wait for anything on a busy machine, in milliseconds. */
const PATIENCE = 60_000;

/** Starts a browser that ends after the test. */
export async function startBrowser(test) {
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? 'chromium' });
  test.after(() => browser.close());
  return browser;
}

/**
 * Opens the console at an address, in its own browser profile unless a `context` is given. With `clock` a test can move
 * the time of the page.
 */
export async function openConsole(browser, address, { view = '', clock = false, context, ...options } = {}) {
  const profile = context ?? (await browser.newContext({ reducedMotion: 'reduce', ...options }));
  profile.setDefaultTimeout(PATIENCE);
  const page = new ConsolePage(await profile.newPage());
  if (clock) await page.page.clock.install();
  await page.open(`${address}#${view}`);
  return page;
}

export class ConsolePage {
  /** The uncaught exceptions of the page. */
  exceptions = [];
  /** The exceptions and the browser's own errors and warnings. */
  errors = [];

  constructor(page) {
    this.page = page;
    page.on('pageerror', ({ message }) => {
      this.exceptions.push(message);
      this.errors.push(message);
    });
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.errors.push(message.text());
    });
  }

  async open(address) {
    await this.page.goto(address);
    await this.isLive();
  }

  isLive() {
    return this.page.getByText(/^Live at /).waitFor();
  }

  /** Goes to one of the views. */
  async view(name) {
    await this.page.getByRole('navigation').getByRole('link', { name }).click();
  }

  /** Connects a client. Resolves once it is open. */
  async connect(user) {
    const client = await this.startClient(user);
    await client.is('Open');
    return client;
  }

  async startClient(user) {
    await this.page.getByRole('form', { name: 'Connect a client' }).getByLabel('User').fill(user);
    await this.page.getByRole('button', { name: 'Connect', exact: true }).click();
    return new Client(this.page.getByRole('region', { name: `Client ${user}` }));
  }

  get putForm() {
    return this.page.getByRole('form', { name: 'Put an event' });
  }

  /** Puts an event about an entity. Resolves to its id. */
  async putAbout(entity, message) {
    await this.putForm.getByRole('textbox', { name: 'Entity' }).fill(entity);
    await this.putForm.getByRole('textbox', { name: 'Message' }).fill(JSON.stringify(message));
    return this.put();
  }

  /** Puts an event of another kind, about a user. */
  async putAboutUser(kind, user) {
    await this.putForm.getByRole('combobox').selectOption({ label: kind });
    await this.putForm.getByRole('textbox', { name: 'User' }).fill(user);
    return this.put();
  }

  /** Puts the event of the form. */
  async put() {
    await this.putForm.getByRole('button', { name: 'Put event' }).click();
    return this.eventPut();
  }

  /** Resolves to the id of the event that was put, once it differs from the one before. */
  async eventPut() {
    const link = this.putForm.getByRole('status').getByRole('link');
    await link.and(this.page.locator(`:not([href="${this.lastPut ?? ''}"])`)).waitFor();
    this.lastPut = await link.getAttribute('href');
    return link.textContent();
  }

  /** Resolves to the row of an event, once it has this outcome. */
  async event(id, outcome) {
    const row = this.page.locator('#events-list > li').filter({ hasText: id });
    await row.locator('summary').first().getByText(outcome, { exact: true }).waitFor({ state: 'attached' });
    return row;
  }

  /** Fails if the page is wider than its window, or a text than its box, unless that scrolls or clips it. */
  async assertFits() {
    const [content, window] = await this.page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `the page is ${content} px wide, its window ${window}`);
    const overflowing = await this.page.evaluate(() => {
      const nodes = Array.from(document.querySelectorAll('body *:not(.hidden-label)'));
      // An inline element has no width of its own.
      const overflows = ({ scrollWidth, clientWidth }) => clientWidth > 0 && scrollWidth > clientWidth + 1;
      const isVisible = (node) => getComputedStyle(node).overflowX === 'visible';
      return nodes.filter((node) => overflows(node) && isVisible(node)).map((node) => node.outerHTML.slice(0, 200));
    });
    assert.deepEqual(overflowing, [], `${window} px`);
  }

  /** Fails if axe finds a serious barrier. */
  async assertAccessible() {
    await this.page.evaluate(axe);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run());
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    assert.deepEqual(grave.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)]), []);
  }

  async screenshot(name) {
    const path = fileURLToPath(new URL(`screenshots/${name}.png`, import.meta.url));
    await this.page.screenshot({ path, fullPage: true });
  }
}

/** One client in the page. */
class Client {
  constructor(region) {
    this.region = region;
  }

  /** Resolves once one of its statuses has this text. */
  is(state) {
    return this.region.getByRole('status').getByText(state).waitFor();
  }

  async subscribe(entity, { presence = false } = {}) {
    await this.region.getByLabel('Entity').first().fill(entity);
    await this.region.getByLabel('Presence').setChecked(presence);
    await this.region.getByRole('button', { name: 'Subscribe' }).click();
    await this.region.getByText(`Subscribed to ${entity}.`).waitFor();
  }

  /** Sends a message to an entity, without waiting for the reply. */
  async send(entity, message) {
    await this.region.getByRole('combobox').selectOption({ label: 'to an entity' });
    await this.region.getByLabel('Entity').last().fill(entity);
    await this.region.getByLabel('Message').fill(message);
    await this.region.getByRole('button', { name: 'Send' }).click();
  }

  /** Sends a raw frame, past the client. */
  async sendFrame(text) {
    await this.region.getByRole('combobox').selectOption({ label: 'a raw frame' });
    await this.region.getByLabel('Message').fill(text);
    await this.region.getByRole('button', { name: 'Send' }).click();
  }

  /** Resolves to the received frames with this text, once there are any. */
  async received(text) {
    const frames = this.region.locator('.frames li').filter({ hasText: 'received' }).filter({ hasText: text });
    await frames.first().waitFor();
    return frames.allTextContents();
  }

  /** Resolves to all received frames, newest first. */
  frames() {
    return this.region.locator('.frames li').filter({ hasText: 'received' }).allTextContents();
  }

  async close() {
    await this.region.getByRole('button', { name: 'Close' }).click();
    await this.is('Closed');
  }
}
