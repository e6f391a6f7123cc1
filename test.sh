#!/usr/bin/env bash
# Installs what the tests need and runs every test. Arguments go to `dotnet test` (for example --filter Name~Socks5).
# The last line is: N passed, N failed, N skipped
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. eng/setup.sh
require_dotnet
install_packages tor=tor curl=curl torsocks=torsocks proxychains4=proxychains4 git=git openssh-client=ssh openssh-server=sshd \
    netcat-openbsd=/bin/nc.openbsd python3=python3 python3-requests=py:requests python3-socks=py:socks chromium=chromium \
    openssl=openssl strace=strace iproute2=ip procps=ps wireguard-tools=wg wireguard-go=wireguard-go \
    nftables=nft || echo "Some tests will be skipped for want of these." >&2

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
dotnet build TorBalancer.sln -c Release -v quiet -nologo || { echo "0 passed, 1 failed"; exit 1; }
dotnet test Proxy.Tests/Proxy.Tests.csproj -c Release --no-build -nologo \
    --logger "trx;LogFileName=tests.trx" --logger "console;verbosity=normal" --results-directory "$results" \
    --blame-hang --blame-hang-timeout 10m --blame-hang-dump-type none "$@"
status=$?

counters=$(grep -o '<Counters [^>]*>' "$results/tests.trx" 2>/dev/null | head -n 1)
count() { local n; n=$(grep -o " $1=\"[0-9]*\"" <<<"$counters" | grep -o '[0-9]*'); echo "${n:-0}"; }
passed=$(count passed) failed=$(count failed) total=$(count total)
skipped=$((total - passed - failed))
if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
if [ "$total" -eq 0 ]; then failed=1; fi
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
