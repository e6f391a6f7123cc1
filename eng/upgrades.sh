#!/usr/bin/env bash
# Upgrades a daemon again and again by `run --takeover`, in front of a private Tor network, while it carries a tunnel and a slow download
# from the first minute to the last and is asked 50 times a second around each upgrade. Every byte is compared. Prints what became of
# everybody, and fails when anybody noticed: see eng/upgrades.py.
#   eng/upgrades.sh 60                       an hour, 24 upgrades
#   TORBALANCER_EXE=FILE eng/upgrades.sh 5   with that daemon (a release perhaps) instead of the one that is built here
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh

minutes=${1:?how many minutes?}
[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || { echo "$minutes is no number of minutes" >&2; exit 2; }
install_packages tor=tor tor-geoipdb=/usr/share/tor/geoip curl=curl python3=/usr/bin/python3

executable=${TORBALANCER_EXE:-}
if [ -z "$executable" ]; then
    require_dotnet
    dotnet build Proxy.Daemon/Proxy.Daemon.csproj -c Release -v quiet -nologo -clp:NoSummary
    executable=Proxy.Daemon/bin/Release/net10.0/torbalancer
fi
exec /usr/bin/python3 eng/upgrades.py "$executable" "$minutes"
