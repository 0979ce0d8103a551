/**
 * Values of the last render.
 *
 * @module latest
 */

import { useInsertionEffect, useRef } from 'react';

/**
 * Returns a box whose `current` is the value of the last committed render, so that an effect reads it without running
 * again when it changes.
 *
 * @template T
 * @param {T} value
 * @returns {{ readonly current: T }}
 */
export function useLatest(value) {
  const box = useRef(value);
  useInsertionEffect(() => {
    box.current = value;
  });
  return box;
}
