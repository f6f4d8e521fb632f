# Functions shared by the programs of the box: log lines, the time since power-on, counting quick
# ends, arguments of the kernel's command line, partitions by their name, files replaced as a whole,
# and settings of the boot loader. Sourced; the caller shares its variables.
# shellcheck shell=sh disable=SC2034

BOOT_LABEL=cctv-boot
DATA_LABEL=cctv-data
BOOT_FOLDER=/run/cctv-agent-boot
# The boot loader finds this file by its disk sectors, so it is written in place and keeps its size.
BOOT_SETTINGS=$BOOT_FOLDER/grub/grubenv
BOOT_SETTINGS_BYTES=1024

# say TEXT [LEVEL]: writes a line to the system's log, in the name of $SPEAKER.
say() {
    logger -t "$SPEAKER" -p "daemon.${2:-notice}" "$1"
}

# Whole seconds since the kernel started; the clock of a box may not be set yet.
uptime_seconds() {
    read -r uptime _ </proc/uptime
    printf '%s\n' "${uptime%%.*}"
}

# quick_deaths FILE SECONDS: reads the time of the last start and the number of quick ends before
# it, adds one if that start was less than SECONDS ago, and prints the number.
quick_deaths() {
    last='' deaths=0
    [ -r "$1" ] && read -r last deaths <"$1"
    if [ -n "$last" ] && [ $(($(uptime_seconds) - last)) -lt "$2" ]; then
        printf '%s\n' $((deaths + 1))
    else
        printf '0\n'
    fi
}

# note_start FILE DEATHS: records a start now, with this many quick ends before it. In a file, so
# that the count survives even if its script is killed too.
note_start() {
    printf '%s %s\n' "$(uptime_seconds)" "$2" >"$1"
}

# Prints the value of argument $1 of the kernel's command line; fails if it is not there.
kernel_word() {
    # shellcheck disable=SC2013 # words are wanted
    for word in $(cat /proc/cmdline); do
        case $word in
            "$1="*)
                printf '%s\n' "${word#*=}"
                return 0
                ;;
        esac
    done
    return 1
}

# Prints the folder in /sys of the disk that the system was started from.
root_disk() {
    # The third word is the device as major:minor, the fifth where it is mounted; the last one counts.
    numbers=$(sed -n 's|^[^ ]* [^ ]* \([^ ]*\) [^ ]* / .*|\1|p' /proc/self/mountinfo | tail -n 1)
    entry=$(readlink -f "/sys/dev/block/$numbers") || return 1
    [ -e "$entry/partition" ] || return 1
    printf '%s\n' "${entry%/*}"
}

# Prints the device of the partition whose GPT name is $1, on the disk that the system was started from
# and on no other: a stick may have a partition of that name too.
partition() {
    disk=$(root_disk) || return 1
    for entry in "$disk"/*/uevent; do
        grep -qx "PARTNAME=$1" "$entry" 2>/dev/null || continue
        entry=${entry%/uevent}
        printf '/dev/%s\n' "${entry##*/}"
        return 0
    done
    return 1
}

# replace_file FILE: replaces it by stdin. If the power fails, FILE is the old or the new one. Its
# owner and group stay: on systemd the agent is not root, and reads it by its group.
replace_file() {
    (umask 077 && cat >"$1.new") || return 1
    if [ -e "$1" ]; then
        chown "$(stat -c %u:%g "$1")" "$1.new" || return 1
    fi
    chmod 0640 "$1.new" && sync && mv "$1.new" "$1" && sync
}

# wipe FILE: overwrites it, as it held passwords, and removes it.
wipe() {
    [ -f "$1" ] || return 0
    head -c "$(stat -c %s "$1")" /dev/zero | dd of="$1" conv=notrunc,fsync 2>/dev/null
    rm -f "$1"
}

# mount_boot ro|rw: mounts the boot partition at $BOOT_FOLDER.
mount_boot() {
    boot_device=$(partition "$BOOT_LABEL") || return 1
    mkdir -p "$BOOT_FOLDER"
    mount -t vfat -o "$1,sync,umask=077,nosuid,nodev,noexec" "$boot_device" "$BOOT_FOLDER"
}

unmount_boot() {
    sync
    umount "$BOOT_FOLDER"
}

# Prints the boot loader's setting $1, which may be empty.
boot_setting() {
    sed -n "s/^$1=//p" "$BOOT_SETTINGS"
}

# set_boot_settings NAME=VALUE...: sets all of them at once; no value removes one. The settings fit
# into the first sector, which a disk writes as a whole, so a power cut leaves the old or the new
# ones.
set_boot_settings() {
    lines=$(sed '/^#/d' "$BOOT_SETTINGS")
    for pair in "$@"; do
        lines=$(printf '%s\n' "$lines" | sed "/^${pair%%=*}=/d")
        [ -z "${pair#*=}" ] || lines=$(printf '%s\n%s' "$lines" "$pair")
    done
    lines=$(printf '%s\n' "$lines" | sed '/^$/d')
    text=$(printf '# GRUB Environment Block\n%s' "$lines")
    {
        printf '%s\n' "$text"
        head -c $((BOOT_SETTINGS_BYTES - ${#text} - 1)) /dev/zero | tr '\0' '#'
    } | dd of="$BOOT_SETTINGS" bs="$BOOT_SETTINGS_BYTES" conv=notrunc,fsync iflag=fullblock 2>/dev/null
}
