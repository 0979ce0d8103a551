// The client as one file, made by `npm run bundle`.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

import * as modules from '../herald-client.js';
import { FakeSocket } from './fake-socket.js';

const web = fileURLToPath(new URL('../', import.meta.url));

describe('the bundle', () => {
  let folder;
  let bundle;
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'herald-client-'));
    const file = join(folder, 'herald-client.bundle.mjs');
    execFileSync('npm', ['run', '--silent', 'bundle', '--', `--outfile=${file}`, '--log-level=warning'], { cwd: web });
    bundle = await import(pathToFileURL(file));
  });
  after(() => rmSync(folder, { recursive: true }));

  test('exports what the modules export, which is the public API', () => {
    assert.deepEqual(Object.keys(modules), ['HeraldClient', 'HeraldError', 'connect']);
    assert.deepEqual(Object.keys(bundle), Object.keys(modules));
  });

  test('delivers a push to a subscriber', async (t) => {
    const client = bundle.connect('ws://127.0.0.1/dev', { webSocket: FakeSocket });
    t.after(() => client.close({ within: 0 }));
    FakeSocket.last.open();
    const pushes = [];
    const subscribed = client.subscribe('order-1', (push) => pushes.push(push));
    await Promise.resolve();
    FakeSocket.last.receive({ type: 'ack', action: 'subscribe', entityId: 'order-1', id: '1' });
    await subscribed;
    FakeSocket.last.receive({ type: 'Entity Updated', entityId: 'order-1', message: 1, eventId: 'e1' });
    assert.deepEqual(pushes.map(({ message }) => message), [1]);
  });
});
