# Sourced by run.sh, test.sh and the like: what they need on a Debian machine, installed when it is missing.

# The SDK may be where Microsoft's own script puts it.
if ! command -v dotnet >/dev/null 2>&1 && [ -x "$HOME/.dotnet/dotnet" ]; then
    PATH="$HOME/.dotnet:$PATH"
fi
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1

require_dotnet() {
    command -v dotnet >/dev/null 2>&1 || {
        echo "The .NET 10 SDK is missing: https://dotnet.microsoft.com/download/dotnet/10.0" >&2
        exit 1
    }
    dotnet --version >/dev/null || exit 1
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; elif command -v sudo >/dev/null 2>&1; then sudo "$@"; else return 1; fi
}

# install_packages PACKAGE=PROBE…: installs the packages whose probe is not there: a command, a file, py:MODULE or lib:LIBRARY.
install_packages() {
    local missing=() pair probe
    for pair in "$@"; do
        probe=${pair#*=}
        case $probe in
            /*) [ -e "$probe" ] ;;
            # Not grep -q, which would leave before ldconfig has said all: with pipefail that is a failure.
            lib:*) /sbin/ldconfig -p 2>/dev/null | grep -F "${probe#lib:} " >/dev/null ;;
            py:*) /usr/bin/python3 -c "import ${probe#py:}" 2>/dev/null ;;
            *) command -v "$probe" >/dev/null 2>&1 || [ -x "/usr/sbin/$probe" ] ;;
        esac || missing+=("${pair%%=*}")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        echo "Please install: ${missing[*]}" >&2
        return 1
    fi
    echo "Installing: ${missing[*]}"
    as_root apt-get update -qq || true
    # RUNLEVEL: what is installed for tests and benchmarks must not be started as a service; they start it themselves.
    as_root env RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null || {
        echo "Could not install: ${missing[*]} (run as root, or install them by hand)" >&2
        return 1
    }
}

# require_writable FOLDER: makes it, or says that nothing can be put there.
require_writable() {
    local who
    if ! mkdir -p "$1" 2>/dev/null || [ ! -w "$1" ]; then
        who=$(id -un 2>/dev/null) || who=$(id -u)
        echo "$0: $(realpath -m "$1") cannot be written to by this user ($who)" >&2
        return 1
    fi
}

# x64 or arm64, as .NET calls this machine's processor.
this_processor() {
    case $(uname -m) in
        x86_64) echo x64 ;;
        aarch64) echo arm64 ;;
        *)
            echo "releases are built on x86_64 and aarch64, not on $(uname -m)" >&2
            return 1
            ;;
    esac
}

# write_checksums VERSION: artifacts/SHA256SUMS, of all that was made of this version.
write_checksums() (
    cd artifacts
    files=()
    for file in torbalancer-"$1"-linux-{x64,arm64}{,.dbg,.cdx.json} torbalancer_"$1"_{amd64,arm64}.deb; do
        [ ! -e "$file" ] || files+=("$file")
    done
    sha256sum "${files[@]}" >SHA256SUMS
)

# When the sources are from, in seconds: the commit's time, so that nothing depends on when it is built; without git that of the changelog.
source_date() { git log -1 --format=%ct 2>/dev/null || stat -c %Y CHANGELOG.md; }

# What Native AOT links the release with: the C compiler as a driver of the linker, the C library's start files, objcopy.
require_linker() {
    install_packages gcc=gcc libc6-dev=/usr/include/stdlib.h zlib1g-dev=/usr/include/zlib.h binutils=objcopy python3=/usr/bin/python3
}

# require_cross_linker TRIPLE PROCESSOR: the same for another processor, and what runs its programs here.
require_cross_linker() {
    install_packages "gcc-${1//_/-}=$1-gcc" "libc6-dev-$2-cross=/usr/$1/include/stdlib.h" "binutils-${1//_/-}=$1-objcopy" \
        "qemu-user=qemu-${1%%-*}" python3=/usr/bin/python3
}

# foreign_root FOLDER PROCESSOR PACKAGE…: unpacks Debian's packages for another processor into FOLDER, which is a root for qemu-user.
# Neither dpkg nor apt's own lists learn of that processor, and nobody needs to be root.
foreign_root() (
    local root=$1 processor=$2 lists package apt
    shift 2
    [ ! -e "$root/complete" ] || return 0
    lists=$(mktemp -d)
    trap 'rm -rf "$lists"' EXIT
    mkdir -p "$lists/partial" "$root"
    apt=(apt-get -qq -o "APT::Architecture=$processor" -o "APT::Architectures=$processor" -o "Dir::State::Lists=$lists"
        -o "Dir::Cache::pkgcache=" -o "Dir::Cache::srcpkgcache=" -o APT::Sandbox::User=)
    root=$(realpath "$root")
    cd "$lists"
    "${apt[@]}" update || true
    for package; do
        # The first of several names that there is.
        local name found=
        for name in ${package//|/ }; do
            if "${apt[@]}" download "$name" 2>"$lists/problem"; then
                found=$name
                break
            fi
        done
        [ -n "$found" ] || {
            echo "Could not get for $processor: $package" >&2
            cat "$lists/problem" >&2
            return 1
        }
    done
    for package in *.deb; do dpkg-deb -x "$package" "$root"; done
    touch "$root/complete"
)

# is_stale FILE: whether sources are newer than this release.
is_stale() {
    [ -n "$(find Proxy.Core Proxy.Daemon Proxy.Onion Proxy.Testnet eng Directory.*.props \( -name '*.cs' -o -name '*.csproj' -o -name '*.props' \
        -o -name release.sh -o -name method-order.txt -o -path '*/Page/*' \) -not -path '*/obj/*' -newer "$1" -print -quit)" ]
}

# debian_sources FILE: this machine's own mirror, as lines of a sources.list; prints the name of its Debian. Fails where there is none.
debian_sources() {
    local suite
    apt-get indextargets --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' \
        "Architecture: $(dpkg --print-architecture)" | sort -u >"$1"
    suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    grep -q " $suite main" "$1" || { echo "apt of this machine knows no mirror of Debian's $suite" >&2; return 1; }
    echo "$suite"
}

# The newest release in artifacts/ for this processor; nothing where none has been built.
newest_release() {
    ls -t artifacts/torbalancer-*-linux-"$(this_processor)" 2>/dev/null | head -n 1
}
