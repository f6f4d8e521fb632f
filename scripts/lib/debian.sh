# Installs missing Debian packages that a script needs, and says so. Sourced; expects $project.
# shellcheck shell=sh disable=SC2154

# Runs a command as root; fails with a reason if that is impossible.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        printf 'root is needed, and sudo is not installed, for: %s\n' "$*" >&2
        return 1
    fi
}

# Prints the missing packages of the named groups.
missing_packages() {
    while read -r group package command; do
        for wanted in "$@"; do
            [ "$group" = "$wanted" ] || continue
            if [ -n "$command" ] && command -v "$command" >/dev/null; then
                continue
            fi
            # shellcheck disable=SC2016 # dpkg-query's own variable
            case $(dpkg-query -W -f='${Status}' "$package" 2>/dev/null) in
                'install ok installed') ;;
                *) printf '%s\n' "$package" ;;
            esac
        done
    done <"$project/scripts/packages"
}

# Installs the named packages and starts none of their services: Debian would, and a port that one
# uses may be taken. nginx and mosquitto are for tests, which start their own, so they do not start at
# the next boot either.
apt_install() {
    # shellcheck disable=SC2016 # for the inner shell
    as_root env DEBIAN_FRONTEND=noninteractive sh -c '
        policy=/usr/sbin/policy-rc.d
        case " $* " in
            *" nginx "*|*" mosquitto "*)
                if [ ! -e "$policy" ]; then
                    trap "rm -f $policy" EXIT
                    trap "exit 1" INT TERM HUP
                    printf "#!/bin/sh\nexit 101\n" >"$policy" && chmod 755 "$policy"
                fi
                ;;
        esac
        apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends "$@" || exit 1
        for service in nginx mosquitto; do
            case " $* " in
                *" $service "*) update-rc.d "$service" disable || exit 1 ;;
            esac
        done
    ' sh "$@"
}

# Installs the missing packages of the named groups (see scripts/packages). Takes minutes at most
# once.
install_packages() {
    command -v apt-get >/dev/null || {
        printf 'this is not Debian, so no package is installed; scripts/packages lists what is needed\n'
        return 0
    }
    missing=$(missing_packages "$@")
    [ -n "$missing" ] || return 0
    printf 'installing with apt, as root: %s\n' "$(printf '%s' "$missing" | tr '\n' ' ')"
    apt_log=$(mktemp)
    # shellcheck disable=SC2086 # a list of words
    if as_root apt-get -q update >"$apt_log" 2>&1 </dev/null &&
        apt_install $missing >>"$apt_log" 2>&1 </dev/null; then
        rm -f "$apt_log"
    else
        cat "$apt_log" >&2
        rm -f "$apt_log"
        printf 'apt could not install what is missing\n' >&2
        return 1
    fi
}

# Whether version $1 is $2 or later.
is_at_least() {
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# Puts a recent enough Rust toolchain on the PATH; rustup fetches one if there is none, because
# Debian's own is older.
require_rust() {
    PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
    export PATH
    wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$project/Cargo.toml")
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || found=''
    if [ -n "$found" ] && is_at_least "$found" "$wanted"; then
        return 0
    fi
    printf 'installing Rust %s or later with rustup, for this user (found: %s)\n' "$wanted" "${found:-none}"
    if ! command -v rustup >/dev/null; then
        rustup_init=$(mktemp)
        if curl --proto '=https' --tlsv1.2 -sSf -o "$rustup_init" https://sh.rustup.rs; then
            sh "$rustup_init" -q -y --no-modify-path --profile minimal -c clippy -c rustfmt </dev/null || :
        fi
        rm -f "$rustup_init"
    else
        rustup -q toolchain install stable --profile minimal -c clippy -c rustfmt </dev/null || :
        RUSTUP_TOOLCHAIN=stable
        export RUSTUP_TOOLCHAIN
    fi
    found=$(cargo --version 2>/dev/null | cut -d ' ' -f 2) || found=''
    if [ -z "$found" ] || ! is_at_least "$found" "$wanted"; then
        printf 'Rust %s or later is needed; see https://rustup.rs\n' "$wanted" >&2
        return 1
    fi
}

# Installs Playwright, TypeScript and ESLint into tests/page/node_modules; done once for a given lock file.
need_playwright() {
    cmp -s "$project/tests/page/package-lock.json" "$project/tests/page/node_modules/.installed" && return 0
    (cd "$project/tests/page" && npm ci --no-audit --no-fund && cp package-lock.json node_modules/.installed)
}
