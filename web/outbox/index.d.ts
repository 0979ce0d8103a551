/**
 * An outbox that survives a reload of the page: for the option `outbox` of a client.
 *
 * docs/clients.md of Herald's repository has its rules.
 */

import type { Ack, AckOfSeveral, HeraldError, Outbox, Outgoing, Target } from 'herald-client';

/**
 * Makes an outbox that keeps messages in IndexedDB until they are acknowledged. All pages of an origin with the same
 * `name` share it: each sends its own messages, and those of pages that are gone.
 *
 * @example
 * const client = connect(url, { outbox: indexedDbOutbox('chat', { onSent: show, onFailed: (message, error) => warn(error) }) });
 */
export function indexedDbOutbox(name: string, options?: PersistentOutboxOptions): PersistentOutbox;

export interface PersistentOutbox extends Outbox {
  /** Returns the messages that are not acknowledged yet, in order: those of other pages, too. */
  pending(): Promise<PendingMessage[]>;
}

export interface PersistentOutboxOptions {
  /** The most messages in the outbox; 1000 by default. One more fails as `outboxFull`. */
  limit?: number;
  /** The longest time of a message in the outbox, in milliseconds; a day by default. */
  timeToLive?: number;
  /** Is called with each message of a page that is gone, once it is acknowledged. */
  onSent?: (message: KeptMessage, ack: Ack | AckOfSeveral) => void;
  /** Is called with each message of a page that is gone, if it fails. Without it, the error is reported as uncaught. */
  onFailed?: (message: KeptMessage, error: HeraldError) => void;
}

/** A message as it was passed to `send`. */
export type KeptMessage = Partial<Target> & Partial<Outgoing> & { messages?: Outgoing[] };

export interface PendingMessage {
  message: KeptMessage;
  /** True if it may have been sent: its acknowledgement is pending. */
  isInFlight: boolean;
}
