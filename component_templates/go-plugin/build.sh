#!/bin/sh
# Builds the target that ocm-pkg names. The same sources and the same Go give the same bytes,
# on every machine and in every folder.
set -eu
export GOOS="$OCM_PKG_OS" GOARCH="$OCM_PKG_ARCHITECTURE" GOAMD64=v1
export CGO_ENABLED=0 GOFLAGS=-mod=readonly GOTOOLCHAIN=local GOWORK=off
echo "go=$(go env GOVERSION)" > "$OCM_PKG_TOOLS" # for the report of the build
exec go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o "$OCM_PKG_OUTPUT" .
