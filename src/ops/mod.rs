//! One function a use case: check the rules, call GitHub, audit, forget what is stale.
//!
//! Each takes the [`Work`] at hand, with a proof that only `access` can make.

pub mod access;
mod creation;
mod error;
pub mod groups;
pub mod jit;
pub mod offline;
pub mod records;
pub mod repos;
mod runner_writes;
pub mod runners;
pub mod selection;
pub mod tokens;
mod views;
mod work;

pub use creation::{add, settle};
pub use error::{EntryError, Error, Refusal, Taken, reason_of};
pub use work::Work;
