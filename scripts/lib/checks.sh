# Tests with one sentence each, and waits with a timeout, for shell. Sourced; expects $said, a file
# for the output of a test.
# shellcheck shell=sh disable=SC2154

passed=0 failed=0

# check SENTENCE COMMAND...: runs one test. Its output is shown only if it fails.
check() {
    sentence=$1
    shift
    if "$@" >"$said" 2>&1; then
        passed=$((passed + 1))
        printf 'ok - %s\n' "$sentence"
    else
        failed=$((failed + 1))
        printf 'not ok - %s\n' "$sentence"
        cat "$said"
    fi
}

# Ends the list of tests; fails if one of them did.
sum_up() {
    printf '# pass %s\n# fail %s\n' "$passed" "$failed"
    [ "$failed" = 0 ]
}

# eventually SECONDS COMMAND...: repeats it until it succeeds or the time is over.
eventually() {
    deadline=$(($(date +%s) + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$deadline" ] || return 1
        sleep 0.1
    done
}
