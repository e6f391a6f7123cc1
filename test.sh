#!/usr/bin/env bash
# Installs what the tests need and runs every test. Arguments go to `dotnet test` (for example --filter Name~Socks5).
# Without arguments it also builds the release, and runs the tests of the category Native a second time with it; it leaves out the
# category Long, whose tests take many minutes each (docs/development.md).
# TORBALANCER_HANG=60m: a test that says nothing for so long is ended; 10m without it.
# The last line is: N passed, N failed, N skipped
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
. eng/setup.sh
require_dotnet
install_packages tor=tor tor-geoipdb=/usr/share/tor/geoip \
    curl=curl torsocks=torsocks proxychains4=proxychains4 git=git openssh-client=ssh openssh-server=sshd \
    netcat-openbsd=/bin/nc.openbsd python3=/usr/bin/python3 python3-requests=py:requests python3-socks=py:socks chromium=chromium \
    firefox-esr=firefox-esr \
    libsodium23=lib:libsodium.so.23 onionbalance=onionbalance python3-stem=py:stem python3-cryptography=py:cryptography \
    openssl=openssl strace=strace iproute2=ip procps=ps wireguard-tools=wg wireguard-go=wireguard-go \
    nftables=nft iptables=iptables-nft haproxy=haproxy keepalived=keepalived wget=wget microsocks=microsocks dante-server=danted \
    logrotate=logrotate util-linux=setpriv mandoc=mandoc groff-base=groff zsh=zsh fish=fish lintian=lintian mmdebstrap=mmdebstrap \
    systemd=systemd-analyze obfs4proxy=obfs4proxy prometheus=promtool nodejs=node npm=npm python3-pip=pip3 golang-go=go pngquant=pngquant \
    default-jre-headless=keytool apache2-utils=htpasswd whois=mkpasswd bind9-dnsutils=dig dnsmasq-base=dnsmasq kubernetes-client=kubectl ||
    echo "Some tests will be skipped for want of these." >&2

results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
dotnet build TorBalancer.sln -c Release -v quiet -nologo || { echo "0 passed, 1 failed"; exit 1; }
run_tests() { # FILE [arguments]
    local file=$1
    shift
    dotnet test Proxy.Tests/Proxy.Tests.csproj -c Release --no-build -nologo \
        --logger "trx;LogFileName=$file" --logger "console;verbosity=normal" --results-directory "$results" \
        --blame-hang --blame-hang-timeout "${TORBALANCER_HANG:-10m}" --blame-hang-dump-type none "$@"
}

count() { # FILE COUNTER
    local n
    n=$(grep -o '<Counters [^>]*>' "$results/$1" 2>/dev/null | head -n 1 | grep -o " $2=\"[0-9]*\"" | grep -o '[0-9]*')
    echo "${n:-0}"
}

# Class.Method of each test that failed, once.
failures() { # FILE
    local id
    for id in $(grep -o '<UnitTestResult [^>]*outcome="Failed"' "$results/$1" | grep -o 'testId="[^"]*"'); do
        grep -A 4 "<UnitTest [^>]*id=${id#testId=}" "$results/$1" |
            sed -n 's/.*className="\([^"(]*\)[^"]*" name="\([A-Za-z0-9_]*\).*/\1.\2/p'
    done | sort -u
}

# One process of tests; what it says and how it ends stay in files.
suite() { # NAME [arguments]
    local name=$1 began=$SECONDS
    shift
    run_tests "$name.trx" "$@" 2>&1 | tee "$results/$name.out"
    echo "${PIPESTATUS[0]}" >"$results/$name.status"
    echo "The tests \"$name\" took $((SECONDS - began)) s."
}

passed=0 failed=0 skipped=0
# Adds what a suite did to the counts. What failed is shown again, where a log that was cut still has it, and run once more by itself:
# real tor picks its paths by chance. What fails alone too is broken; what does not is named, so that it is looked into.
settle() { # NAME
    local name=$1 status good bad total names filter test
    status=$(cat "$results/$name.status" 2>/dev/null || echo 1)
    good=$(count "$name.trx" passed) bad=$(count "$name.trx" failed) total=$(count "$name.trx" total)
    skipped=$((skipped + total - good - bad))

    if [ "$bad" -gt 0 ]; then
        echo "What failed of \"$name\":"
        grep -E -A 12 '^ *Failed [^:]' "$results/$name.out" | cut -c 1-300 | head -n 120

        names=$(failures "$name.trx")
        # Not where the process ended before its tests did: what did not run has not passed.
        if [ -n "$names" ] && [ "$bad" -le 5 ] && ! grep -qi 'test run \(was \)\?aborted' "$results/$name.out"; then
            rm -f "$results/again.trx" "$results/again.txt"
            filter=
            for test in $names; do filter="$filter|FullyQualifiedName~$test"; done
            [ "$name" != native ] || local -x TORBALANCER_EXE=$release
            if run_tests again.trx --filter "${filter#|}" >"$results/again.txt" 2>&1 && [ "$(count again.trx passed)" -gt 0 ]; then
                echo "Unstable, passed when run alone: $names"
                good=$((good + bad)) bad=0 status=0
            else
                tail -n 60 "$results/again.txt"
            fi
        fi
    fi

    if [ "$status" -ne 0 ] && [ "$bad" -eq 0 ]; then bad=1; fi
    if [ "$total" -eq 0 ]; then bad=1; fi
    passed=$((passed + good)) failed=$((failed + bad))
}

if [ $# -gt 0 ]; then
    suite tests "$@"
    settle tests
else
    # All tests with the framework, and some with the released file, so that what trimming or compiling ahead of time breaks shows.
    release=
    if ! require_linker; then
        echo "Nothing is run with the released file: the linker that builds it is missing." >&2
        skipped=1
    elif eng/release.sh; then
        release=$PWD/$(newest_release)
    else
        failed=1
    fi

    # Most of them wait for tor most of the time, so several processes of them stand side by side, each with a test network of its own.
    resilience='(FullyQualifiedName~.Scenarios.Resilience.|FullyQualifiedName~.Scenarios.Balance.)'
    others='FullyQualifiedName~.Scenarios.&FullyQualifiedName!~.Scenarios.Resilience.&FullyQualifiedName!~.Scenarios.Balance.'
    short='TestCategory!=Long&TestCategory!=Soak'
    (suite units --filter "$short&FullyQualifiedName!~.Scenarios.") &
    (suite clients --filter "$short&$others") &
    (suite soak --filter TestCategory=Soak) &
    (
        suite resilience --filter "$short&$resilience"
        [ -z "$release" ] || TORBALANCER_EXE=$release suite native --filter "$short&TestCategory=Native"
    ) &
    wait
    for name in units resilience soak clients ${release:+native}; do settle "$name"; done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
