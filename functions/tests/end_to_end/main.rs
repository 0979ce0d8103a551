//! Herald end to end: the real function binaries, real sockets and the real AWS SDK, with the local
//! stack or a deployed one ([`target`]).
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod asyncapi;
mod at_scale;
mod authentication;
mod backend_events;
mod bad_input;
mod capacity;
mod connecting;
mod console;
mod continuity;
mod continuity_client;
mod continuity_faults;
mod continuity_mixed;
mod continuity_slow_writer;
mod dead_letters;
mod delivery;
mod ending;
mod event_sources;
mod failed_requests;
mod faults;
mod fidelity;
mod harness;
mod http_client;
mod least_privilege;
mod limits;
mod load;
mod log_contract;
mod log_units;
mod metrics;
mod openapi;
mod opening;
mod own_rules;
mod partly_sent;
mod permissions;
mod polling;
mod presence;
mod proxy;
mod publishing;
mod put_back;
mod queues;
mod sample_events;
mod send_message;
mod sink;
mod stale_reads;
mod store_contract;
mod store_orders;
mod storm;
mod subscribing;
mod target;
#[allow(dead_code, reason = "only the tests of herald-local use all of it")]
#[path = "../../../local/tests/conformance/console/watcher.rs"]
mod watcher;
