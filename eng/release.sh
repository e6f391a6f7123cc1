#!/usr/bin/env bash
# Builds the release: one self-contained, trimmed, ReadyToRun file for linux-x64, in artifacts/. It needs no .NET where it runs.
# Any trim warning fails the build (TreatWarningsAsErrors). The file is then run once, so that what trimming broke shows here.
#   eng/release.sh            artifacts/torbalancer-VERSION-linux-x64 and a .sha256 beside it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh
require_dotnet

rid=linux-x64
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
dotnet publish Proxy.Daemon/Proxy.Daemon.csproj -c Release -r "$rid" --self-contained -v quiet -nologo -o "$out" \
    -p:PublishSingleFile=true -p:PublishTrimmed=true -p:PublishReadyToRun=true -p:TrimmerSingleWarn=false \
    -p:DebugType=none -p:GenerateDocumentationFile=false

"$out/torbalancer" check --config torbalancer.conf
version=$("$out/torbalancer" --version)
name=torbalancer-$version-$rid
mkdir -p artifacts
install -m 755 "$out/torbalancer" "artifacts/$name"
(cd artifacts && sha256sum "$name" >"$name.sha256")
echo "artifacts/$name: $(stat -c %s "artifacts/$name") bytes"
