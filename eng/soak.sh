#!/usr/bin/env bash
# Mixed traffic through a private Tor network for some minutes, while workers are killed, paused, drained and reloaded and relays die; every
# payload is compared, and descriptors, threads and memory of the daemon must be back at the base line afterwards. Prints a report.
#   eng/soak.sh 120                       two hours
#   eng/soak.sh 120 --update              the same, and puts the report into docs/soak.md
#   TORBALANCER_EXE=FILE eng/soak.sh 20   with that daemon (a release perhaps) instead of the one that is built here
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh

minutes=${1:?how many minutes?}
[[ $minutes =~ ^[0-9]+(\.[0-9]+)?$ ]] || { echo "$minutes is no number of minutes" >&2; exit 2; }
case ${2:-} in
    "") update= ;;
    --update) update=yes ;;
    *)
        echo "$2 is not known; see the head of $0" >&2
        exit 2
        ;;
esac
require_dotnet
install_packages tor=tor tor-geoipdb=/usr/share/tor/geoip

dotnet build Proxy.Tests/Proxy.Tests.csproj -c Release -v quiet -nologo -clp:NoSummary
report=$(mktemp)
trap 'rm -f "$report"' EXIT
TORBALANCER_SOAK_MINUTES=$minutes TORBALANCER_SOAK_REPORT=$report dotnet test Proxy.Tests/Proxy.Tests.csproj -c Release --no-build -nologo \
    --filter FullyQualifiedName~SoakTests --logger "console;verbosity=normal"
[ -s "$report" ] || { echo "There is no report: was the test skipped?" >&2; exit 1; }

if [ -n "$update" ]; then
    # Between the two comments, and nothing else.
    awk -v report="$report" '
        /^<!-- end of soak -->$/ { inside = 0 }
        !inside
        /^<!-- soak -->$/ {
            inside = 1
            print ""
            while ((getline line < report) > 0) print line
            print ""
        }' docs/soak.md >"$report.page"
    cat "$report.page" >docs/soak.md
    rm "$report.page"
fi
