// The hooks for React, rendered by React DOM, with sockets whose other end is the test.

import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { act, newRoot, ServerSocket } from './react-page.js';
import { FakeSocket } from './fake-socket.js';
import { connect } from 'herald-client';
import { HeraldProvider, useHerald, useHeraldState, usePresence, useSubscription } from 'herald-client/react';
import { Component, createElement as element, StrictMode, useLayoutEffect } from 'react';
import { renderToString } from 'react-dom/server';

const url = 'ws://127.0.0.1/dev';
const options = { webSocket: ServerSocket };
const app = (...children) => element(StrictMode, null, element(HeraldProvider, { url, options }, ...children));

function Watcher({ entity, heard, settings = {} }) {
  const { subscription, error } = useSubscription(entity, { ...settings, onMessage: ({ message }) => heard(message) });
  return subscription?.entityId ?? error?.message ?? 'pending';
}

function Present({ entity, changed }) {
  const { count, members, error } = usePresence(entity, changed);
  return error?.message ?? `${count}: ${Array.from(members?.keys() ?? []).join(' ')};`;
}

/** Acts between the render with another entity and the effects of the hooks. */
function Early({ entity, act: actEarly }) {
  useLayoutEffect(() => {
    if (entity !== 'a') actEarly();
  });
}

beforeEach(() => ServerSocket.reset());

describe('a provider', () => {
  test('in StrictMode opens one connection, and closes it when it is unmounted', async (t) => {
    const root = newRoot(t);
    await root.settle(app());
    assert.equal(FakeSocket.all.length, 1);
    await root.settle(null);
    assert.deepEqual([FakeSocket.all.length, FakeSocket.last.closed], [1, 1000]);
  });

  test('with a new address closes the old connection and opens another', async (t) => {
    const root = newRoot(t);
    const heard = [];
    const at = (address) =>
      element(HeraldProvider, { url: address, options }, element(Watcher, { entity: 'a', heard: (n) => heard.push(n) }));
    await root.settle(at(url));
    await root.settle(at('ws://127.0.0.1/other'));
    assert.deepEqual(FakeSocket.all.map((socket) => [socket.url, socket.closed]), [
      [url, 1000],
      ['ws://127.0.0.1/other', undefined],
    ]);
    await act(async () => ServerSocket.put('a', 1));
    assert.deepEqual(heard, [1]);
  });

  test('passes on a client of the application, and does not close it', async (t) => {
    const client = connect(url, options);
    t.after(() => client.close({ within: 0 }));
    const root = newRoot(t);
    let seen;
    const Look = () => void (seen = useHerald());
    await root.settle(element(StrictMode, null, element(HeraldProvider, { client }, element(Look))));
    assert.equal(seen, client);
    await root.settle(null);
    assert.equal(client.state.name, 'open');
  });

  test('asks the token callback of the last render', async (t) => {
    const root = newRoot(t);
    const as = (user) => {
      const own = { ...options, token: async () => `${user}.b.c`, backoffBase: 0 };
      return element(HeraldProvider, { url, options: own });
    };
    await root.settle(as('alice'));
    await root.settle(as('bob'));
    await act(async () => {
      FakeSocket.last.end();
      while (FakeSocket.all.length < 2) await new Promise((resolve) => setTimeout(resolve, 1));
    });
    assert.deepEqual(FakeSocket.all.map(({ protocols }) => protocols[1]), ['alice.b.c', 'bob.b.c']);
  });

  test('with an invalid address throws to the error boundary', async (t) => {
    class Boundary extends Component {
      state = {};
      static getDerivedStateFromError = ({ message }) => ({ message });
      render = () => this.state.message ?? this.props.children;
    }
    t.mock.method(console, 'error', () => {});
    const root = newRoot(t);
    await root.settle(element(Boundary, null, element(HeraldProvider, { url: 'https://example.com', options })));
    assert.match(root.text, /^the address must start with wss/);
  });

  test('that is missing is an error', (t) => {
    const Look = () => void useHerald();
    assert.throws(() => renderToString(element(Look)), { message: /needs a HeraldProvider/ });
  });
});

describe('on a server', () => {
  test('everything renders, nothing connects, and a page hydrates it', async (t) => {
    const State = () => element('b', null, useHeraldState().name);
    const tree = app(element(State), element(Watcher, { entity: 'a', heard() {} }));
    const html = renderToString(tree);
    assert.equal(html, '<b>connecting</b>pending');
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(FakeSocket.all, []);

    const root = newRoot(t, { html, tree });
    await root.settle();
    assert.deepEqual([root.text, root.problems, FakeSocket.all.length], ['opena', [], 1]);
  });
});

describe('useHeraldState', () => {
  test('follows the connection', async (t) => {
    const root = newRoot(t);
    const names = new Set();
    const State = () => void names.add(useHeraldState().name);
    await root.settle(app(element(State)));
    await act(async () => FakeSocket.last.end());
    assert.deepEqual(Array.from(names), ['connecting', 'open', 'reconnecting']);
  });
});

describe('useSubscription', () => {
  test('in StrictMode subscribes once and hears a message once', async (t) => {
    const root = newRoot(t);
    const heard = [];
    await root.settle(app());
    ServerSocket.position = { epoch: 'x', offset: 0 };
    await root.settle(app(element(Watcher, { entity: 'a', heard: (message) => heard.push(message) })));
    assert.equal(root.text, 'a');
    await act(async () => ServerSocket.put('a', 1));
    assert.deepEqual([heard, ServerSocket.requests('subscribe'), ServerSocket.requests('unsubscribe')], [[1], 1, 0]);
  });

  test('calls the handler of the last render, and does not subscribe again', async (t) => {
    const root = newRoot(t);
    const heard = [];
    for (const render of [1, 2, 3]) {
      await root.settle(app(element(Watcher, { entity: 'a', heard: (message) => heard.push([render, message]) })));
    }
    await act(async () => ServerSocket.put('a', 'x'));
    assert.deepEqual([heard, ServerSocket.requests('subscribe')], [[[3, 'x']], 1]);
  });

  test('with another entity leaves the first', async (t) => {
    const root = newRoot(t);
    const heard = [];
    const to = (entity) => app(element(Watcher, { entity, heard: (message) => heard.push([entity, message]) }));
    await root.settle(to('a'));
    await root.settle(to('b'));
    assert.equal(root.text, 'b');
    await act(async () => (ServerSocket.put('a', 1), ServerSocket.put('b', 2)));
    assert.deepEqual(heard, [['b', 2]]);
    root.render(to('c'));
    await root.settle(to(null));
    assert.equal(root.text, 'pending');
    assert.deepEqual(Object.fromEntries(ServerSocket.subscriptions), { a: 0, b: 0, c: 0 });
  });

  test('with another entity hears nothing of the first, though its effect ends that later', async (t) => {
    const root = newRoot(t);
    const heard = [];
    const to = (entity) =>
      app(
        element(Early, { entity, act: () => ServerSocket.put('a', 1) }),
        element(Watcher, { entity, heard: (message) => heard.push([entity, message]) }),
      );
    await root.settle(to('a'));
    await root.settle(to('b'));
    assert.deepEqual(heard, []);
  });

  test('with another entity renders no answer about the first', async (t) => {
    const root = newRoot(t);
    const rendered = [];
    function Look({ entity }) {
      rendered.push([entity, useSubscription(entity, () => {}).subscription?.entityId]);
    }
    await root.settle(app(element(Look, { entity: 'a' })));
    await root.settle(app(element(Look, { entity: 'b' })));
    assert.deepEqual(rendered.filter(([entity, answer]) => answer && answer !== entity), []);
    assert.deepEqual(rendered.at(-1), ['b', 'b']);
  });

  test('tells that the server refused', async (t) => {
    const root = newRoot(t);
    ServerSocket.refused.add('a');
    await root.settle(app(element(Watcher, { entity: 'a', heard() {} })));
    assert.equal(root.text, 'no');
  });

  test('loads the state, and tells of lost messages', async (t) => {
    const root = newRoot(t);
    const told = [];
    const [first, second] = [{ epoch: 'x', offset: 4 }, { epoch: 'y', offset: 9 }];
    let position = first;
    const settings = {
      state: async () => (told.push('state'), { position }),
      onLost: (event) => told.push(event),
    };
    const watcher = element(Watcher, { entity: 'a', heard() {}, settings });
    ServerSocket.position = first;
    await root.settle(element(HeraldProvider, { url, options: { ...options, backoffBase: 0 } }, watcher));
    ServerSocket.position = { ...second, recovered: false };
    position = second;
    await act(async () => {
      FakeSocket.last.end();
      while (told.length < 3) await new Promise((resolve) => setTimeout(resolve, 1));
    });
    assert.deepEqual(told, ['state', { position: second }, 'state']);
  });

  test('of an unmounted component leaves no memory in the client', async (t) => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc');
    const client = connect(url, options);
    t.after(() => client.close({ within: 0 }));
    const root = newRoot(t);
    const handlers = [];
    const watcher = (number) => {
      const heard = () => {};
      handlers.push(new WeakRef(heard));
      return element(Watcher, { key: number, entity: `e${number}`, heard });
    };
    const tree = (...children) => element(StrictMode, null, element(HeraldProvider, { client }, ...children));
    // The second half is unmounted before the server answers.
    await root.settle(tree(...[1, 2, 3, 4].map(watcher)));
    root.render(tree(...[5, 6, 7, 8].map(watcher)));
    await root.settle(tree());
    await root.settle(null);
    await root.settle(tree());
    for (let rounds = 20; rounds > 0 && handlers.some((handler) => handler.deref()); rounds -= 1) {
      await root.settle();
      collect();
    }
    assert.equal(handlers.filter((handler) => handler.deref()).length, 0);
    assert.equal(client.state.name, 'open');
  });

  test('of 100 components that mount at random keeps one subscription per entity and doubles no callback', async (t) => {
    const root = newRoot(t);
    const random = seeded(16);
    const mounted = new Map();
    const heard = new Map();
    const watcher = (number) => {
      const hear = (message) => heard.set(number, [...(heard.get(number) ?? []), message]);
      return element(Watcher, { key: `${number} ${mounted.get(number)}`, entity: `e${number % 10}`, heard: hear });
    };
    for (let round = 0; round < 60; round += 1) {
      for (let number = 0; number < 100; number += 1) {
        if (random() < 0.4) mounted.delete(number);
        else if (random() < 0.4) mounted.set(number, round);
      }
      const tree = app(...Array.from(mounted.keys(), watcher));
      if (random() < 0.5) root.render(tree);
      else await root.settle(tree);
      if (random() < 0.5) continue;
      await root.settle();
      const wanted = new Set(Array.from(mounted.keys(), (number) => `e${number % 10}`));
      for (const [entity, count] of ServerSocket.subscriptions) assert.equal(count, Number(wanted.has(entity)), entity);
      heard.clear();
      await act(async () => wanted.forEach((entity) => ServerSocket.put(entity, round)));
      assert.deepEqual(new Set(heard.keys()), new Set(mounted.keys()));
      for (const messages of heard.values()) assert.deepEqual(messages, [round]);
    }
    await root.settle(app());
    assert.deepEqual(new Set(ServerSocket.subscriptions.values()), new Set([0]));
    assert.equal(FakeSocket.all.length, 1);
  });
});

describe('usePresence', () => {
  test('in StrictMode subscribes once, and renders every change', async (t) => {
    const root = newRoot(t);
    ServerSocket.users = ['alice'];
    await root.settle(app(element(Present, { entity: 'a' })));
    assert.equal(root.text, '1: alice;');
    await act(async () => ServerSocket.join('bob'));
    assert.equal(root.text, '2: alice bob;');
    assert.deepEqual([ServerSocket.requests('subscribe'), ServerSocket.requests('unsubscribe')], [1, 0]);
  });

  test('shares one subscription with useSubscription, and calls the handler of the last render', async (t) => {
    const root = newRoot(t);
    const heard = [];
    const tree = (render) =>
      app(
        element(Watcher, { entity: 'a', heard: (message) => heard.push(message) }),
        element(Present, { entity: 'a', changed: ({ joined }) => heard.push([render, joined.length]) }),
      );
    await root.settle(tree(1));
    await root.settle(tree(2));
    await act(async () => (ServerSocket.join('bob'), ServerSocket.put('a', 'x')));
    assert.deepEqual(heard, [[1, 0], [2, 1], 'x']);
    assert.equal(ServerSocket.requests('subscribe'), 1);
  });

  test('leaves the subscription to the others when it is unmounted, and is unknown for no entity', async (t) => {
    const root = newRoot(t);
    const watcher = element(Watcher, { key: 'watcher', entity: 'a', heard() {} });
    const present = (entity) => element(Present, { key: 'present', entity });
    await root.settle(app(watcher, present('a')));
    assert.deepEqual(Array.from(ServerSocket.watched), ['a']);
    await root.settle(app(watcher, present(null)));
    assert.deepEqual([root.text, ServerSocket.watched.size, ServerSocket.subscriptions.get('a')], ['anull: ;', 0, 1]);
    await root.settle(app(watcher, present('a')));
    assert.deepEqual([root.text, ServerSocket.subscriptions.get('a')], ['a0: ;', 1]);
    await root.settle(app());
    assert.equal(ServerSocket.subscriptions.get('a'), 0);
  });

  test('tells that the server refused', async (t) => {
    const root = newRoot(t);
    ServerSocket.refused.add('a');
    await root.settle(app(element(Present, { entity: 'a' })));
    assert.equal(root.text, 'no');
  });

  test('with another entity renders and tells nothing of the first', async (t) => {
    const root = newRoot(t);
    ServerSocket.users = ['alice'];
    const [rendered, told] = [[], []];
    function Look({ entity }) {
      rendered.push([entity, usePresence(entity, ({ joined }) => told.push([entity, joined.length])).count]);
    }
    const to = (entity) => app(element(Early, { entity, act: () => ServerSocket.join('bob') }), element(Look, { entity }));
    await root.settle(to('a'));
    await root.settle(to('b'));
    const answers = Array.from(new Set(rendered.map(String)));
    assert.deepEqual(answers, ['a,', 'a,1', 'b,', 'b,2']);
    assert.deepEqual(told, [['a', 1], ['b', 2]]);
  });

  test('is unknown on a server, and a page hydrates it', async (t) => {
    const tree = app(element(Present, { entity: 'a' }));
    const html = renderToString(tree);
    assert.deepEqual([html, FakeSocket.all.length], ['null: ;', 0]);
    const root = newRoot(t, { html, tree });
    await root.settle();
    assert.deepEqual([root.text, root.problems], ['0: ;', []]);
  });

  test('of components that mount at random beside others has the same users in all', async (t) => {
    const root = newRoot(t);
    const random = seeded(17);
    for (let round = 0; round < 60; round += 1) {
      const present = [];
      const children = [];
      for (let number = 0; number < 40; number += 1) {
        const entity = `e${number % 5}`;
        if (random() < 0.3) children.push(element(Watcher, { key: `w${number}`, entity, heard() {} }));
        if (random() < 0.3) present.push(element(Present, { key: `p${number}`, entity }));
      }
      root.render(app(...children, ...present));
      if (random() < 0.5) continue;
      await root.settle();
      if (random() < 0.5) await act(async () => ServerSocket.join(`user ${round}`));
      const users = `${ServerSocket.users.length}: ${ServerSocket.users.toSorted().join(' ')};`;
      assert.equal(root.text.split(users).length - 1, present.length, root.text);
      assert.deepEqual(ServerSocket.watched, new Set(present.map(({ props }) => props.entity)));
      for (const count of ServerSocket.subscriptions.values()) assert.ok(count === 0 || count === 1);
    }
    await root.settle(app());
    assert.deepEqual(new Set(ServerSocket.subscriptions.values()), new Set([0]));
  });
});

/** Returns random numbers that are the same in every run: mulberry32. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
