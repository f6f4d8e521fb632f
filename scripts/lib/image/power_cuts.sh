# The part `cuts` of scripts/boot-test: the power fails while settings and state are written. Sourced
# by it.
# shellcheck shell=sh disable=SC2154,SC2034,SC2015,SC2016

# The power fails at a random moment of this time after the writing began.
LONGEST_WRITING_MS=6000

# Run in the box: replaces cameras.toml as fast as it can, each time with the next number in the name of
# a camera and, so that half a file would show, in a long tail; the agent reads it in between, and writes
# down anew what it knows of the cameras. Prints each number once the file is safe.
writer() {
    cat <<'WRITER'
. /usr/share/cctv-agent/box.sh
file=/etc/cctv-agent/cameras.toml
n=$(sed -n 's/^name = "gate \([0-9]*\)".*/\1/p' $file)
(
    while :; do
        n=$((n + 1))
        {
            sed -e '/^# tail/d' -e "s/^name = \"gate .*/name = \"gate $n\"/" $file
            i=0
            while [ $i -lt 100 ]; do echo "# tail $n of the file, so that half of it would be seen"; i=$((i + 1)); done
        } | replace_file $file && echo "wrote $n"
    done
) >/dev/ttyS0 2>&1 &
( while :; do sleep 1; kill -HUP $(cat /run/cctv-agent/pid); done ) &
WRITER
}

# A number from 0 to below $1.
random_below() {
    number=$(od -An -N4 -tu4 /dev/urandom)
    printf '%s\n' $((number % $1))
}

newest_written() {
    tr -d '\r' <"$work/serial.log" | sed -n 's/^wrote \([0-9]*\)$/\1/p' | tail -n 1
}

number_in_use() {
    fetch /api/cameras | jq -r '.cameras[] | select(.id == "gate") | .name' | sed -n 's/^gate //p' | grep .
}

# The file is one that was written as a whole, and none older than what was said to be safe.
nothing_is_halved() {
    found=$(number_in_use) || return 1
    [ "$(fetch /api/cameras | jq '.complaints | length')" = 0 ] || return 1
    [ "$found" -ge "$1" ] && [ "$found" -le $(($1 + 1)) ] || {
        printf '    the file says %s; %s was safe\n' "$found" "$1"
        return 1
    }
    console_open || return 1
    if [ "$1" -gt 0 ]; then
        [ "$(in_box "grep -c '^# tail $found of the file, so that half of it would be seen\$' /etc/cctv-agent/cameras.toml")" = 100 ] || return 1
    fi
    # Each file of the state is whole.
    in_box 'for file in /var/lib/cctv-agent/*.json; do [ ! -e "$file" ] || cat "$file"; done' >"$work/state" || return 1
    jq -s length "$work/state" >/dev/null || {
        cat "$work/state"
        return 1
    }
    in_box 'mount | grep -q "/data .*rw"'
}

one_cut() {
    vm_cut
    serial_mark=0
    vm_start
    eventually "$BOOT_SECONDS" fetch /healthz || return 1
    printf '    up after %s s; ' "$(seconds_since "$vm_started")"
    nothing_is_halved "$safe" || return 1
    in_box "$(writer)" || return 1
    moment=$(random_below "$LONGEST_WRITING_MS")
    sleep "$((moment / 1000)).$(printf '%03d' $((moment % 1000)))"
    vm_cut
    newest=$(newest_written)
    printf 'it wrote %s to %s, then no power after %s ms\n' "$((safe + 1))" "${newest:-nothing}" "$moment"
    # Unsafe only until said: the next start may also have written one more.
    safe=${newest:-$(number_before)}
}

number_before() {
    printf '%s\n' "${found:-0}"
}

part_cuts() {
    vm_cut
    [ -e "$work/disk.img" ] || prepare_disk
    vm_start
    # There is state to be damaged once cameras were live.
    eventually "$BOOT_SECONDS" fetch /healthz && safe=$(number_in_use) || return 1
    all_live || say 'not all cameras are live, so there is less state to be damaged'
    vm_cut
    cut=1
    while [ "$cut" -le "$cuts" ]; do
        check "power cut $cut of $cuts: came up before it with a whole file" one_cut
        cut=$((cut + 1))
    done
    vm_cut
    serial_mark=0
    vm_start
    check 'after the last power cut: all cameras become live' comes_up
    check 'after the last power cut: a whole file' nothing_is_halved "$safe"
}
