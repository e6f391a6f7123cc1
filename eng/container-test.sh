#!/usr/bin/env bash
# Does what the Containerfile says in a fresh Debian root, without podman or docker and without a registry, and starts the daemon in it
# as compose.yaml would: the image's user, no capability, its environment, nobody on the network but itself. What is not tried is what
# the container engine does: layers, volumes, published ports, the timing of HEALTHCHECK. Needs root, or user namespaces. Ends with 0
# when all is as it should be, 77 when there is no mirror, no mmdebstrap or no network namespace.
#   eng/container-test.sh         with the release in artifacts/
#   TORBALANCER_EXE=FILE eng/container-test.sh
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh

fail() {
    echo "eng/container-test.sh: $*" >&2
    exit 1
}

work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
if [ -z "${TORBALANCER_EXE:-}" ]; then
    TORBALANCER_EXE=$(newest_release || true)
    [ -n "$TORBALANCER_EXE" ] || fail "there is no release in artifacts/: eng/release.sh makes it"
fi
[ ! -e "${TORBALANCER_EXE%/*}/torbalancer.dll" ] || { echo "a program that needs .NET cannot run in that root" >&2; exit 77; }
command -v mmdebstrap >/dev/null || { echo "mmdebstrap is not installed" >&2; exit 77; }
suite=$(debian_sources "$work/sources.list") || exit 77
unshare --net true 2>/dev/null || { echo "no network namespace can be made" >&2; exit 77; }
export TORBALANCER_EXE DPKG_DEB_COMPRESSOR_LEVEL=1
eng/package.sh "$(dpkg --print-architecture)" "$work/artifacts" >/dev/null

# What the Containerfile says of each kind.
instruction() { # NAME: its arguments, on one line
    sed -e ':join' -e '/\\$/N; s/\\\n *//; tjoin' Containerfile | sed -n "s/^$1 //p"
}
instruction RUN | sed 's/^--mount=[^ ]* *//' >"$work/run"
[ -s "$work/run" ] || fail "the Containerfile has no RUN"
user=$(instruction USER)
{
    instruction ENV | tr ' ' '\n' | sed 's/^/export /'
    echo "$(instruction ENTRYPOINT | tr -d '[]",') $(instruction CMD | tr -d '[]",') &"
} >"$work/start"
instruction HEALTHCHECK | sed 's/.*CMD //; s/[]["]//g; s/,//g' >"$work/health"
instruction VOLUME >"$work/volume"

cat >"$work/inside" <<END
set -eu
fail() { echo "in the container's root: \$*" >&2; exit 1; }
. /test/start
daemon=\$!
for i in \$(seq 100); do
    [ ! -S /run/torbalancer/admin.sock ] || break
    kill -0 \$daemon || fail "the daemon ended"
    sleep 0.2
done
[ "\$(stat -c %U "\$(cat /test/volume)"/isolation.key)" = $user ] || fail "the state is not in the volume, or not the user's"
# Each line of the table is a socket; 0A: it listens. 1080 is 0438, 1081 0439; 0100007F is 127.0.0.1.
listening=\$(awk '\$4 == "0A" { print \$2 }' /proc/net/tcp /proc/net/tcp6 | sort | tr '\n' ' ')
[ "\$listening" = '0100007F:0438 0100007F:0439 ' ] || fail "not only loopback listens: \$listening"
# Without a network no worker is ready, and that is what it says.
code=0
said=\$(\$(cat /test/health) 2>&1) || code=\$?
[ \$code = 1 ] || fail "HEALTHCHECK ended with \$code: \$said"
case \$said in *'not ready: 0 of 3 workers'*) ;; *) fail "HEALTHCHECK says \$said" ;; esac
grep -q '^CapEff:[[:space:]]*0*\$' /proc/\$daemon/status || fail "it has capabilities"
kill -TERM \$daemon
wait \$daemon || fail "SIGTERM ended it with \$?"
END
# As the engine would: the build as root, the rest as the image's user.
cat >"$work/hook" <<'END'
set -eu
cp -r artifacts "$1/artifacts"
mkdir "$1/test"
cp start health volume inside "$1/test"
cp run "$1/test/run"
if [ -e /etc/resolv.conf ] && [ ! -e "$1/etc/resolv.conf" ]; then cp /etc/resolv.conf "$1/etc/"; fi
chroot "$1" env TARGETARCH= sh -e /test/run >"$1/test/built" 2>&1 || { cat "$1/test/built" >&2; exit 1; }
rm -r "$1/artifacts"
user=$(cat user)
unshare --net sh -c 'ip link set lo up; exec chroot "$@"' sh "$1" setpriv --reuid="$user" --regid="$user" --clear-groups \
    --bounding-set=-all --no-new-privs sh /test/inside
END
echo "$user" >"$work/user"
cd "$work"
mmdebstrap --quiet --format=null --variant=minbase --customize-hook="sh '$work/hook' \"\$1\"" \
    "$suite" /dev/null sources.list 2>log || {
    cat log >&2
    if grep -q "in the container's root" log; then fail "see above"; fi
    if grep -qi 'failed to fetch\|could not resolve\|could not connect\|unable to fetch' log; then exit 77; fi
    fail "the Containerfile's commands fail"
}
echo "the Containerfile's image: made in a fresh root of Debian $suite, run as $user"
