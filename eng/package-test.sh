#!/usr/bin/env bash
# Installs, upgrades, removes and purges the package in a fresh Debian root, which mmdebstrap makes from the mirror that apt of this
# machine uses. Needs root, or user namespaces. Ends with 0 when all is as it should be, 77 when there is no mirror or no mmdebstrap.
#   eng/package-test.sh           of the release in artifacts/
#   TORBALANCER_EXE=FILE eng/package-test.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh

fail() {
    echo "eng/package-test.sh: $*" >&2
    exit 1
}

work=$(mktemp -d)
# The root's own user must be able to look in.
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT

# Made twice: neither time nor place may show. How well it is compressed is not looked at here.
export DPKG_DEB_COMPRESSOR_LEVEL=1
make_package() { DEBFULLNAME='A Tester' DEBEMAIL=tester@debian.org eng/package.sh "$(dpkg --print-architecture)" "$1" >/dev/null; }
if [ -z "${TORBALANCER_EXE:-}" ]; then
    TORBALANCER_EXE=$(newest_release || true)
    [ -n "$TORBALANCER_EXE" ] || fail "there is no release in artifacts/: eng/release.sh makes it"
fi
export TORBALANCER_EXE
make_package "$work/first"
make_package "$work/second"
new=$(echo "$work"/first/*.deb)
cmp "$new" "$work/second/$(basename "$new")" || fail "two runs make two packages"

# An older one, whose configuration file had another comment.
dpkg-deb --raw-extract "$new" "$work/older"
sed -i 's/^Version: .*/Version: 0.0.1/' "$work/older/DEBIAN/control"
sed -i '1s/.*/# torbalancer.conf as it was./' "$work/older/etc/torbalancer/torbalancer.conf"
dpkg-deb --root-owner-group -Znone --build "$work/older" "$work/older.deb" >/dev/null

if command -v lintian >/dev/null; then
    lintian --allow-root --fail-on error,warning "$new" || fail "lintian complains"
fi

command -v mmdebstrap >/dev/null || { echo "mmdebstrap is not installed" >&2; exit 77; }
suite=$(debian_sources "$work/sources.list") || exit 77

cp "$new" "$work/new.deb"
cat >"$work/inside" <<'END'
set -eu
fail() { echo "in the fresh root: $*" >&2; exit 1; }
# Not: what adduser and dpkg themselves leave behind.
names() {
    find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp -o -path /test \) -prune -o -print |
        grep -v -e '^/etc/[a-z]*-$' -e '^/var/log/dpkg.log$' | sort
}
install() { # PACKAGE: without a word of complaint
    DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i "$1" >/tmp/said 2>&1 || { cat /tmp/said >&2; fail "dpkg -i $1"; }
    ! grep -i 'warning\|error\|cannot' /tmp/said || fail "dpkg -i $1 complains"
}
conf=/etc/torbalancer/torbalancer.conf
link=/etc/systemd/system/multi-user.target.wants/torbalancer.service
names >/tmp/before

install /test/older.deb
[ "$(stat -c '%U:%G %a' $conf /usr/bin/torbalancer | tr '\n' ' ')" = 'root:root 644 root:root 755 ' ] || fail "owners and modes"
[ "$(getent passwd torbalancer | cut -d: -f6-)" = /var/lib/torbalancer:/usr/sbin/nologin ] || fail "the service's user"
[ "$(id -gn torbalancer)" = torbalancer ] || fail "the service's group"
[ -L $link ] || fail "the unit is not enabled"
[ "$(getent passwd torbalancer-publish | cut -d: -f6-)" = /var/lib/torbalancer-publish:/usr/sbin/nologin ] || fail "the publisher's user"
[ -e /usr/lib/systemd/system/torbalancer-publish.service ] || fail "the publisher's unit is missing"
! ls /etc/systemd/system/*/torbalancer-publish.service 2>/dev/null || fail "the publisher's unit is enabled unasked"
[ "$(dpkg-query -W -f '${Status}' torbalancer)" = 'install ok installed' ] || fail "not installed"
dpkg --verify torbalancer | grep . && fail "files differ from their checksums"
if [ "$1" = native ]; then
    torbalancer --version >/tmp/version && torbalancer check >/tmp/check || fail "the program does not run"
    grep -q "^$conf: ok (1 listener, 3 managed workers" /tmp/check || fail "the configuration is not that of the package: $(cat /tmp/check)"
    su -s /bin/sh torbalancer -c 'torbalancer check' >/dev/null || fail "the service's user cannot read the configuration"
fi

# What the administrator changed stays, and what the package changed lies beside it.
sed -i 's/^;Mode = round_robin/Mode = random/' $conf
# As systemctl disable does.
rm $link
install /test/new.deb
[ "$(dpkg-query -W -f '${Version}' torbalancer)" != 0.0.1 ] || fail "not upgraded"
grep -q '^Mode = random' $conf || fail "the upgrade took the administrator's configuration away"
head -n 1 $conf.dpkg-dist | grep -q 'the configuration of TorBalancer' || fail "the package's new configuration is not there"
[ ! -e $link ] || fail "the upgrade enabled a unit that the administrator had disabled"
if [ "$1" = native ]; then
    torbalancer check | grep -q 'mode random' || fail "the changed configuration does not hold"
fi

# Removing keeps configuration and state, and installing again finds them.
mkdir -p /var/lib/torbalancer/tor-1 /var/log/torbalancer
touch /var/lib/torbalancer/tor-1/state /var/log/torbalancer/torbalancer.log
dpkg -r torbalancer >/tmp/said 2>&1 || { cat /tmp/said >&2; fail "dpkg -r"; }
[ ! -e /usr/bin/torbalancer ] || fail "removed, and the program is there"
[ -e $conf ] && [ -e /var/lib/torbalancer/tor-1/state ] || fail "removing took configuration or state away"
install /test/new.deb
grep -q '^Mode = random' $conf || fail "installing again took the administrator's configuration away"

dpkg -P torbalancer >/tmp/said 2>&1 || { cat /tmp/said >&2; fail "dpkg -P"; }
! grep -i 'warning\|error\|cannot' /tmp/said || fail "dpkg -P complains"
names >/tmp/after
diff /tmp/before /tmp/after >/tmp/left || { cat /tmp/left >&2; fail "purged, and the root is not as it was"; }
# All in one go, from nothing to nothing.
install /test/new.deb
[ -L $link ] || fail "after a purge the unit is not enabled anew"
dpkg -P torbalancer >/dev/null 2>&1 || fail "dpkg -P of a package that was only installed"
END

# Its name since Debian 13, and before.
libssl=libssl3
[ -z "$(apt-cache search --names-only '^libssl3t64$')" ] || libssl=libssl3t64
kind=other
"$TORBALANCER_EXE" --version >/dev/null 2>&1 || fail "$TORBALANCER_EXE does not run"
[ -e "${TORBALANCER_EXE%/*}/torbalancer.dll" ] || kind=native
mmdebstrap --quiet --format=null --variant=essential --include="adduser,libsodium23,libcrypt1,$libssl" \
    --customize-hook='mkdir "$1/test"' \
    --customize-hook="copy-in '$work/older.deb' '$work/new.deb' '$work/inside' /test" \
    --customize-hook="chroot \"\$1\" sh /test/inside $kind" \
    "$suite" /dev/null "$work/sources.list" 2>"$work/log" || {
    cat "$work/log" >&2
    if grep -q 'in the fresh root' "$work/log"; then fail "see above"; fi
    if grep -qi 'failed to fetch\|could not resolve\|could not connect\|unable to fetch' "$work/log"; then exit 77; fi
    fail "no fresh root could be made"
}
echo "$(basename "$new"): installed, upgraded, removed and purged in a fresh root of Debian $suite ($kind program)"
