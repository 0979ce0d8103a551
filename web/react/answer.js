/**
 * The last answer of a client about an entity.
 *
 * @module answer
 */

import { useCallback, useState } from 'react';

/** @import { HeraldClient } from 'herald-client' */

/**
 * Returns what this client told last about this entity, and a function that sets it. An answer about another entity
 * counts as none: the first render with a new id comes before the effect that ends the former subscription.
 *
 * @template Answer
 * @param {HeraldClient | null} client
 * @param {string | null | undefined} entityId
 * @param {Answer} none the answer before the first.
 * @returns {[Answer, (answer: Answer) => void]}
 */
export function useAnswer(client, entityId, none) {
  const [told, setTold] = useState({ client, entityId, answer: none });
  const setAnswer = useCallback(
    /** @param {Answer} answer */
    (answer) => {
      const next = { client, entityId, answer };
      setTold((last) => (last.answer === answer ? last : next));
    },
    [client, entityId],
  );
  const isOfThis = told.client === client && told.entityId === entityId;
  return [isOfThis ? told.answer : none, setAnswer];
}
