//! Tests of the whole, from outside: the real server over TLS in front of a fake GitHub.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that can't go on should say where"
)]
#![expect(unreachable_pub, reason = "nobody imports a test; what others in here may use is `pub`")]

mod access;
mod access_docs;
mod admin;
mod administrators;
mod app_comes_and_goes;
mod architecture;
mod attacks;
mod audit;
mod bad_tokens;
mod bad_weather;
mod binary;
mod budget;
mod circuit;
mod config;
mod connections;
mod contract;
#[cfg(feature = "demo")]
mod demo;
mod described;
mod dialects;
mod docs;
mod docs_page;
mod documents;
mod edge;
mod enterprise;
mod fair_budget;
mod forgetting;
mod forwarded;
mod group_delete;
mod group_show;
mod groups;
mod harness;
mod interleavings;
mod jit;
mod jit_lost;
mod labels;
mod limits;
mod links;
mod lists_read_leniently;
mod load;
mod logins;
mod many_repos;
mod one_fetch;
mod openapi;
mod ownership;
mod panics;
mod personal_token;
mod policy;
mod probes;
mod process;
mod proxy;
mod recorded;
mod replicas;
mod repos;
mod runners;
mod runners_docs;
mod scene;
mod stale_lists;
mod sweep;
mod team_ids;
mod tokens;
mod tour;
mod transfer;
mod unchanged_pages;
mod whose_errors;
mod workloads;
