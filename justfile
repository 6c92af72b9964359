# What CI runs, as a whole and step by step. The steps themselves are in .ci/run, which needs no just.

# Every check that a change has to pass
ci:
    .ci/run

# One step: format, banned, files, lint, doc, test, chart or api; or browser, image, site or fuzz, which `ci` leaves out
step NAME:
    .ci/run {{ NAME }}

# Licences, sources and known vulnerabilities of the dependencies; needs cargo-deny, and fetches its database
deny:
    cargo deny --locked check

# A small GitHub and the service in front of it, on this machine
demo *ARGUMENTS:
    cargo run --release --locked -- demo {{ ARGUMENTS }}
