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

# install_packages PACKAGE=COMMAND_OR_FILE…: installs the packages whose command or file is not there.
install_packages() {
    local missing=() pair probe
    for pair in "$@"; do
        probe=${pair#*=}
        case $probe in
            /*) [ -e "$probe" ] ;;
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

# What Native AOT links the release with: the C compiler as a driver of the linker, the C library's start files, objcopy.
require_linker() {
    install_packages gcc=gcc libc6-dev=/usr/include/stdlib.h zlib1g-dev=/usr/include/zlib.h binutils=objcopy python3=/usr/bin/python3
}
