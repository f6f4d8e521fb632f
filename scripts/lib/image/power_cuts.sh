# The part `cuts` of scripts/boot-test: the power fails while settings and state are written.
# Sourced by it.
# shellcheck shell=sh disable=SC2154,SC2034,SC2015,SC2016

# The power fails at a random moment within this time after the writing began. The state is written
# when a camera has become live again, which takes a slow machine some seconds.
LONGEST_WRITING_MS=15000

# As few cameras as possible: they take time from the writing.
CUT_CAMERAS='gate yard'

# The writing begins when one of them is live, or after this time.
LIVE_BEFORE_CUT_SECONDS=60

# The first profile of the virtual cameras, by its two names: a camera whose configured profile
# changes is asked again, and its record is written again.
PROFILES='Profile_1 mainStream'

# A script for the box: prints the state of the disk.
inspection() {
    cat <<'INSPECTION'
. /usr/share/cctv-agent/box.sh
file=/etc/cctv-agent/cameras.toml
n=$(sed -n 's/^name = "gate \([0-9]*\)".*/\1/p' $file)
echo "tail of $(grep -c "^# tail $n of the file, so that half of it would be seen\$" $file)"
mount | grep -q '/data .*rw' && echo 'data can be written'
# Each file of the state: none is half of one.
for state in /var/lib/cctv-agent/*.json; do [ ! -e "$state" ] || cat "$state"; done
INSPECTION
}

# A script for the box after that: replaces cameras.toml as fast as it can, each time with the next
# number in the name of a camera and in a long tail, which would show a half-written file. The agent
# reads the file in between, and because of the other profile $1 it writes its camera records again.
# Prints each number once the file is safe.
writer() {
    printf 'profile=%s\n' "$1"
    cat <<'WRITER'
(
    while :; do
        n=$((n + 1))
        {
            sed -e '/^# tail/d' -e '/^profile/d' -e "s/^name = \"gate .*/name = \"gate $n\"/" \
                -e "s/^onvif_port.*/&\nprofile = \"$profile\"/" $file
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

# The file that the agent read was written completely, and is not older than number $1, which was
# reported as safe; the writer may have been one number further.
file_is_whole() {
    found=$(number_in_use) || return 1
    printf 'file %s (%s was safe)' "$found" "$1"
    [ "$(fetch /api/cameras | jq '.complaints | length')" = 0 ] && [ "$found" -ge "$1" ] && [ "$found" -le $(($1 + 1)) ]
}

# Checks the output of the box, $work/inspection. Sets $state_profiles, the profiles in the state
# files.
disk_is_whole() {
    [ "$found" = 0 ] || grep -qx 'tail of 100' "$work/inspection" || return 1
    grep -qx 'data can be written' "$work/inspection" || return 1
    # The writer may already have printed by then.
    state_profiles=$(sed -e '1,/^data can be written$/d' -e '/^wrote /d' "$work/inspection" | jq -s -r '[.[].basis.profile // "none"] | join(" ")') || {
        cat "$work/inspection"
        return 1
    }
    printf '; state whole: %s\n' "$state_profiles"
}

# Power on; checks what the cut before has left; then writes, and the power fails.
one_cut() {
    vm_cut
    serial_mark=0
    vm_start
    eventually "$BOOT_SECONDS" fetch /healthz || return 1
    printf '    up after %s s (%s s of processor) with ' "$(seconds_since "$vm_started")" "$(vm_processor_seconds)"
    file_is_whole "$safe" && console_open || return 1
    eventually "$LIVE_BEFORE_CUT_SECONDS" some_are_live || :
    # shellcheck disable=SC2086 # a list of words
    in_box "$(inspection && writer "$(word_number $((cut % 2 + 1)) $PROFILES)")" >"$work/inspection" || return 1
    disk_is_whole || return 1
    [ "$state_profiles" = "${profiles_before:=$state_profiles}" ] || state_written=$((state_written + 1))
    profiles_before=$state_profiles
    moment=$(random_below "$LONGEST_WRITING_MS")
    sleep "$((moment / 1000)).$(printf '%03d' $((moment % 1000)))"
    vm_cut
    newest=$(newest_written) || newest=''
    printf '    it wrote files %s to %s, then no power %s ms after it began\n' "$((found + 1))" "${newest:-nothing}" "$moment"
    safe=${newest:-$found}
}

some_are_live() {
    [ "$(cameras_live)" -gt 0 ]
}

# word_number N WORD...
word_number() {
    shift "$1"
    printf '%s\n' "$1"
}

# The same check once more, without a cut after it.
last_look() {
    printf '    '
    file_is_whole "$safe" && console_open && in_box "$(inspection)" >"$work/inspection" && disk_is_whole
}

part_cuts() {
    all_cameras=$CAMERAS CAMERAS=$CUT_CAMERAS
    prepare_disk_without_watchdog
    safe=0 found=0 state_written=0 profiles_before='' cut=1
    while [ "$cut" -le "$cuts" ]; do
        check "power cut $cut of $cuts: up before it, with whole files" one_cut
        cut=$((cut + 1))
    done
    vm_cut
    serial_mark=0
    vm_start
    check 'after the last power cut: all cameras become live' comes_up
    check 'after the last power cut: whole files' last_look
    say "of $cuts power cuts $state_written left another state than the one before"
    vm_cut
    rm -f "$work/disk.img"
    CAMERAS=$all_cameras
}
