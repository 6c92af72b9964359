//! What may a query string, a content type and a body do to the operations' parameters?

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| actions_runner_manager::fuzzing::request_parameters(input));
