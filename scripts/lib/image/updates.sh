# The part `update` of scripts/boot-test: good and bad updates of a running box. Sourced by it.
# shellcheck shell=sh disable=SC2154,SC2034,SC2015,SC2016

# Timeout in seconds from the start of an update to the next boot: it copies hundreds of megabytes
# on a slow machine.
WRITE_SECONDS=900
# Timeout in seconds for cctv-confirm to reject a system, and for a boot before and after that.
JUDGE_SECONDS=1200
# The power fails this many seconds after the writing of an update began, or a few more.
EARLIEST_CUT_SECONDS=3

# Prepares the updates: the image's own root; one without init, so that the kernel panics; and one
# whose agent lacks its libraries, without most drivers, which are not needed there.
prepare_updates() {
    ln -sf "${image%.img}.squashfs" "$offered/good.squashfs"
    unsquashfs -quiet -no-progress -d "$work/panics" "$offered/good.squashfs" boot >/dev/null
    unsquashfs -quiet -no-progress -d "$work/deaf" -excludes "$offered/good.squashfs" usr/lib/x86_64-linux-gnu \
        'lib/modules/*/kernel/drivers' 'lib/modules/*/kernel/net' >/dev/null
    for name in panics deaf; do
        mksquashfs "$work/$name" "$offered/$name.squashfs" -quiet -no-progress -noappend -comp gzip \
            -Xcompression-level 1 >/dev/null
        rm -rf "${work:?}/$name"
    done
    # Newer than what runs, whose build it has inside, so that it can be installed again and again.
    unsquashfs -quiet -no-progress -d "$work/described" "$offered/good.squashfs" usr/share/cctv-agent/image >/dev/null
    sed 's/^build=/&1/' "$work/described/usr/share/cctv-agent/image" >"$work/description"
    public_key "$key" "$work/key.pub" || return 1
    for name in good panics deaf; do
        write_manifest "$offered/$name.squashfs" "$work/description"
        sign_manifest "$offered/$name.squashfs" "$key" "$work/key.pub" || return 1
    done
    ln -sf good.squashfs "$offered/other.squashfs"
    sed 's/^sha256=..../sha256=0000/' "$offered/good.squashfs.manifest" >"$offered/other.squashfs.manifest"
    cp "$offered/good.squashfs.manifest.minisig" "$offered/other.squashfs.manifest.minisig"
}

# Prints the active slot.
slot_that_runs() {
    in_box 'sed "s/.*cctv.slot=\(.\).*/\1/" /proc/cmdline'
}

slot_is() {
    [ "$(slot_that_runs)" = "$1" ]
}

other_slot() {
    case $1 in a) printf 'b\n' ;; *) printf 'a\n' ;; esac
}

# begin_update NAME: the output of cctv-update comes over the serial line.
begin_update() {
    serial_forget
    in_box "cctv-update $OFFERED_SEEN/$1.squashfs >/dev/ttyS0 2>&1 </dev/null &"
}

# Starts the update to $1 and waits until the machine has restarted.
update_to() {
    update_began=$(now_ms)
    begin_update "$1" && eventually "$WRITE_SECONDS" serial_says 'is tried at the next start' || return 1
    printf '    written and read back after %s s\n' "$(seconds_since "$update_began")"
    eventually "$RESET_SECONDS" serial_says 'cctv-agent: kernel'
}

wall_is_back_in() {
    is_served_again && console_open && slot_is "$1"
}

good_update_stays() {
    update_to good || return 1
    vm_clock_starts
    wall_is_back_in "$free_slot" || return 1
    eventually "$JUDGE_SECONDS" serial_says "slot $free_slot is healthy and stays" || return 1
    stage "slot $free_slot is confirmed"
    vm_cut
    serial_mark=0
    vm_start
    wall_is_back_in "$free_slot" || return 1
    free_slot=$slot slot=$(other_slot "$slot")
}

# Written to the disk of a box that is off.
panic_falls_back() {
    vm_cut
    "$project/scripts/update" --image "$work/disk.img" "$offered/panics.squashfs" || return 1
    serial_mark=0
    vm_start
    eventually "$BOOT_SECONDS" serial_says 'cctv-agent: kernel' || return 1
    serial_forget
    # The machine restarts by itself once more.
    eventually "$JUDGE_SECONDS" serial_says 'cctv-agent: kernel' || return 1
    vm_clock_starts
    wall_is_back_in "$slot" && eventually "$EFFECT_SECONDS" failure_is_told
}

failure_is_told() {
    in_box "logread | grep 'slot $free_slot did not come up healthy; slot $slot goes on'"
}

deaf_falls_back() {
    update_to deaf || return 1
    eventually "$JUDGE_SECONDS" serial_says 'is not healthy after' || return 1
    serial_forget
    eventually "$RESET_SECONDS" serial_says 'cctv-agent: kernel' || return 1
    vm_clock_starts
    wall_is_back_in "$slot" && eventually "$EFFECT_SECONDS" failure_is_told
}

# Prints the boot loader's settings, read from outside.
boot_settings() {
    read_boot_settings "$work/disk.img" "$work/grubenv" && grub-editenv "$work/grubenv" list
}

# mebibytes_of NAME: how much of it, from its beginning, is in the inactive slot.
mebibytes_of() {
    partition_file "$work/disk.img" "cctv-root-$free_slot" "$work/slot" || return 1
    # The first bytes are written last.
    first_other=$(cmp -i 4096 "$work/slot" "$offered/$1.squashfs" 2>/dev/null | sed -n 's/.* byte \([0-9]*\),.*/\1/p')
    rm -f "$work/slot"
    printf '%s\n' $((${first_other:-$(stat -L -c %s "$offered/$1.squashfs")} / 1048576))
}

cut_while_writing() {
    begin_update good && eventually "$EFFECT_SECONDS" serial_says 'writing http' || return 1
    sleep "$(($(random_below 4) + EARLIEST_CUT_SECONDS))"
    vm_cut
    # Otherwise nothing was cut off.
    [ "$(boot_settings)" = "slot=$slot" ] || return 1
    printf '    no power after %s of %s MB of the update were written\n' "$(mebibytes_of good)" \
        $(($(stat -L -c %s "$offered/good.squashfs") / 1048576))
    serial_mark=0
    vm_start
    wall_is_back_in "$slot"
}

other_manifest_changes_nothing() {
    before=$(boot_settings) && pid=$(agent_pid) || return 1
    begin_update other && eventually "$WRITE_SECONDS" serial_says 'was altered after it was signed; nothing is changed' || return 1
    [ "$(boot_settings)" = "$before" ] && [ "$(agent_pid)" = "$pid" ] || return 1
    vm_cut
    serial_mark=0
    vm_start
    wall_is_back_in "$slot"
}

part_update() {
    prepare_updates || return 1
    # The health check does not depend on cameras; they would only slow it down.
    stop_cameras
    prepare_disk_without_watchdog
    ensure_up && slot=$(slot_that_runs) || return 1
    free_slot=$(other_slot "$slot")
    check 'a good update: it is started, confirms itself, and stays after a power cut' good_update_stays
    check 'an update whose kernel panics: the old one is back by itself, and says so' panic_falls_back
    check 'an update without a working agent: the old one is back by itself, and says so' deaf_falls_back
    check 'power cut while an update is written: the old one starts' cut_while_writing
    check 'an update whose manifest is not the signed one: refused, and nothing is changed' other_manifest_changes_nothing
    check 'a good update after all that: it confirms itself and stays' good_update_stays
    start_cameras
    check 'all cameras become live in the updated system' all_live
    vm_cut
    rm -f "$work/disk.img"
}
