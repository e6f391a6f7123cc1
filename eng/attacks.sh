#!/usr/bin/env bash
# Attacks the daemon on loopback, each attack for some seconds on a daemon of its own, and prints how a bystander is served before, during
# and a minute after, and what the daemon holds; see docs/security.md. As root everything is in a network namespace of its own.
#   eng/attacks.sh                              all of it: some five minutes
#   eng/attacks.sh --only silent,reset          of silent, crowded, crowded-in, slow, reset, half-open, headers, chunks, readers, passwords
#                                               and passwords-unbounded
#   eng/attacks.sh --seconds 30                 each for that long
#   eng/attacks.sh --update docs/security.md    puts the table into that page; rows of attacks that are not made stay
#   eng/attacks.sh --daemon FILE                another daemon than the newest release
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh
require_dotnet
install_packages util-linux=taskset iproute2=ip

dotnet build Proxy.Daemon/Proxy.Daemon.csproj -c Release -v quiet -nologo -clp:NoSummary
dotnet build Proxy.Benchmarks/Proxy.Benchmarks.csproj -c Release -v quiet -nologo -clp:NoSummary
newest=$(newest_release || true)
case " $* " in
    *" --daemon "*) ;;
    *) if [ -z "$newest" ] || is_stale "$newest"; then eng/release.sh; fi ;;
esac

# 10,000 clients are 20,000 descriptors of the daemon's and some more; the unit has as many. Where fewer are to be had, some wait.
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

# The daemon has the first half of the processors; whoever attacks or measures has the others.
cores=$(nproc)
half=$((cores / 2))
if [ "$half" -gt 1 ]; then export ATTACKS_DAEMON_CORES=0-$((half - 1)); else export ATTACKS_DAEMON_CORES=0; fi
if [ "$cores" -gt 1 ]; then others=$half-$((cores - 1)); else others=0; fi
[ "$others" != 0-0 ] || others=0
run=(taskset -c "$others" Proxy.Benchmarks/bin/Release/net10.0/Proxy.Benchmarks attacks --root "$PWD" "$@")

# An interface that leads nowhere: what answers a SYN from there is never answered. Neighbours are not asked for (arp off), so that no
# failure to find them ends what is half open.
nowhere='ip link set lo up && ip link add nowhere type veth peer name void && ip link set nowhere arp off &&
    ip addr add 198.18.0.1/15 dev nowhere && ip link set nowhere up && ip link set void up'
if [ "$(id -u)" = 0 ] && unshare --net sh -c "$nowhere" 2>/dev/null; then
    exec unshare --net sh -c "$nowhere && exec \"\$@\"" sh "${run[@]}"
fi
exec "${run[@]}"
