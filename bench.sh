#!/usr/bin/env bash
# Measures TorBalancer beside what a user might take instead, in alternating rounds on the same stub worker; see docs/performance.md.
#   ./bench.sh                                all of it: about 40 minutes
#   ./bench.sh --quick                        about two minutes, with short windows and without start and tor
#   ./bench.sh --only connections,bulk        of connections, cold, bulk, roundtrips, fairness, requests, idle, start, tor, identities
#   ./bench.sh --only transparent             as root: connections that the kernel turns to us, beside those of clients that know us
#   ./bench.sh --out docs/performance-results.md --csv rounds.csv
#   ./bench.sh --engines                      each engine by itself
#   ./bench.sh --profile                      system calls per connection and per GB
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. eng/setup.sh
require_dotnet

install_packages haproxy=haproxy v2ray=v2ray microsocks=microsocks strace=strace util-linux=taskset tor=tor tor-geoipdb=/usr/share/tor/geoip \
    privoxy=privoxy tinyproxy=tinyproxy
PATH=$PATH:/usr/sbin

dotnet build Proxy.Daemon/Proxy.Daemon.csproj -c Release -v quiet -nologo -clp:NoSummary
dotnet build Proxy.Benchmarks/Proxy.Benchmarks.csproj -c Release -v quiet -nologo -clp:NoSummary
newest=$(newest_release || true)
if [ -z "$newest" ] || is_stale "$newest"; then
    eng/release.sh
fi

# Twice 9,000 descriptors and some: the limit that the idle tunnels are held under.
ulimit -n 20000

# The first core belongs to the forwarder; everything that measures stays off it.
cores=$(nproc)
export BENCH_CORES=$((cores - 1))
if [ "$cores" -gt 1 ]; then others=1-$((cores - 1)); else others=0; fi
launcher=()
case " $* " in
    *transparent*) # It redirects connections, and no others than those of its own network.
        install_packages nftables=nft iproute2=ip
        launcher=(unshare --net sh -c 'ip link set lo up && exec "$@"' sh)
        ;;
esac
exec "${launcher[@]}" taskset -c "$others" Proxy.Benchmarks/bin/Release/net10.0/Proxy.Benchmarks side-by-side --root "$PWD" "$@"
