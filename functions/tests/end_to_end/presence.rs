//! Presence over real sockets: the members in acknowledgements, the frames of changes, and the action
//! `presence`.

mod contract;
mod faults;
mod frames;
mod keep_alive;
mod off;
mod snapshots;
mod storm;
mod table;
mod units;
mod watcher;
