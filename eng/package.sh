#!/usr/bin/env bash
# Makes torbalancer_VERSION_ARCH.deb from the release (eng/release.sh), which is built when it is not there.
#   eng/package.sh                    in artifacts/, for this machine's processor
#   eng/package.sh arm64              for the other one
#   eng/package.sh amd64 FOLDER       elsewhere
# TORBALANCER_EXE names another executable to put in, for trying the package itself; such a package is not for artifacts/.
# Two runs on one commit give the same file. DEBFULLNAME and DEBEMAIL name the maintainer, as for Debian's own tools.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh
umask 022
export LC_ALL=C.UTF-8

here=$(this_processor)
if [ "$here" = x64 ]; then usual=amd64; else usual=arm64; fi
arch=${1:-$usual}
case $arch in
    amd64) processor=x64 ;;
    arm64) processor=arm64 ;;
    *) arch= ;;
esac
if [ -z "$arch" ] || [ $# -gt 2 ]; then
    echo "usage: eng/package.sh [amd64|arm64 [FOLDER]]" >&2
    exit 2
fi
folder=${2:-artifacts}
if [ -n "${TORBALANCER_EXE:-}" ] && [ "$folder" = artifacts ]; then
    echo "eng/package.sh: with TORBALANCER_EXE name a folder, as in: eng/package.sh $arch /tmp" >&2
    exit 2
fi
require_writable "$folder"
install_packages dpkg=dpkg-deb binutils=readelf gzip=gzip

version=$(sed -n 's|.*<Version>\(.*\)</Version>.*|\1|p' Directory.Build.props)
release=artifacts/torbalancer-$version-linux-$processor
program=${TORBALANCER_EXE:-$release}
if [ -z "${TORBALANCER_EXE:-}" ] && { [ ! -e "$program" ] || is_stale "$program"; }; then eng/release.sh "$processor"; fi

require_dotnet

# The pages and completions come from a program that runs here: the packaged one, or the same version of it.
guide=$program
[ "$processor" = "$here" ] || guide=artifacts/torbalancer-$version-linux-$here
if [ ! -x "$guide" ] || { [ "$guide" != "$program" ] && is_stale "$guide"; }; then
    dotnet build Proxy.Daemon/Proxy.Daemon.csproj -c Release -v quiet -nologo -clp:NoSummary
    guide=Proxy.Daemon/bin/Release/net10.0/torbalancer
fi
told=$("$guide" --version)
if [ "$told" != "$version" ]; then
    echo "eng/package.sh: $guide is version $told, the sources are $version: build the release anew" >&2
    exit 1
fi

# What .NET itself is made from, as its licences ask to be said; it comes with the SDK, and with the compiler.
sdk=$(dirname "$(readlink -f "$(command -v dotnet)")")
notices=$(find "$sdk/ThirdPartyNotices.txt" \
    "${NUGET_PACKAGES:-$HOME/.nuget/packages}/runtime.linux-$processor.microsoft.dotnet.ilcompiler" \
    -iname 'third*party*notices.txt' 2>/dev/null | head -n 1 || true)
if [ -z "$notices" ]; then
    echo "eng/package.sh: $sdk/ThirdPartyNotices.txt is missing" >&2
    exit 1
fi

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(source_date)}
maintainer="${DEBFULLNAME:-The TorBalancer authors} <${DEBEMAIL:-maintainers@torbalancer.invalid}>"

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
put() { install -D -m "$1" "$2" "$root/$3"; }
packed() { # FILE: standard input, compressed
    mkdir -p "$root/$(dirname "$1")"
    gzip -9n >"$root/$1"
}

put 755 "$program" usr/bin/torbalancer
put 644 torbalancer.conf etc/torbalancer/torbalancer.conf
put 644 systemd/torbalancer.logrotate etc/logrotate.d/torbalancer
put 644 systemd/torbalancer.service usr/lib/systemd/system/torbalancer.service
put 644 systemd/torbalancer-publish.service usr/lib/systemd/system/torbalancer-publish.service
put 644 packaging/debian/copyright usr/share/doc/torbalancer/copyright
for example in contrib/*/* systemd/torbalancer.socket; do
    put 644 "$example" "usr/share/doc/torbalancer/examples/${example#contrib/}"
done
put 644 packaging/debian/lintian-overrides usr/share/lintian/overrides/torbalancer
packed usr/share/doc/torbalancer/third-party-notices.gz <"$notices"
"$guide" manual 1 | packed usr/share/man/man1/torbalancer.1.gz
"$guide" manual 5 | packed usr/share/man/man5/torbalancer.conf.5.gz
mkdir -p "$root"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
"$guide" completion bash >"$root/usr/share/bash-completion/completions/torbalancer"
"$guide" completion zsh >"$root/usr/share/zsh/vendor-completions/_torbalancer"
"$guide" completion fish >"$root/usr/share/fish/vendor_completions.d/torbalancer.fish"
packed usr/share/doc/torbalancer/NEWS.gz <CHANGELOG.md
packed usr/share/doc/torbalancer/changelog.gz <<END
torbalancer ($version) unstable; urgency=medium

  * Release $version; what changed is in NEWS.gz beside this file.

 -- $maintainer  $(date -u -R -d "@$SOURCE_DATE_EPOCH")
END

mkdir "$root/DEBIAN"
for script in postinst prerm postrm; do
    put 755 "packaging/debian/$script" "DEBIAN/$script"
done
(cd "$root" && find etc -type f -printf '/%p\n' | sort) >"$root/DEBIAN/conffiles"
(cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
# The oldest C library that has all that the program asks for.
libc=$(readelf -V -W "$program" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
size=$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' | awk '{ sum += int(($1 + 1023) / 1024) } END { print sum }')
cat >"$root/DEBIAN/control" <<END
Package: torbalancer
Version: $version
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $size
Depends: libc6 (>= ${libc#GLIBC_}), libssl3t64 | libssl3, libsodium23, libcrypt1, adduser
Recommends: tor, tor-geoipdb, ca-certificates
Suggests: torsocks, wireguard-tools
Section: net
Priority: optional
Description: one local proxy port in front of several Tor workers
 Programs point at one port, which speaks HTTP proxying, SOCKS5, SOCKS4 and
 SOCKS4a. Each connection is given to one of several tor processes and answered
 only when that one has answered. If one fails, the next is tried; if nothing
 helps, the program is told what really failed.
 .
 Balancing by seven modes, circuits that stay apart where clients do, workers
 whose health is watched, sessions, routes over WireGuard, an admin API.
 Without any configuration it starts three tor processes of its own.
 .
 For the other side it publishes one onion address over many backends, as
 Onionbalance does, by a service of its own (torbalancer-publish).
END

find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
package=$folder/torbalancer_${version}_$arch.deb
# One thread: how the archive is cut for several depends on the machine.
dpkg-deb --root-owner-group -Zxz --threads-max=1 --build "$root" "$package" >/dev/null
[ "$folder" != artifacts ] || write_checksums "$version"
echo "$package: $(stat -c %s "$package") bytes, installed $size KiB, needs libc6 ${libc#GLIBC_}"
