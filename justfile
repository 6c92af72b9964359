# What CI runs, as a whole and step by step. The steps themselves are in .ci/run, which needs no just.

# Every check that a change has to pass
ci:
    .ci/run

# Formatting, lints, documentation or tests alone; `banned` looks for crates that must not be in the build
[group('steps')]
format:
    .ci/run format

[group('steps')]
banned:
    .ci/run banned

[group('steps')]
lint:
    .ci/run lint

[group('steps')]
doc:
    .ci/run doc

[group('steps')]
test:
    .ci/run test

# Licences, sources and known vulnerabilities of the dependencies; needs cargo-deny, and fetches its database
deny:
    cargo deny --locked check

# A small GitHub and the service in front of it, on this machine
demo *ARGUMENTS:
    cargo run --release --locked -- demo {{ ARGUMENTS }}
