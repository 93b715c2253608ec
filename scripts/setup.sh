# shellcheck shell=bash
# Sourced by run-demo and run-tests, from the top of the checkout: installs what is missing on Debian 12 or 13. The list is
# conf/debian-packages, one package a line; "a|b" means the first of them that exists; what follows the line "# tests:" is
# needed by the tests only, what follows "# long:" by the long ones. Does nothing, and needs neither root nor network, when all is there.

# castgate_fail MESSAGE...: one line on stderr, and the end.
castgate_fail() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

castgate_installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The lines of the list: "run" stops where the tests' block begins, "tests" where that of the long ones does, "long" gives all.
castgate_listed() {
    local end
    case "$1" in
    run) end='^# tests:' ;;
    tests) end='^# long:' ;;
    *) end='^# none:' ;;
    esac
    sed -e "/$end/,\$d" -e 's/#.*//' conf/debian-packages | tr -d ' \t' | grep -v '^$'
}

# One word a line that is not met yet, alternatives still joined by '|'.
castgate_missing() {
    local line alternative
    castgate_listed "$1" | while read -r line; do
        for alternative in ${line//|/ }; do
            castgate_installed "$alternative" && continue 2
        done
        printf '%s\n' "$line"
    done
}

# The first alternative that the package lists know.
castgate_choose() {
    local alternative
    for alternative in ${1//|/ }; do
        if apt-cache show "$alternative" >/dev/null 2>&1; then
            printf '%s\n' "$alternative"
            return
        fi
    done
    return 1
}

castgate_as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive "$@"
    else
        sudo env DEBIAN_FRONTEND=noninteractive "$@"
    fi
}

# castgate_packages run|tests|long
castgate_packages() {
    local missing line package
    local -a chosen=()
    if ! command -v dpkg-query >/dev/null; then
        printf 'This is no Debian system: nothing is installed. What is needed is listed in conf/debian-packages.\n' >&2
        return
    fi
    missing=$(castgate_missing "$1")
    [ -n "$missing" ] || return 0
    printf 'To be installed: %s\n' "${missing//$'\n'/ }"
    if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
        castgate_fail 'packages are missing, and there is no sudo: run this as root once, or install them by hand'
    fi
    castgate_as_root apt-get update -qq ||
        castgate_fail 'apt-get update failed: no network, or no package sources? (see above)'
    for line in $missing; do
        package=$(castgate_choose "$line") ||
            castgate_fail "no package $line is known here: no network at apt-get update, or not Debian 12 or 13"
        chosen+=("$package")
    done
    castgate_as_root apt-get install -y -qq --no-install-recommends "${chosen[@]}" >/dev/null ||
        castgate_fail "apt-get could not install: ${chosen[*]} (no network? see above)"
}

# castgate_build FOLDER [CMAKE ARGUMENT]...: configures and builds everything; shows the output only when it fails.
castgate_build() {
    local folder=$1 log
    shift
    log=$(mktemp)
    if ! { cmake -S . -B "$folder" "$@" && cmake --build "$folder" --parallel "$(nproc)"; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        castgate_fail "building $folder failed (see above)"
    fi
    rm -f "$log"
}
