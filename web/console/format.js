/**
 * Formats of numbers, times and JSON for the page.
 *
 * @module format
 */

/** Returns a duration such as `0.4 ms`, `12 ms`, `1.24 s` or `2 min 5 s`. @param {number} milliseconds */
export function duration(milliseconds) {
  if (milliseconds < 9.95) return `${(Math.round(milliseconds * 10) / 10).toFixed(1)} ms`;
  if (milliseconds < 999.5) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 59_995) return `${(milliseconds / 1000).toFixed(2)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** Returns the local time of day, to the millisecond. @param {number} at epoch milliseconds. */
export function timeOfDay(at) {
  const date = new Date(at);
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((part) => pad(part, 2));
  return `${hours}:${minutes}:${seconds}.${pad(date.getMilliseconds(), 3)}`;
}

/** Returns the local time of day, to the second. @param {number} at epoch milliseconds. */
export function timeToSecond(at) {
  return timeOfDay(at).slice(0, 8);
}

/** @param {number} number @param {string} one @param {string} [many] */
export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`;
}

/** @param {number} number */
export function bytes(number) {
  return number < 1024 ? `${number} B` : `${(number / 1024).toFixed(1)} KiB`;
}

/**
 * Returns JSON indented by two, and any other text unchanged. It works on the text, so numbers keep their digits, and
 * objects their order and duplicate keys.
 *
 * @param {string} text
 */
export function indented(text) {
  if (!isJson(text)) return text;
  let depth = 0;
  const line = () => `\n${'  '.repeat(depth)}`;
  return text.replace(JSON_TOKENS, (token, space) => {
    if (space !== undefined) return '';
    if (EMPTY.test(token)) return token.replace(/\s/g, '');
    if (token === '{' || token === '[') {
      depth += 1;
      return token + line();
    }
    if (token === '}' || token === ']') {
      depth -= 1;
      return line() + token;
    }
    if (token === ',') return token + line();
    return token === ':' ? ': ' : token;
  });
}

/** Quotes a text for a POSIX shell. @param {string} text */
export function shellQuoted(text) {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** @param {string} text */
export function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The tokens of JSON. Strings come first, so that their contents match nothing else. */
const JSON_TOKENS = /"(?:[^"\\]|\\.)*"|\{\s*\}|\[\s*\]|(\s+)|[{}[\],:]|[^\s{}[\],:"]+/g;

const EMPTY = /^(\{\s*\}|\[\s*\])$/;

/** @param {number} number @param {number} digits */
function pad(number, digits) {
  return String(number).padStart(digits, '0');
}
