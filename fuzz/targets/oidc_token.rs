//! What may a text do that is shown as an OIDC token?

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| actions_runner_manager::fuzzing::oidc_token(input));
