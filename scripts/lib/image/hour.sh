# The part `hour` of scripts/boot-test: the memory that the box uses after it has run for a while.
# Sourced by it.
# shellcheck shell=sh disable=SC2154

# Time in which caches fill.
SETTLING_SECONDS=120

# Interval between two reports of memory, in seconds.
REPORT_SECONDS=600

# The kernel's own data and the log, a file of bounded size in memory, vary by this much.
MOST_LOST_MB=12

# Prints the megabytes that are still available to programs.
available() {
    in_box 'sed -n "s/^MemAvailable: *\([0-9]*\) kB/\1/p" /proc/meminfo' | awk '{ printf "%.1f\n", $1 / 1024 }'
}

runs_as_before() {
    begun=$(now_ms) before=$(available) pid=$(agent_pid) || return 1
    reconnects=$(fetch /api/cameras | jq '[.cameras[].reconnects] | add')
    while :; do
        left=$((minutes * 60 - ($(now_ms) - begun) / 1000))
        [ "$left" -gt 0 ] || break
        sleep $((left < REPORT_SECONDS ? left : REPORT_SECONDS))
        printf '    after %s s: %s MB of memory are available\n' "$(seconds_since "$begun")" "$(available)"
    done
    after=$(available)
    printf '    %s MB of memory were available at first, %s after %s minutes; %s cameras live, %s reconnects\n' "$before" "$after" "$minutes" \
        "$(cameras_live)" "$(($(fetch /api/cameras | jq '[.cameras[].reconnects] | add') - reconnects))"
    memory_in_use
    memory_report
    [ "$(agent_pid)" = "$pid" ] && all_live &&
        awk -v before="$before" -v after="$after" -v most="$MOST_LOST_MB" 'BEGIN { exit !(before - after <= most) }'
}

part_hour() {
    prepare_disk_without_watchdog
    vm_start
    check 'power-on: all cameras become live' comes_up
    # One of the cameras has a viewer.
    curl -sk -o /dev/null "https://127.0.0.1:$VM_PORT/live/gate?size=320x180" &
    watcher=$!
    console_open && sleep "$SETTLING_SECONDS"
    memory_in_use
    check "$minutes minutes with a viewer of one camera: the same agent, all live, no memory lost" runs_as_before
    kill "$watcher" 2>/dev/null || :
    vm_cut
    rm -f "$work/disk.img"
}
