# A virtual machine that boots the appliance's image: power, serial console, network services.
# Sourced; expects $work, a folder for everything written, and a network namespace of its own.
# shellcheck shell=sh disable=SC2154,SC2034

VM_MEMORY_MIB=1024
VM_PORT=8080
# Port forwarding from outside to the page inside.
vm_forward=hostfwd=tcp:127.0.0.1:$VM_PORT-:8080
OVMF=/usr/share/ovmf/OVMF.fd

# With KVM the kernel appears within this time, boot loader included.
KVM_TRIAL_SECONDS=30
# Timeout in seconds of one command on the console of a slow and busy machine.
COMMAND_SECONDS=300
# Timeout in seconds for a shell to answer.
ANSWER_SECONDS=30

# The address at which this namespace offers files, and the next line is the same address inside.
OFFERED=127.0.0.1:9001
OFFERED_SEEN=http://10.0.2.2:9001

command_number=0

now_ms() {
    date +%s%3N
}

# eventually SECONDS COMMAND...: repeats it until it succeeds. COMMAND may wait in the same way.
eventually() {
    set -- "$(($(date +%s) + $1))" "$@"
    until after_two "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt "$1" ] || return 1
        sleep 0.5
    done
}

after_two() {
    shift 2
    "$@"
}

# Offers the files in $offered to the machine inside.
vm_offer() {
    offered=$work/offered
    mkdir -p "$offered"
    busybox httpd -f -p "$OFFERED" -h "$offered" &
}

# vm_disk IMAGE: makes a fresh disk from it.
vm_disk() {
    cp --sparse=always "$1" "$work/disk.img"
}

# vm_put FILE NAME: puts FILE on the boot partition, while the machine is off.
vm_put() {
    mcopy -o -i "$(boot_partition "$work/disk.img")" "$1" "::$2"
}

# Power on. Firmware is BIOS unless $vm_firmware is uefi; $vm_network, if set, replaces the default
# network options, which are one interface on which this namespace is 10.0.2.2; $vm_screen is a
# graphics card of QEMU in place of the simplest.
vm_start() {
    [ -p "$work/serial.in" ] || mkfifo "$work/serial.in" "$work/serial.out" "$work/monitor.in" "$work/monitor.out"
    : >"$work/serial.log"
    cat "$work/serial.out" >>"$work/serial.log" &
    cat "$work/monitor.out" >/dev/null &
    case ${vm_firmware:-bios} in
        uefi) firmware="-bios $OVMF" ;;
        *) firmware='' ;;
    esac
    network=${vm_network:-"-netdev user,id=net,$vm_forward -device virtio-net-pci,netdev=net"}
    # The disk is this machine's page cache: data that the machine inside has not flushed is lost
    # with the process.
    # shellcheck disable=SC2086 # lists of words
    qemu-system-x86_64 $vm_accelerator $firmware $network -m "$VM_MEMORY_MIB" -smp 2 -display none -vga "${vm_screen:-std}" \
        -drive "file=$work/disk.img,format=raw,if=virtio,cache=writethrough" \
        -device i6300esb -action watchdog=reset ${vm_extra:-} \
        -chardev "pipe,id=serial,path=$work/serial" -serial chardev:serial \
        -chardev "pipe,id=monitor,path=$work/monitor" -mon chardev=monitor,mode=readline \
        >"$work/qemu.log" 2>&1 </dev/null &
    vm_pid=$!
    vm_clock_starts
}

vm_is_on() {
    [ -n "${vm_pid:-}" ] && kill -0 "$vm_pid" 2>/dev/null
}

# Clock ticks of processor time that the machine has taken so far.
vm_ticks() {
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$vm_pid/stat"
}

# The times of stages count from here: power-on, or a reset.
vm_clock_starts() {
    vm_started=$(now_ms) vm_ticks_before=$(vm_ticks)
}

# Prints the processor time that the machine has used since then.
vm_processor_seconds() {
    tenths=$((($(vm_ticks) - vm_ticks_before) * 10 / $(getconf CLK_TCK)))
    printf '%s.%s\n' $((tenths / 10)) $((tenths % 10))
}

# monitor COMMAND: sends it to QEMU's monitor.
monitor() {
    printf '%s\n' "$1" >"$work/monitor.in"
}

# Cuts the power.
vm_cut() {
    vm_is_on || return 0
    kill -KILL "$vm_pid"
    wait "$vm_pid" 2>/dev/null || :
    vm_pid=''
}

vm_went_off() {
    ! vm_is_on && { wait "$vm_pid" 2>/dev/null || :; }
}

# Chooses KVM or TCG by a trial: /dev/kvm may exist and not work.
vm_choose_accelerator() {
    vm_accelerator='-accel tcg,thread=multi'
    [ -w /dev/kvm ] || return 0
    vm_accelerator='-accel kvm -cpu host'
    vm_start
    eventually "$KVM_TRIAL_SECONDS" serial_says 'cctv-agent: kernel' || vm_accelerator='-accel tcg,thread=multi'
    vm_cut
}

# --- the serial console ------------------------------------------------------------------------

serial_size() {
    stat -c %s "$work/serial.log"
}

# Whether the console's output since byte $serial_mark contains $1.
serial_says() {
    tail -c +$((${serial_mark:-0} + 1)) "$work/serial.log" | grep -qaF "$1"
}

# From now on serial_says searches only new output.
serial_forget() {
    serial_mark=$(serial_size)
}

console_answers() {
    printf '\ndmesg -n 1; echo "@@"here"@@"\n' >"$work/serial.in"
    eventually "$ANSWER_SECONDS" serial_says '@@here@@'
}

# Opens the console after a start, before in_box.
console_open() {
    eventually "$COMMAND_SECONDS" console_answers
}

command_ended() {
    tail -c +$(($1 + 1)) "$work/serial.log" | grep -qa "@@$2:[0-9]*@@"
}

# in_box COMMAND: runs it as root in the box, prints its output, returns its exit code. The shell's
# line editor limits a line's length, so the box fetches the command and the line only runs it.
in_box() {
    printf '%s\n' "$1" >"$offered/command"
    type_in_box "wget -q -O /tmp/command $OFFERED_SEEN/command && sh /tmp/command 2>&1 </dev/null"
}

# type_in_box LINE: the same for one short line, and without a network.
type_in_box() {
    command_number=$((command_number + 1))
    command_from=$(serial_size)
    printf 'echo "@@"%s"<@@"; %s; echo "@@"%s:$?@@\n' "$command_number" "$1" "$command_number" >"$work/serial.in"
    eventually "$COMMAND_SECONDS" command_ended "$command_from" "$command_number" || {
        printf 'no answer on the console to: %s\n' "$1" >&2
        return 1
    }
    tail -c +$((command_from + 1)) "$work/serial.log" | tr -d '\r' >"$work/answer"
    sed -e "1,/@@$command_number<@@/d" -e "/@@$command_number:/{s/@@$command_number:.*//;/./p;Q}" "$work/answer" |
        sed '/^\/ # /d'
    return "$(sed -n "s/.*@@$command_number:\([0-9]*\)@@.*/\1/p" "$work/answer" | head -n 1)"
}

# --- what it serves ----------------------------------------------------------------------------

fetch() {
    curl -skf --max-time 10 "https://127.0.0.1:$VM_PORT$1"
}

# Prints how many cameras are live.
cameras_live() {
    fetch /api/cameras | jq '[.cameras[] | select(.state == "live")] | length'
}

agent_pid() {
    fetch /api/cameras | jq .pid | grep .
}
