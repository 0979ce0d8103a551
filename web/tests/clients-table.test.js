// The table of docs/clients.md, "which client has what", beside what the tests of each client run.
//
// A row names the files of its cases, or its tests are listed here. A client has it exactly if its runner runs these
// files, or if these tests exist.

import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { describe, test } from 'node:test';

const root = new URL('../../', import.meta.url);
const SHARED = 'client/tests/behaviour/';

/** The runner of each client: the folders of its cases, and the list of the files in them that it skips. */
const RUNNERS = {
  JavaScript: { runner: 'web/tests/behaviour.test.js', folders: [SHARED, 'web/tests/behaviour/'] },
  Rust: { runner: 'client/src/machine/behaviour.rs', folders: [SHARED] },
  Python: { runner: 'python/herald-client/tests/test_behaviour.py', folders: [SHARED], skipped: /^LACKING.* = \{(.*)\}$/m },
  Dart: { runner: 'dart/herald_client/test/support/cases.dart', folders: [SHARED] },
};

/** The tests of rows without cases: a file for each client that has the row's subject, and words in it. */
const TESTS = {
  'status of a refused handshake': {
    JavaScript: ['web/tests/client.test.js', 'Unexpected server response: 403'],
    Rust: ['client/tests/end_to_end/authentication.rs', 'StopReason::Refused { status: Some(401) }'],
    Python: ['python/herald-client/tests/test_connecting.py', 'refused'],
    Dart: ['dart/herald_client/test/io_test.dart', 'refused'],
  },
  'hints of network and foreground': {
    JavaScript: ['web/tests/react-native.test.js', 'networkDown'],
    Rust: ['client/src/machine/behaviour.rs', 'networkDown'],
    Python: ['python/herald-client/tests/test_behaviour.py', 'networkDown'],
    Dart: ['dart/herald_flutter/test/life_cycle_test.dart', 'foreground'],
  },
  'publishers for backends': {
    Python: ['python/herald-client/tests/test_publishing.py', 'put_events'],
  },
  'an outbox that survives a restart': {
    JavaScript: ['.ci/browser/tests/outbox.test.js', 'after a reload'],
  },
  'one connection for all tabs': {
    JavaScript: ['.ci/browser/tests/shared.test.js', 'have one connection'],
  },
};

/** The subjects of the cases that every client runs. */
const OF_EVERY_CLIENT = ['connection, outbox, renewals, refusals, sleep', 'continuity: '];

const text = (path) => readFileSync(new URL(path, root), 'utf8');
const cellsOf = (line) => line.split('|').slice(1, -1).map((cell) => cell.trim());
const clients = Object.keys(RUNNERS);

// The first table of the page.
const [head, , ...lines] = /(^\|.*\n)+/m.exec(text('docs/clients.md'))[0].trim().split('\n').map(cellsOf);
const rows = lines.map(([subject, ...cells]) => ({
  subject: subject.replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'),
  cases: Array.from(subject.matchAll(/`(\w+\.json)`/g), ([, file]) => file),
  has: (client) => cells[clients.indexOf(client)] !== 'no',
}));

/** Returns the case files that a client skips, as its runner declares them. */
function skippedBy(client) {
  const { runner, skipped } = RUNNERS[client];
  if (!skipped) return [];
  const [, list] = skipped.exec(text(runner)) ?? assert.fail(`${runner} declares no list of the files that it skips`);
  return Array.from(list.matchAll(/["']([\w.]+)["']/g), ([, file]) => file);
}

/** Returns the case files that a client runs. */
function runBy(client) {
  const folders = RUNNERS[client].folders.filter((folder) => existsSync(new URL(folder, root)));
  const files = folders.flatMap((folder) => readdirSync(new URL(folder, root))).filter((file) => file.endsWith('.json'));
  return files.filter((file) => !skippedBy(client).includes(file));
}

/** Fails unless a row says what the tests of a client show. */
function check({ subject, cases, has }, client) {
  if (OF_EVERY_CLIENT.some((start) => subject.startsWith(start))) return assert.ok(has(client));
  for (const file of cases) {
    assert.equal(runBy(client).includes(file), has(client), `${RUNNERS[client].runner} runs ${file}`);
  }
  if (cases.length > 0) return;
  assert.ok(TESTS[subject], 'the row names its cases, or is in the list of tests');
  const [file, words] = TESTS[subject][client] ?? [];
  assert.equal(file !== undefined, has(client), `${client} has a test in the list`);
  if (file) assert.ok(text(file).includes(words), `${file} has "${words}"`);
}

describe('the table of clients', () => {
  test('has a column for each client with a runner', () => assert.deepEqual(head.slice(1), clients));

  for (const row of rows) {
    for (const client of clients) {
      test(`says of ${client} what its tests show about "${row.subject}"`, () => check(row, client));
    }
  }

  for (const client of clients) {
    test(`has "no" for each file that the runner of ${client} skips or does not have`, () => {
      const shared = readdirSync(new URL(SHARED, root)).filter((file) => file.endsWith('.json'));
      const missing = shared.filter((file) => !runBy(client).includes(file));
      const admitted = rows.filter(({ has }) => !has(client)).flatMap(({ cases }) => cases);
      for (const file of [...missing, ...skippedBy(client)]) assert.ok(admitted.includes(file), file);
    });
  }
});
