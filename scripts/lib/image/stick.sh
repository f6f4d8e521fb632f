# The part `stick` of scripts/boot-test: a stick that is a copy of the box's disk, and cctv-lock. Sourced by it.
# shellcheck shell=sh disable=SC2154,SC2034

# The inner disk is vda; the stick is sda, which comes first in every list.
STICK='-device qemu-xhci -device usb-storage,drive=stick'

runs_from_inner_disk() {
    in_box 'grep -q "^/dev/vda3 / " /proc/mounts && grep -q "^/dev/vda5 /data " /proc/mounts'
}

# A console that does not answer proves nothing alone, so the wall is waited for first.
is_locked() {
    in_box cctv-lock || return 1
    serial_forget
    in_box reboot || return 1
    eventually "$RESET_SECONDS" serial_says 'cctv-agent: kernel' || return 1
    vm_clock_starts
    is_served_again && ! console_answers
}

part_stick() {
    prepare_disk_without_watchdog
    cp --sparse=always "$work/disk.img" "$work/stick.img"
    serial_mark=0
    vm_extra="-drive if=none,id=stick,format=raw,file=$work/stick.img $STICK"
    vm_start
    check 'with a copy of its disk on a stick, the box comes up' wall_is_back
    console_open
    check 'it runs from the inner disk, and has its settings from there' runs_from_inner_disk
    check 'cctv-lock: after the next start no shell answers, and the wall is there' is_locked
    vm_extra=''
    vm_cut
    rm -f "$work/disk.img" "$work/stick.img"
}
