// The table of docs/clients.md, "which client has what", beside what the tests of each client run.
//
// A row names the files of its cases, which every client runs, or its tests are listed here. Then a client has it exactly
// if these tests exist.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';

const root = new URL('../../', import.meta.url);
const SHARED = 'client/tests/behaviour/';

/** The runner of each client's cases, and the words in it that read the whole folder of shared cases. */
const RUNNERS = {
  JavaScript: ['web/tests/behaviour.test.js', 'readdirSync(folder)'],
  Rust: ['client/src/machine/behaviour.rs', 'read_dir'],
  Python: ['python/herald-client/tests/test_behaviour.py', 'FOLDER.glob("*.json")'],
  Dart: ['dart/herald_client/test/support/cases.dart', 'folder.listSync()'],
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

/** Fails unless a row says what the tests of a client show. */
function check({ subject, cases, has }, client) {
  if (OF_EVERY_CLIENT.some((start) => subject.startsWith(start))) return assert.ok(has(client));
  for (const file of cases) {
    assert.ok(existsSync(new URL(SHARED + file, root)), file);
    assert.ok(has(client), `${client} runs every shared case`);
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

  for (const [client, [file, words]] of Object.entries(RUNNERS)) {
    test(`is of a ${client} client that runs every shared case`, () => {
      assert.ok(text(file).includes(words), `${file} has "${words}"`);
    });
  }
});
