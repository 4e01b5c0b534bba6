# The image: the binary, the C library that it is linked to, root certificates, nothing else.
# Build for the platform that you are on, or with `docker buildx build --platform`:
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) -t paifang .

ARG RUST_VERSION=1.95
FROM rust:${RUST_VERSION}-slim-trixie AS build
WORKDIR /source
COPY . .
# The caches live in the builder, so a change of ours does not build the dependencies again.
RUN --mount=type=cache,target=/usr/local/cargo/registry,sharing=locked \
    --mount=type=cache,target=/source/target,sharing=locked \
    cargo build --profile release --locked --bin paifang \
    && install -D target/release/paifang /build/paifang

# What the binary needs at run time, found by the loader itself: no list to keep up by hand.
# Line tables go, symbol names stay: a backtrace still names functions.
FROM build AS image
RUN set -eu; \
    mkdir -p /image/etc/ssl/certs /image/usr/bin /image/usr/share/licenses/paifang; \
    mkdir -m 1777 /image/tmp; \
    strip --strip-debug -o /image/usr/bin/paifang /build/paifang; \
    ldd /build/paifang | awk '$2 == "=>" { print $3 } $1 ~ /^\// { print $1 }' >/build/libraries; \
    xargs -a /build/libraries cp --parents --dereference -t /image; \
    cp /etc/ssl/certs/ca-certificates.crt /image/etc/ssl/certs/; \
    cp LICENSE /image/usr/share/licenses/paifang/; \
    echo 'paifang:x:65532:65532::/:/nonexistent' >/image/etc/passwd; \
    echo 'paifang:x:65532:' >/image/etc/group; \
    echo 'hosts: files dns' >/image/etc/nsswitch.conf; \
    chroot /image /usr/bin/paifang version

FROM scratch
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Paifang" \
      org.opencontainers.image.description="A Kubernetes-native ingress controller and API gateway, in one process" \
      org.opencontainers.image.source="https://github.com/paifang-dev/paifang" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=image /image /
USER 65532:65532
EXPOSE 8080 8443 8081
ENTRYPOINT ["/usr/bin/paifang"]
CMD ["serve"]
