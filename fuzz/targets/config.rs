//! What may a configuration's text and variables do?

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| actions_runner_manager::fuzzing::config(input));
