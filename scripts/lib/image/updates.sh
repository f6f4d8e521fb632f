# The part `update` of scripts/boot-test: good and bad updates of a running box. Sourced by it.
# shellcheck shell=sh disable=SC2154,SC2034,SC2015,SC2016

# From the order to the first sign of the next start: hundreds of megabytes through a slow machine.
WRITE_SECONDS=400
# cctv-confirm's patience with what does not come up, and a start before and after it.
JUDGE_SECONDS=900

# Lays out what is offered: the image's own root, one that has no init, so that the kernel panics, and
# one whose agent lacks its libraries.
prepare_updates() {
    ln -sf "${image%.img}.squashfs" "$offered/good.squashfs"
    unsquashfs -quiet -no-progress -d "$work/panics" "$offered/good.squashfs" boot >/dev/null
    unsquashfs -quiet -no-progress -d "$work/deaf" -excludes "$offered/good.squashfs" usr/lib/x86_64-linux-gnu >/dev/null
    for name in panics deaf; do
        mksquashfs "$work/$name" "$offered/$name.squashfs" -quiet -no-progress -noappend -comp gzip >/dev/null
        rm -rf "${work:?}/$name"
    done
    for name in good panics deaf; do
        (cd "$offered" && sha256sum "$name.squashfs" >"$name.squashfs.sha256")
    done
    ln -sf good.squashfs "$offered/other.squashfs"
    (cd "$offered" && sed 's/^..../0000/' good.squashfs.sha256 >other.squashfs.sha256)
}

slot_is() {
    [ "$(in_box 'sed "s/.*cctv.slot=\(.\).*/\1/" /proc/cmdline')" = "$1" ]
}

# Starts the update to $1 and waits until the machine has begun anew.
update_to() {
    serial_forget
    in_box "cctv-update $OFFERED_SEEN/$1.squashfs >/dev/ttyS0 2>&1 </dev/null &" || return 1
    eventually "$WRITE_SECONDS" serial_says 'cctv-agent: kernel'
}

wall_is_back_in() {
    eventually "$BOOT_SECONDS" fetch /healthz && console_open && slot_is "$1"
}

# Written to the disk of a box that is off.
panic_falls_back() {
    vm_cut
    "$project/scripts/update" --image "$work/disk.img" "$offered/panics.squashfs" || return 1
    serial_mark=0
    vm_start
    eventually "$BOOT_SECONDS" serial_says 'cctv-agent: kernel' || return 1
    serial_forget
    # The machine starts by itself once more.
    eventually "$JUDGE_SECONDS" serial_says 'cctv-agent: kernel' || return 1
    vm_started=$(now_ms)
    wall_is_back_in a
}

deaf_falls_back() {
    update_to deaf || return 1
    serial_forget
    eventually "$JUDGE_SECONDS" serial_says 'is not healthy after' || return 1
    eventually "$BOOT_SECONDS" serial_says 'cctv-agent: kernel' || return 1
    vm_started=$(now_ms)
    wall_is_back_in a && eventually "$EFFECT_SECONDS" in_box 'logread | grep "slot b did not come up healthy"'
}

wrong_checksum_changes_nothing() {
    serial_forget
    in_box "cctv-update $OFFERED_SEEN/other.squashfs >/dev/ttyS0 2>&1 </dev/null &" || return 1
    eventually "$WRITE_SECONDS" serial_says 'is not what was to be written' || return 1
    in_box 'reboot' || return 1
    serial_forget
    eventually "$RESET_SECONDS" serial_says 'cctv-agent: kernel' || return 1
    vm_started=$(now_ms)
    wall_is_back_in a
}

cut_while_writing() {
    serial_forget
    in_box "cctv-update $OFFERED_SEEN/good.squashfs >/dev/ttyS0 2>&1 </dev/null &" || return 1
    eventually "$EFFECT_SECONDS" serial_says 'writing http' || return 1
    sleep "$(($(random_below 4) + 1))"
    vm_cut
    serial_mark=0
    vm_start
    wall_is_back_in a
}

good_update_stays() {
    update_to good || return 1
    vm_started=$(now_ms)
    wall_is_back_in b || return 1
    eventually "$JUDGE_SECONDS" serial_says 'slot b is healthy and stays' || return 1
    vm_cut
    serial_mark=0
    vm_start
    wall_is_back_in b
}

part_update() {
    prepare_updates
    ensure_up || return 1
    check 'an update that is not what it should be: refused' wrong_checksum_changes_nothing
    check 'power cut while an update is written: the old one starts' cut_while_writing
    check 'an update whose kernel panics: the old one is back by itself' panic_falls_back
    check 'an update without a working agent: the old one is back by itself' deaf_falls_back
    check 'a good update: it confirms itself, and stays after a power cut' good_update_stays
}
