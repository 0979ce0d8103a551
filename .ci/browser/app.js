// An application in a browser that keeps what it received, and its position, over reloads of its page.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const web = new URL('../../web/', import.meta.url);

const EMPTY_PAGE = '<!doctype html><title>A page</title>';

const PAGE = `<!doctype html>
<title>An application</title>
<script type="module">
  import { connect } from '/herald-client.js';

  const { url, entity, options } = JSON.parse(decodeURIComponent(location.search.slice(1)));
  const { received, lost, position } = JSON.parse(sessionStorage.getItem('app') ?? '{"received":[],"lost":[]}');
  let subscription;
  const save = () => {
    const state = { received, lost, position: subscription?.position ?? received.at(-1)?.position ?? position };
    sessionStorage.setItem('app', JSON.stringify(state));
  };
  const client = connect(url, options);
  const transports = [];
  client.onState(({ transport }) => {
    if (transport) transports.push(transport);
  });
  client.onLost((loss) => {
    lost.push(loss);
    save();
  });
  // The message and the position are saved together, so a reload between two messages repeats and loses none.
  const onMessage = ({ message, epoch, offset }) => {
    received.push({ message, position: { epoch, offset } });
    save();
  };
  subscription = await client.subscribe(entity, { onMessage, recover: position });
  save();

  let last = performance.now();
  globalThis.app = { received, lost, transports, client, longestPause: 0 };
  setInterval(() => {
    const now = performance.now();
    app.longestPause = Math.max(app.longestPause, now - last);
    last = now;
  }, 50);
</script>`;

/** Starts the server of the application's page. It ends after the test. */
export async function startApp(test) {
  const app = new App();
  test.after(() => app.end());
  await app.listen();
  return app;
}

class App {
  #server = createServer((request, response) => this.#answer(request, response));
  #held;

  async listen() {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  get address() {
    return `http://127.0.0.1:${this.#server.address().port}/`;
  }

  /** The address of a page without an application, of the same origin. */
  get emptyPage() {
    return `${this.address}empty`;
  }

  end() {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /**
   * Opens the application in a tab of its own.
   *
   * @param {{ url: string, entity: string, options?: object }} settings the address of the stack, the entity that the
   * application shows, and the client's options.
   */
  async open(browser, settings) {
    const context = await browser.newContext();
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    await page.goto(`${this.address}?${encodeURIComponent(JSON.stringify(settings))}`);
    const tab = new Tab(page);
    await tab.isSubscribed();
    return tab;
  }

  /** Keeps the next page back until `release` of the result is called. `requested` resolves once a tab asks for it. */
  holdPage() {
    const held = {};
    const requested = new Promise((resolve) => (held.request = resolve));
    held.released = new Promise((resolve) => (held.release = resolve));
    this.#held = held;
    return { requested, release: held.release };
  }

  async #answer({ url }, response) {
    const { pathname } = new URL(url, 'http://localhost');
    if (pathname === '/') {
      const held = this.#held;
      this.#held = undefined;
      held?.request();
      await held?.released;
      return response.setHeader('content-type', 'text/html').end(PAGE);
    }
    if (pathname === '/empty') return response.setHeader('content-type', 'text/html').end(EMPTY_PAGE);
    try {
      const text = await readFile(new URL(`.${pathname}`, web));
      response.setHeader('content-type', 'text/javascript').end(text);
    } catch {
      response.writeHead(404).end();
    }
  }
}

/** One tab with the application. */
class Tab {
  constructor(page) {
    this.page = page;
  }

  isSubscribed() {
    return this.page.waitForFunction(() => globalThis.app);
  }

  /** Resolves to everything that was received, once that is so much. */
  async received(count) {
    await this.page.waitForFunction((enough) => globalThis.app?.received.length >= enough, count);
    return this.page.evaluate(() => globalThis.app.received);
  }

  losses() {
    return this.page.evaluate(() => globalThis.app.lost);
  }

  /** Resolves to the transport of each time that the client opened, or changed over. */
  transports() {
    return this.page.evaluate(() => globalThis.app.transports);
  }
}
