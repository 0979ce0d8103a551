/**
 * A client whose connection all tabs of an origin share. index.d.ts documents the API.
 *
 * @module shared
 */

export { connect } from './connect.js';
