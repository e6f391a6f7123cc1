#!/usr/bin/env bash
# Builds the release: one self-contained, trimmed, ReadyToRun file for linux-x64, in artifacts/. It needs no .NET where it runs.
# Any trim warning fails the build (TreatWarningsAsErrors). The file is then run once, so that what trimming broke shows here.
#   eng/release.sh            artifacts/torbalancer-VERSION-linux-x64 and a .sha256 beside it
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh
require_dotnet

rid=linux-x64
# In a trimmed library only what is visible, or named in its descriptor, is compiled ahead of time by itself; what the runtime calls
# in its core library is neither to be seen nor called. With the descriptor, which the trimmer would strip, the runtime compiles half
# as many methods at the start.
trimmer="--strip-descriptors false"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
dotnet publish Proxy.Daemon/Proxy.Daemon.csproj -c Release -r "$rid" --self-contained -v quiet -nologo -o "$out" \
    -p:PublishSingleFile=true -p:PublishTrimmed=true -p:PublishReadyToRun=true -p:TrimmerSingleWarn=false "-p:_ExtraTrimmerArgs=$trimmer" \
    -p:DebugType=none -p:GenerateDocumentationFile=false

DOTNET_JitStdOutFile="$out/compiled" DOTNET_JitDisasmSummary=1 "$out/torbalancer" check --config torbalancer.conf
if grep -q "CastHelpers:" "$out/compiled"; then
    echo "eng/release.sh: what the runtime calls in its core library was not compiled ahead of time (--strip-descriptors)" >&2
    exit 1
fi

# As a daemon it must start, say so in its log, and end when told: nothing leaves it, its worker is never asked.
cat >"$out/smoke.conf" <<SMOKE
[Listener:main]
Address = unix:$out/proxy.sock
[Admin]
Address = none
Socket = none
[Health]
Enabled = no
[Worker:none]
SocksPort = unix:$out/no-worker.sock
SMOKE
timeout --signal=TERM 3 "$out/torbalancer" run --config "$out/smoke.conf" >"$out/smoke.log" 2>&1 || true
if ! grep -q "Listener main on " "$out/smoke.log" || ! grep -q "Stopped" "$out/smoke.log"; then
    cat "$out/smoke.log" >&2
    echo "eng/release.sh: the executable does not run" >&2
    exit 1
fi

version=$("$out/torbalancer" --version)
name=torbalancer-$version-$rid
mkdir -p artifacts
install -m 755 "$out/torbalancer" "artifacts/$name"
(cd artifacts && sha256sum "$name" >"$name.sha256")
echo "artifacts/$name: $(stat -c %s "artifacts/$name") bytes"
