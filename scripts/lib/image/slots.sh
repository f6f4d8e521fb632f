# Access to the disk of a box from outside: its partitions, and the settings of its boot loader.
# Sourced.
# shellcheck shell=sh

SECTOR_BYTES=512
ESP_NAME=cctv-boot

# partition_of DISK NAME: prints first sector and number of sectors.
partition_of() {
    sfdisk --dump "$1" | sed -n "s/.*start= *\([0-9]*\), size= *\([0-9]*\).*name=\"$2\".*/\1 \2/p" | grep .
}

# partition_file DISK NAME FILE: copies the partition to FILE.
partition_file() {
    place=$(partition_of "$1" "$2") || return 1
    dd if="$1" of="$3" bs="$SECTOR_BYTES" skip="${place% *}" count="${place#* }" conv=sparse status=none
}

# Prints the boot partition in the syntax of mtools.
boot_partition() {
    place=$(partition_of "$1" "$ESP_NAME") || return 1
    printf '%s@@%s\n' "$1" $((${place% *} * SECTOR_BYTES))
}

# read_boot_settings DISK FILE
read_boot_settings() {
    at=$(boot_partition "$1") && mcopy -n -i "$at" ::grub/grubenv "$2"
}

# write_boot_settings DISK FILE
write_boot_settings() {
    at=$(boot_partition "$1") && mcopy -o -i "$at" "$2" ::grub/grubenv && sync "$1"
}

# boot_setting FILE NAME: prints its value.
boot_setting() {
    grub-editenv "$1" list | sed -n "s/^$2=//p"
}
