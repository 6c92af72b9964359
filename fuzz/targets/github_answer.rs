//! What may an answer of GitHub's do?

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| actions_runner_manager::fuzzing::github_answer(input));
