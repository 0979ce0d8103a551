/**
 * The messages of an outbox in IndexedDB.
 *
 * @module store
 */

/**
 * A message that is kept. `owner` is its page, `text` its JSON, and `isInFlight` true if it may have been sent.
 *
 * @typedef {{ owner: string, text: string, safeToRepeat: boolean, expiresAt: number, isInFlight: boolean }} Kept
 */

/** A message with its key, by which messages are in order. @typedef {Kept & { key: number }} Stored */

const MESSAGES = 'messages';

export class Store {
  #name;
  /** @type {Promise<IDBDatabase> | undefined} */
  #database;

  /** @param {string} name that of the database. */
  constructor(name) {
    this.#name = name;
  }

  /** Adds a message as the last. Returns its key, or `undefined` if there are `limit` already. @param {Kept} message @param {number} limit */
  async add(message, limit) {
    return this.#write((messages) => {
      /** @type {{ result: number | undefined }} */
      const added = { result: undefined };
      const count = messages.count();
      count.onsuccess = () => {
        if (count.result >= limit) return;
        const adding = messages.add(message);
        adding.onsuccess = () => (added.result = Number(adding.result));
      };
      return added;
    });
  }

  /** Replaces a message. @param {Stored} message */
  async put(message) {
    await this.#write((messages) => messages.put(message));
  }

  /** @param {number} key */
  async delete(key) {
    await this.#write((messages) => messages.delete(key));
  }

  /** @returns {Promise<Stored[]>} */
  async all() {
    return this.#run('readonly', (messages) => messages.getAll());
  }

  /** Returns the first message for which `isWanted` is true. @param {(message: Stored) => boolean} isWanted @returns {Promise<Stored | undefined>} */
  async first(isWanted) {
    return this.#run('readonly', (messages) => {
      /** @type {{ result: Stored | undefined }} */
      const found = { result: undefined };
      const request = messages.openCursor();
      request.onsuccess = () => {
        const cursor = request.result;
        if (cursor && isWanted(cursor.value)) found.result = cursor.value;
        else cursor?.continue();
      };
      return found;
    });
  }

  /** @template Result @param {(messages: IDBObjectStore) => { result: Result }} request */
  #write(request) {
    return this.#run('readwrite', request);
  }

  /**
   * Runs a transaction. Returns the result of its request once it is complete.
   *
   * @template Result
   * @param {IDBTransactionMode} mode
   * @param {(messages: IDBObjectStore) => { result: Result }} request
   * @returns {Promise<Result>}
   */
  async #run(mode, request) {
    const database = await this.#open();
    return new Promise((resolve, reject) => {
      const transaction = database.transaction(MESSAGES, mode);
      const made = request(transaction.objectStore(MESSAGES));
      transaction.oncomplete = () => resolve(made.result);
      transaction.onabort = () => reject(transaction.error);
    });
  }

  #open() {
    this.#database ??= new Promise((resolve, reject) => {
      const opening = indexedDB.open(this.#name, 1);
      opening.onupgradeneeded = () => opening.result.createObjectStore(MESSAGES, { keyPath: 'key', autoIncrement: true });
      opening.onerror = () => reject(opening.error);
      opening.onsuccess = () => {
        const close = () => {
          opening.result.close();
          this.#database = undefined;
        };
        opening.result.onversionchange = opening.result.onclose = close;
        resolve(opening.result);
      };
    });
    this.#database.catch(() => (this.#database = undefined));
    return this.#database;
  }
}
