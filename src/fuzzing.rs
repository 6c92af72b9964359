//! What the fuzz targets in `fuzz/` call: one function each. An ordinary test feeds it their corpora.

pub use crate::config::fuzzing::config;
pub use crate::github::fuzzing::github_answer;
pub use crate::http::fuzzing::request_parameters;
pub use crate::oidc::fuzzing::oidc_token;

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn replay(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut inputs = 0;
        for entry in std::fs::read_dir(&folder).unwrap() {
            run(&std::fs::read(entry.unwrap().path()).unwrap());
            inputs += 1;
        }
        assert!(inputs > 0, "{} is empty", folder.display());
    }

    #[test]
    fn what_the_fuzzers_found_worth_keeping_still_holds() {
        replay("config", super::config);
        replay("github_answer", super::github_answer);
        replay("oidc_token", super::oidc_token);
        replay("request_parameters", super::request_parameters);
    }
}
