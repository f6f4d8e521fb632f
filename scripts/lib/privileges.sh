# Shows from /proc that a process is an unprivileged user for good. Sourced; expects in_box, which runs a
# command where the process is.
# shellcheck shell=sh

# is_unprivileged PID ID: every thread of the process is the user and the group with this number, without
# capabilities and without a way to get any, and nobody but root can look into its memory.
is_unprivileged() {
    # shellcheck disable=SC2016 # expanded in the box
    threads=$(in_box sh -c 'cat /proc/"$1"/task/*/status' sh "$1") || return 1
    number=$(printf '%s\n' "$threads" | grep -c '^Name:')
    for line in "Uid:.$2.$2.$2.$2" "Gid:.$2.$2.$2.$2" "Groups:[[:space:]]*($2)?[[:space:]]*" 'CapInh:.0*' 'CapPrm:.0*' \
        'CapEff:.0*' 'CapBnd:.0*' 'CapAmb:.0*' 'NoNewPrivs:.1'; do
        [ "$(printf '%s\n' "$threads" | grep -cE "^$line\$")" = "$number" ] || {
            printf 'not in each of %s threads of %s: %s\n%s\n' "$number" "$1" "$line" "$threads"
            return 1
        }
    done
    # Of an undumpable process this file belongs to root.
    [ "$(in_box stat -c %u "/proc/$1/mem")" = 0 ] || {
        printf 'other processes of its user can look into %s\n' "$1"
        return 1
    }
    in_box grep '^Max core file size *0  *0 ' "/proc/$1/limits"
}
