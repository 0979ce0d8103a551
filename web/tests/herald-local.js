// The program herald-local, which cargo builds if it is stale.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Starts herald-local with flags, on a port or on any. Returns the addresses that it prints, and `end(signal)`, which
 * resolves once it has exited.
 */
export async function startHeraldLocal(flags, port = 0) {
  const command = ['run', '--quiet', '-p', 'herald-local', '--', '--port', port, '--json', '--log', 'error', ...flags];
  // On Unix, cargo replaces itself with the program that it runs, so a signal reaches herald-local.
  const herald = spawn('cargo', command.map(String), { cwd: repository, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(herald, 'exit');
  const [line] = await Promise.race([
    once(createInterface(herald.stdout), 'line'),
    ended.then(([code]) => Promise.reject(new Error(`herald-local exited with ${code}`))),
  ]);
  const end = async (signal) => {
    herald.kill(signal);
    await ended;
  };
  return { addresses: JSON.parse(line), end };
}
