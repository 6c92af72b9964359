# The image of Actions Runner Manager: one static program, the authorities it trusts, and nothing else.
# Every platform is built on a machine of its own kind; the release workflow does so.

# The toolchain of rust-toolchain.toml; `.ci/run files` compares the two.
ARG RUST_VERSION=1.95.0

FROM docker.io/library/rust:${RUST_VERSION}-slim-bookworm AS build
# Versions of Debian's packages aren't pinned: they are replaced when they have a hole, and the old ones are gone then.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates musl-tools \
 && rm -rf /var/lib/apt/lists/* \
 && rustup target add "$(uname -m)-unknown-linux-musl"
ENV CC_x86_64_unknown_linux_musl=musl-gcc \
    CC_aarch64_unknown_linux_musl=musl-gcc
WORKDIR /build

# The dependencies, with an empty program: this layer stays as long as the manifests do. `demo`, and with it the fake
# GitHub, is left out: a server has no use for it.
COPY Cargo.toml Cargo.lock ./
COPY crates/fake-github/Cargo.toml crates/fake-github/
RUN mkdir -p src benches/load crates/fake-github/src \
 && touch src/lib.rs crates/fake-github/src/lib.rs \
 && echo 'fn main() {}' > src/main.rs \
 && cp src/main.rs benches/load/ \
 && cp src/main.rs crates/fake-github/src/ \
 && cargo build --release --locked --package actions-runner-manager --no-default-features --bins \
      --target "$(uname -m)-unknown-linux-musl" \
 && rm -r src

COPY src src
# Cargo goes by times, and the copied files may be older than the empty ones were.
RUN touch src/lib.rs src/main.rs \
 && cargo build --release --locked --package actions-runner-manager --no-default-features --bins \
      --target "$(uname -m)-unknown-linux-musl" \
 && mkdir -p /image/etc/ssl/certs /image/etc/actions-runner-manager /image/tmp /state \
 && chmod 1777 /image/tmp \
 && cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/ \
 && echo 'nonroot:x:65532:65532:nonroot:/nonexistent:/nonexistent' > /image/etc/passwd \
 && echo 'nonroot:x:65532:' > /image/etc/group \
 && cp "target/$(uname -m)-unknown-linux-musl/release/actions-runner-manager" /image/

FROM scratch
ARG VERSION=unreleased
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Actions Runner Manager" \
      org.opencontainers.image.description="Lets GitHub team maintainers manage their own self-hosted runner group" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/actions-runner-manager/actions-runner-manager" \
      org.opencontainers.image.documentation="https://github.com/actions-runner-manager/actions-runner-manager/blob/main/docs/operations.md" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /image /
# The store's folder: a new volume that is mounted there belongs to the service.
COPY --from=build --chown=65532:65532 --chmod=0700 /state /var/lib/actions-runner-manager
# The allocator gives memory back at once and in small pages, so that a flood of connections leaves none taken.
ENV MIMALLOC_PURGE_DELAY=0 \
    MIMALLOC_ALLOW_THP=0
# A number, so that Kubernetes can see that it isn't root.
USER 65532:65532
# Where config.yml is looked for, unless CONFIG_PATH says otherwise.
WORKDIR /etc/actions-runner-manager
# As systemd and podman say it: what listens on all addresses here is reached only through what the container publishes.
ENV container=oci
EXPOSE 8443 9090
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
  CMD ["/actions-runner-manager", "healthcheck"]
ENTRYPOINT ["/actions-runner-manager"]
CMD ["serve"]
