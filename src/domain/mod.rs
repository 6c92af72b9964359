//! Pure rules: names, patterns, the naming template, policy. No I/O, no GitHub, no HTTP.

pub mod cache_ttls;
pub mod certificate;
#[cfg(any(test, fuzzing))]
pub(crate) mod checks;
pub mod claims;
pub mod duration;
pub mod entry;
pub mod group_reference;
pub mod hash;
pub mod ids;
pub mod issuer;
pub mod jit;
pub mod names;
pub mod network;
pub mod outcome;
pub mod pattern;
pub mod pem;
pub mod policy;
pub mod principal;
pub mod reason;
pub mod record;
pub mod reference;
pub mod remote_url;
pub mod scope;
pub mod shares;
pub mod store_url;
pub mod subject;
pub mod sweep;
pub mod template;
pub mod text;
pub(crate) mod words;
