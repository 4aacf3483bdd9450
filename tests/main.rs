//! The suite: the product as its users meet it, over a real PostgreSQL and a server that speaks TDS.
//!
//! One test binary; each test has a database and a source of its own. What a test needs and does not find is a failure that names what to install.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod aws;
mod bad_data;
mod bad_inputs;
mod blocked;
mod cargo_lambda;
mod chaos;
mod configuration;
mod create_tables;
mod deployment;
mod disk;
mod drift;
mod envelopes;
mod failures;
mod hard_targets;
mod house_rules;
mod incremental;
mod interruption;
mod lambda_semantics;
mod lease;
mod merge;
mod modes;
mod network;
mod overlap;
mod packaging;
mod plan;
mod pooling;
mod postgres_source;
mod properties;
mod refused;
mod retries;
mod same_schema;
mod secrets;
mod silence;
mod support;
mod swap;
mod sync;
mod tls;
mod types;
mod undisturbed;
mod verify;
