// The package on npm, made by `npm run package`, as an application installs it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createContext, runInContext } from 'node:vm';

const web = fileURLToPath(new URL('../', import.meta.url));

const USE = `
const client = connect('ws://127.0.0.1/dev', { webSocket: class { addEventListener() {} close() {} } });
const Look = () => (useHerald() === client ? 'found' : 'lost');
const html = renderToString(createElement(HeraldProvider, { client }, createElement(Look)));
client.subscribe('a', () => {}).catch((error) => console.log(html, error instanceof HeraldError, error.kind));
client.close({ within: 0 });
// Node.js has no SharedWorker and no IndexedDB.
const shared = connectShared('ws://127.0.0.1/dev', { webSocket: class { addEventListener() {} close() {} }, outbox: indexedDbOutbox('a') });
shared.send({ message: 1 }).catch((error) => console.log(shared instanceof HeraldClient, error instanceof HeraldError, error.kind));
shared.close({ within: 0 });
`;

const PROGRAMS = {
  'app.mjs': `
import { connect, HeraldClient, HeraldError } from 'herald-client';
import { indexedDbOutbox } from 'herald-client/outbox';
import { HeraldProvider, useHerald } from 'herald-client/react';
import { connect as connectShared } from 'herald-client/shared';
import { createElement } from 'react';
import { renderToString } from 'react-dom/server';
${USE}`,
  'app.cjs': `
const { connect, HeraldClient, HeraldError } = require('herald-client');
const { indexedDbOutbox } = require('herald-client/outbox');
const { HeraldProvider, useHerald } = require('herald-client/react');
const { connect: connectShared } = require('herald-client/shared');
const { createElement } = require('react');
const { renderToString } = require('react-dom/server');
${USE}`,
};

describe('the package', () => {
  let folder;
  let installed;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'herald-package-'));
    const modules = join(folder, 'node_modules');
    installed = join(modules, 'herald-client');
    mkdirSync(modules);
    execFileSync(process.execPath, ['build-package.js', `--outdir=${installed}`], { cwd: web });
    for (const name of ['react', 'react-dom', 'scheduler']) {
      symlinkSync(join(web, 'node_modules', name), join(modules, name));
    }
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const [program, source] of Object.entries(PROGRAMS)) {
    test(`works in ${program}`, () => {
      writeFileSync(join(folder, program), source);
      const output = execFileSync(process.execPath, [program], { cwd: folder, encoding: 'utf8' });
      assert.deepEqual(output.trim().split('\n').sort(), ['found true stopped', 'true true notKept']);
    });
  }

  test('has a bundle for a script tag, which defines herald', () => {
    const page = createContext({ URL });
    runInContext(readFileSync(join(installed, 'herald-client.min.js'), 'utf8'), page);
    assert.deepEqual(runInContext('Object.keys(herald).sort()', page).join(), 'HeraldClient,HeraldError,connect');
  });

  test('has its licences, and nothing of its development', () => {
    for (const name of ['LICENSE-MIT', 'LICENSE-APACHE', 'README.md']) assert.ok(existsSync(join(installed, name)), name);
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    assert.deepEqual([manifest.devDependencies, manifest.scripts, manifest.private], [undefined, undefined, undefined]);
  });
});
