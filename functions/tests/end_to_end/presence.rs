//! Presence over real sockets: the members in acknowledgements, the frames of changes, and the action
//! `presence`.

mod frames;
