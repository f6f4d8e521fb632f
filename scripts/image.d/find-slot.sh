# Finds the root slot that the boot loader named. Sourced by the initial root's init, which sets $slot,
# $slot_uuid (empty if the boot loader is one of an older image), and the folders $SYS and $DEV.
# shellcheck shell=dash disable=SC2154

# Layout of a GPT with sectors of 512 bytes: where its entries begin, the length of one, and where in it
# the partition's own GUID is.
GPT_ENTRIES=1024
GPT_ENTRY_BYTES=128
GPT_GUID_AT=16

# partition_uuid FOLDER: prints the GUID of the partition whose folder in /sys that is, as the boot loader
# writes it: the first three groups are little endian on the disk.
partition_uuid() {
    disk=${1%/*}
    at=$((GPT_ENTRIES + ($(cat "$1/partition") - 1) * GPT_ENTRY_BYTES + GPT_GUID_AT))
    dd if="$DEV/${disk##*/}" bs=1 skip="$at" count=16 2>/dev/null | hexdump -v -e '1/1 "%02x"' |
        sed 's/^\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(..\)\(....\)/\4\3\2\1-\6\5-\8\7-\9-/'
}

is_wanted() {
    grep -qx "PARTNAME=cctv-root-$slot" "$1/uevent" 2>/dev/null || return 1
    [ -z "$slot_uuid" ] || [ "$(partition_uuid "$1")" = "$slot_uuid" ]
}

# find_slot inner|any: prints the device of the slot, on a disk that is not on USB, or on any disk. A stick
# can be a copy of the inner disk, with the same names and GUIDs.
find_slot() {
    for entry in "$SYS"/class/block/*; do
        [ -e "$entry/partition" ] || continue
        folder=$(readlink -f "$entry")
        case $1:$folder in inner:*/usb[0-9]*) continue ;; esac
        if is_wanted "$folder"; then
            printf '%s/%s\n' "$DEV" "${folder##*/}"
            return 0
        fi
    done
    return 1
}
