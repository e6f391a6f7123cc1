#!/usr/bin/env bash
# Fuzzes parsers with afl++ and SharpFuzz: eng/fuzz.sh TARGET|all MINUTES [keep]
# Installs what it needs, builds and instruments the libraries in artifacts/fuzz, runs afl-fuzz on each target for so many minutes (on one
# processor, at the lowest priority) and prints what it did: executions, inputs that met something new, crashes, inputs without an end.
# With "keep" what it found is minimized (afl-cmin) into the corpus of the repository. Crashes stay in artifacts/fuzz/TARGET/default.
# Exit code 1: something crashed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. eng/setup.sh
require_dotnet

which=${1:?usage: eng/fuzz.sh TARGET|all MINUTES [keep]} minutes=${2:?usage: eng/fuzz.sh TARGET|all MINUTES [keep]} keep=${3:-}
install_packages afl++=afl-fuzz libsodium23=lib:libsodium.so.23
dotnet tool restore >/dev/null

out=$PWD/artifacts/fuzz
program=$out/bin/Proxy.Fuzz.dll
runner=$(readlink -f "$(command -v dotnet)")

# Once for each state of the sources; a library cannot be instrumented twice.
if [ ! -e "$out/instrumented" ] || [ -n "$(find Proxy.Core Proxy.Onion Proxy.Daemon Proxy.Fuzz -name '*.cs' -not -path '*/obj/*' \
    -newer "$out/instrumented" -print -quit)" ]; then
    rm -rf "$out/bin" "$out/instrumented"
    dotnet publish Proxy.Fuzz/Proxy.Fuzz.csproj -c Release -o "$out/bin" -v quiet -nologo -p:RunAnalyzers=false
    for library in Proxy.Core Proxy.Onion; do dotnet sharpfuzz "$out/bin/$library.dll"; done
    dotnet sharpfuzz "$out/bin/torbalancer.dll" TorBalancer.Daemon.Readiness.ReadinessRequest TorBalancer.Daemon.Admin.WorkerRequest \
        TorBalancer.Daemon.Takeover.Takeover TorBalancer.Daemon.Client.ServerSentEvents TorBalancer.Daemon.Commands.Live.EventsCommand \
        TorBalancer.Daemon.Terminal.Printable
    touch "$out/instrumented"
fi

# The fork server is the program's own. Nothing about this machine is changed for the sake of speed, so afl-fuzz is told not to mind it.
export AFL_SKIP_BIN_CHECK=1 AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 AFL_ALLOW_TMP=1
export DOTNET_TieredPGO=0 DOTNET_gcServer=0 DOTNET_gcConcurrent=0

stat_of() { sed -n "s/^$2 *: *//p" "$out/$1/default/fuzzer_stats" | tr -d ' '; }

crashed=0
fuzz() { # TARGET LONGEST
    local target=$1 longest=$2 words=() begin
    [ ! -e "Proxy.Fuzz/Dictionaries/$target.dict" ] || words=(-x "Proxy.Fuzz/Dictionaries/$target.dict")
    # What an earlier run has found is gone on with.
    begin=Proxy.Fuzz/Corpus/$target
    if [ -d "$out/$target/default/queue" ]; then begin=-; fi
    nice -n 19 afl-fuzz -i "$begin" -o "$out/$target" -t 5000 -m none -G "$longest" -V "$((minutes * 60))" "${words[@]}" \
        -- "$runner" "$program" "$target" >"$out/$target.log" 2>&1 || {
        tail -n 20 "$out/$target.log" >&2
        crashed=1
        return
    }
    printf '%-18s %12s executions, %5s a second, %5s inputs, %3s crashes, %3s hangs\n' "$target" "$(stat_of "$target" execs_done)" \
        "$(stat_of "$target" execs_per_sec)" "$(stat_of "$target" corpus_count)" "$(stat_of "$target" saved_crashes)" \
        "$(stat_of "$target" saved_hangs)"
    [ "$(stat_of "$target" saved_crashes)" = 0 ] || crashed=1
    [ "$keep" != keep ] || minimize "$target"
}

minimize() { # TARGET
    local target=$1 small=$out/$1.small count=0
    rm -rf "$small"
    nice -n 19 afl-cmin -i "$out/$target/default/queue" -o "$small" -t 5000 -m none -- "$runner" "$program" "$target" \
        >"$out/$target.cmin.log" 2>&1 || { tail -n 5 "$out/$target.cmin.log" >&2; return; }
    # The shortest of them: each run of the suite reads all.
    local file name
    while read -r file; do
        name=$(sha256sum "$small/$file" | cut -c 1-16)
        if [ $((++count)) -le 80 ] && [ "$(stat -c %s "$small/$file")" -le 1024 ]; then cp "$small/$file" "Proxy.Fuzz/Corpus/$target/$name"; fi
    done < <(ls -rS "$small")
}

while read -r target longest; do
    if [ "$which" = all ] || [ "$which" = "$target" ]; then fuzz "$target" "$longest"; fi
done < <(dotnet "$program" targets)
exit "$crashed"
