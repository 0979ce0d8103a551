/**
 * The frames of presence that were posted, joined from the records of their posts.
 *
 * @module presence-frames
 */

import { Recent } from './recent.js';
import { countPost } from './traces.js';

/** @import { Post } from './records.js' */

/**
 * A frame of presence with its posts. It keeps the first `POSTS` posts; `delivered`, `gone` and `failed` count all.
 *
 * @typedef {object} PresenceFrame
 * @property {number} version
 * @property {number} count
 * @property {number} at the time of its first post.
 * @property {Post[]} posts
 * @property {number} delivered
 * @property {number} gone
 * @property {number} failed
 */

/** The most entities with frames. The one whose first frame is the oldest is removed first. */
const ENTITIES = 200;

/** The most frames of an entity. */
const FRAMES = 20;

/** The most posts of a frame. */
const POSTS = 200;

export class PresenceFrames {
  /** @type {Map<string, Recent<PresenceFrame>>} */
  #entities = new Map();

  /** @param {Post} post */
  add(post) {
    if (!post.presence) return;
    const { entityId, version, count } = post.presence;
    const frames = this.#framesOf(entityId);
    let frame = frames.newestFirst.find((known) => known.version === version);
    if (!frame) {
      frame = { version, count, at: post.at, posts: [], delivered: 0, gone: 0, failed: 0 };
      frames.add(frame);
    }
    countPost(frame, post.status);
    if (frame.posts.length < POSTS) frame.posts.push(post);
  }

  clear() {
    this.#entities.clear();
  }

  /** Returns the frames of an entity, the newest first. @param {string} entity */
  of(entity) {
    return this.#entities.get(entity)?.newestFirst ?? [];
  }

  /** @param {string} entity */
  #framesOf(entity) {
    const known = this.#entities.get(entity);
    if (known) return known;
    /** @type {Recent<PresenceFrame>} */
    const frames = new Recent(FRAMES);
    this.#entities.set(entity, frames);
    const [oldest] = this.#entities.keys();
    if (this.#entities.size > ENTITIES) this.#entities.delete(oldest);
    return frames;
  }
}
