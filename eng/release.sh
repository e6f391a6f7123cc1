#!/usr/bin/env bash
# Builds the release in artifacts/: one native executable (Native AOT), which needs no .NET where it runs, its symbols, what it is
# made of (.cdx.json) and SHA256SUMS. A warning of the trimmer or of the AOT compiler fails the build (TreatWarningsAsErrors); what
# trimming broke all the same shows when eng/smoke.py runs the file. What the release is built with stands in Proxy.Daemon.csproj under
# PublishAot.
#   eng/release.sh            for this machine's processor
#   eng/release.sh x64        artifacts/torbalancer-VERSION-linux-x64, and .dbg for debuggers and perf
#   eng/release.sh arm64      on x64: linked by Debian's cross compiler, run by qemu-user
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh

here=$(this_processor)
arch=${1:-$here}
case $arch in
    x64 | arm64) ;;
    *) arch= ;;
esac
if [ -z "$arch" ] || [ $# -gt 1 ]; then
    echo "usage: eng/release.sh [x64|arm64]" >&2
    exit 2
fi
# Minutes before anything would be put there.
require_writable artifacts
require_dotnet
case $here-$arch in
    x64-arm64)
        require_cross_linker aarch64-linux-gnu arm64
        # The C library, and OpenSSL, which the daemon loads when it needs it.
        foreign_root artifacts/root-arm64 arm64 libc6 libgcc-s1 'libssl3t64|libssl3'
        tools=aarch64-linux-gnu- emulator=(qemu-aarch64 -L "$PWD/artifacts/root-arm64")
        ;;
    arm64-x64)
        echo "eng/release.sh: the release for x64 is built on a machine with such a processor, not on arm64" >&2
        exit 1
        ;;
    *)
        require_linker
        tools='' emulator=()
        ;;
esac

rid=linux-$arch
out=$(mktemp -d)
trap 'rm -rf "$out" artifacts/build' EXIT
# Two builds of one commit are alike, wherever they are made. PathMap and no source link: neither the place of the sources nor the
# remote that they came from is in it. No debug information in the assemblies between: it has checksums of generated sources, and the
# generator of log messages writes its classes in an order of chance. A folder of its own, made anew: nothing that was compiled with
# other options is taken over.
rm -rf artifacts/build
dotnet publish Proxy.Daemon/Proxy.Daemon.csproj -c Release -r "$rid" -v quiet -nologo -o "$out" --artifacts-path "$PWD/artifacts/build" \
    -p:PublishAot=true -p:TrimmerSingleWarn=false "-p:CppCompilerAndLinker=${tools}gcc" "-p:ObjCopyName=${tools}objcopy" \
    "-p:PathMap=$PWD=/_" -p:EnableSourceLink=false -p:GenerateDocumentationFile=false -p:DebugType=none -p:NativeDebugSymbols=true

version=$("${emulator[@]}" "$out/torbalancer" --version)
name=torbalancer-$version-$rid
# Debuggers look for the name that the link says, and for the build id.
mv "$out/torbalancer.dbg" "$out/$name.dbg"
(cd "$out" && "${tools}objcopy" --remove-section=.gnu_debuglink --add-gnu-debuglink="$name.dbg" torbalancer)

/usr/bin/python3 eng/smoke.py "${emulator[@]}" "$out/torbalancer"

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(source_date)}
/usr/bin/python3 eng/sbom.py "$version" "$out/torbalancer" artifacts/build/obj/Proxy.Daemon/project.assets.json "$out/$name.cdx.json"
# All of it or, where a step fails, nothing: what lies there belongs together.
install -m 644 "$out/$name.dbg" "$out/$name.cdx.json" artifacts/
install -m 755 "$out/torbalancer" "artifacts/$name"
write_checksums "$version"
ordered=$(wc -l <Proxy.Daemon/method-order.txt)
known=$("${tools}nm" --defined-only "artifacts/$name.dbg" | cut -d ' ' -f 3- | sort -u |
    comm -12 - <(sort -u Proxy.Daemon/method-order.txt) | wc -l)
echo "Proxy.Daemon/method-order.txt: $known of $ordered methods are there"
[ "$known" -ge $((ordered * 8 / 10)) ] || echo "eng/method-order.py should be run again: a start would touch more pages" >&2
libc=$("${tools}objdump" -T "artifacts/$name" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
echo "artifacts/$name: $(stat -c %s "artifacts/$name") bytes, needs ${libc/_/ }; symbols $(stat -c %s "artifacts/$name.dbg") bytes"
