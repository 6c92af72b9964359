//! Tests of the whole, from outside: the real server over TLS in front of a fake GitHub.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on should say where"
)]

mod access;
mod architecture;
mod attacks;
mod budget;
mod config;
mod contract;
mod edge;
mod groups;
mod harness;
mod limits;
mod repos;
mod scene;
mod tokens;
