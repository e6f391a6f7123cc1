#!/usr/bin/env bash
# Builds if needed and starts the daemon. All arguments go to `torbalancer run`:
#   ./run.sh                     local tor workers of its own, or those in the configuration
#   ./run.sh --testnet           a private Tor network on loopback: everything can be tried offline
#   ./run.sh --config FILE       that configuration
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. eng/setup.sh
require_dotnet
install_packages tor=tor tor-geoipdb=/usr/share/tor/geoip
here=$PWD
dotnet build Proxy.Daemon/Proxy.Daemon.csproj -c Release -v quiet -nologo -clp:NoSummary
cd "${OLDPWD:-$here}"
exec "$here/Proxy.Daemon/bin/Release/net10.0/torbalancer" run "$@"
