// Fails for each Dart file that dart_style would write otherwise, or whose syntax it rejects. With --fix it writes them.
// The formatter is of the current Dart; the comment that the text gets here makes it format as the packages' version.

import { readFileSync, writeFileSync } from 'node:fs';

import { format } from '@wasm-fmt/dart_fmt';

const VERSION = '// @dart=3.7\n';
const fix = process.argv[2] === '--fix';
const files = process.argv.slice(fix ? 3 : 2);
let failures = 0;

for (const file of files) {
  const source = readFileSync(file, 'utf8');
  try {
    const formatted = format(VERSION + source, file, { line_width: 120 }).replace(VERSION, '').replace(/^\n/, '');
    if (formatted === source) continue;
    if (fix) writeFileSync(file, formatted);
    else console.log(`${file} is not formatted: run .ci/dart/run format`);
  } catch (error) {
    console.log(`${file}: ${error.message ?? error}`);
  }
  failures += 1;
}
console.log(`${files.length} Dart files, ${failures} not formatted`);
process.exit(failures > 0 && !fix ? 1 : 0);
