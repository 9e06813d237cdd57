# syntax=docker/dockerfile:1
# docker build -t portcullis:0.1.0 .
ARG VERSION=0.1.0

FROM rust:1.95-bookworm AS builder
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package portcullis-operator --bin portcullis \
    && install -D target/release/portcullis /out/portcullis

FROM gcr.io/distroless/cc-debian12:nonroot
ARG VERSION
LABEL org.opencontainers.image.title="portcullis"
LABEL org.opencontainers.image.description="Kubernetes policy operator: one policy, three front doors"
LABEL org.opencontainers.image.version="${VERSION}"
LABEL org.opencontainers.image.licenses="Apache-2.0"
COPY --from=builder /out/portcullis /portcullis
USER 65532:65532
EXPOSE 8443 8181 8080
ENTRYPOINT ["/portcullis"]
