# syntax=docker/dockerfile:1
# One image for each program, with Node, its libraries and the bundle, and nothing else: no shell, no package manager.
#
#     docker build --target submit -t noteburst-submit .        (and status, executor, courier, github)
#
# To renew the base: docker buildx imagetools inspect node:24-bookworm-slim
ARG NODE_IMAGE=node:24-bookworm-slim@sha256:242549cd46785b480c832479a730f4f2a20865d61ea2e404fdb2a5c3d3b73ecf

FROM ${NODE_IMAGE} AS build
WORKDIR /build
# As the user who runs it: Node keeps what V8 has compiled by user id.
RUN chown 65532:65532 /build
USER 65532:65532
ENV HOME=/build
COPY --chown=65532:65532 package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY --chown=65532:65532 . .
RUN node build/run.ts
RUN npm sbom --omit=dev --sbom-format=cyclonedx > dist/sbom.cdx.json

FROM ${NODE_IMAGE} AS root
RUN mkdir -p /root-of-image/etc /root-of-image/app && mkdir -m 1777 /root-of-image/tmp \
  && echo 'nonroot:x:65532:65532:nonroot:/tmp:/sbin/nologin' > /root-of-image/etc/passwd \
  && echo 'nonroot:x:65532:' > /root-of-image/etc/group \
  && ldd /usr/local/bin/node | grep -o '/[^ ]*' | xargs -I{} cp --parents --dereference {} /root-of-image \
  && cp --parents /usr/local/bin/node /root-of-image

FROM scratch AS base
COPY --from=root /root-of-image /
COPY --from=build /build/dist/sbom.cdx.json /app/
USER 65532:65532
WORKDIR /app
# The programs handle SIGTERM and SIGINT and start no processes. Before they have begun to, PID 1 would be spared the signal:
# share the pod's process namespace, or `docker run --init`.
ENTRYPOINT ["/usr/local/bin/node"]
EXPOSE 8080

FROM base AS submit
COPY --from=build /build/dist/submit.mjs /build/dist/submit.mjs.map /app/
COPY --from=build /build/dist/submit /app/submit
COPY --from=build /build/dist/compile-cache /app/compile-cache
CMD ["/app/submit.mjs"]

FROM base AS status
COPY --from=build /build/dist/status.mjs /build/dist/status.mjs.map /app/
COPY --from=build /build/dist/status /app/status
COPY --from=build /build/dist/compile-cache /app/compile-cache
CMD ["/app/status.mjs"]

FROM base AS executor
COPY --from=build /build/dist/executor.mjs /build/dist/executor.mjs.map /app/
COPY --from=build /build/dist/executor /app/executor
CMD ["/app/executor.mjs"]

FROM base AS github
COPY --from=build /build/dist/github.mjs /build/dist/github.mjs.map /app/
COPY --from=build /build/dist/github /app/github
COPY --from=build /build/dist/compile-cache /app/compile-cache
CMD ["/app/github.mjs"]

# What fetches repositories over https, and the CAs by which it knows their host.
FROM ${NODE_IMAGE} AS git
RUN apt-get update && apt-get install --yes --no-install-recommends git ca-certificates \
  && mkdir -p /root-of-git \
  && ldd /usr/bin/git /usr/lib/git-core/git-remote-https | grep -o '/[^ ]*[^: ]' | sort -u | xargs -I{} cp --parents --dereference {} /root-of-git \
  && cp --parents /usr/lib/git-core/git /usr/lib/git-core/git-remote-https /etc/ssl/certs/ca-certificates.crt /root-of-git

FROM base AS courier
COPY --from=git /root-of-git /
COPY --from=build /build/dist/courier.mjs /build/dist/courier.mjs.map /app/
COPY --from=build /build/dist/courier /app/courier
CMD ["/app/courier.mjs"]
