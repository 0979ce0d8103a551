// A `herald-local` of a test's own, which can be killed and started again in the same place.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/** Starts it on any port; it ends after the test. */
export async function startStack(test, ...flags) {
  const stack = new Stack(flags);
  test.after(() => stack.kill());
  await stack.start();
  return stack;
}

class Stack {
  #flags;
  #process;
  #ended;

  constructor(flags) {
    this.#flags = flags;
  }

  /** Starts it, where it was if it has been there. */
  async start() {
    const port = this.endpoint ? new URL(this.endpoint).port : '0';
    const command = ['run', '--quiet', '-p', 'herald-local', '--', '--port', port, '--json', '--log', 'error'];
    // On Unix, cargo becomes the program that it runs: a signal reaches herald-local.
    this.#process = spawn('cargo', [...command, ...this.#flags], {
      cwd: repository,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#ended = once(this.#process, 'exit');
    const [line] = await Promise.race([
      once(createInterface(this.#process.stdout), 'line'),
      this.#ended.then(([code]) => Promise.reject(new Error(`herald-local ended with ${code}`))),
    ]);
    Object.assign(this, JSON.parse(line));
  }

  /** Ends it, as a crash does. */
  async kill() {
    this.#process.kill('SIGKILL');
    await this.#ended;
  }

  /** Has SQS or another service do something. */
  async call(target, body) {
    const answer = await fetch(this.endpoint, {
      method: 'POST',
      headers: { 'X-Amz-Target': target, 'Content-Type': 'application/x-amz-json-1.0' },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(await answer.text());
    return answer.json();
  }
}
