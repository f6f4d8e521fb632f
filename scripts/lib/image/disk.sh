# Combines root file system, boot loader and data partition into one disk image. Nothing is mounted:
# every file system is made from a folder. Sourced; expects $project and $work.
# shellcheck shell=sh disable=SC2154

# Sizes in MiB. Slots have room to grow: an update must fit for years.
ESP_MIB=32
BIOS_MIB=1
DATA_MIB=64

SECTORS_PER_MIB=2048

GRUB_MODULES='part_gpt fat squash4 normal linux echo test regexp probe loadenv boot search configfile serial terminal minicmd reboot'

# Modules that the initial root needs to find and read the slot.
INITRD_MODULES='virtio_pci virtio_blk virtio_scsi ahci ata_piix ata_generic sd_mod nvme usb-storage uas xhci-pci ehci-pci
uhci-hcd ohci-pci mmc_block sdhci-pci sdhci-acpi squashfs'

# make_initrd STAGE ROOT FILE
make_initrd() {
    version=$(kernel_version "$1")
    initrd=$work/initrd
    mkdir -p "$initrd/bin" "$initrd/lib/modules/$version"
    cp "$1/bin/busybox" "$initrd/bin/busybox"
    cp "$project/scripts/image.d/initramfs-init" "$initrd/init"
    cp "$project/scripts/image.d/find-slot.sh" "$initrd/find-slot.sh"
    cp "$2/lib/modules/$version"/modules.* "$initrd/lib/modules/$version/"
    for module in $INITRD_MODULES; do
        modprobe -d "$2" -S "$version" --show-depends "$module"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u | while read -r file; do
        inside=${file#"$2"}
        mkdir -p "$initrd$(dirname "$inside")"
        cp "$file" "$initrd$inside"
    done
    depmod -b "$initrd" "$version"
    (cd "$initrd" && find . | LC_ALL=C sort | cpio --quiet -o -H newc --owner=0:0 | gzip -9) >"$3"
}

# make_esp ROOT_FOLDER FILE: boot loader for UEFI, and the settings that both loaders share.
make_esp() {
    mkdir -p "$work/esp"
    # shellcheck disable=SC2086 # a list of words
    grub-mkimage -O x86_64-efi -p '/grub' -o "$work/esp/bootx64.efi" $GRUB_MODULES efi_gop all_video
    grub-editenv "$work/esp/grubenv" create
    grub-editenv "$work/esp/grubenv" set slot=a allow_console=1
    rm -f "$1"
    mkfs.fat -C -F 16 -n CCTV-BOOT "$1" $((ESP_MIB * 1024)) >/dev/null
    mmd -i "$1" ::EFI ::EFI/BOOT ::grub
    mcopy -i "$1" "$work/esp/bootx64.efi" ::EFI/BOOT/BOOTX64.EFI
    mcopy -i "$1" "$work/esp/grubenv" ::grub/grubenv
    mcopy -i "$1" "$project/scripts/image.d/grub.cfg" ::grub/grub.cfg
}

# make_disk FILE ROOT_SQUASHFS ESP SLOT_MIB
make_disk() {
    disk=$1 slot_mib=$4
    rm -f "$disk"
    total=$((1 + BIOS_MIB + ESP_MIB + 2 * slot_mib + DATA_MIB + 1))
    truncate -s "${total}M" "$disk"
    bios=1 esp=$((1 + BIOS_MIB)) root_a=$((1 + BIOS_MIB + ESP_MIB))
    root_b=$((root_a + slot_mib)) data=$((root_a + 2 * slot_mib))
    sfdisk --quiet "$disk" <<TABLE
label: gpt
start=${bios}MiB, size=${BIOS_MIB}MiB, type=21686148-6449-6E6F-744E-656564454649, name=cctv-bios
start=${esp}MiB, size=${ESP_MIB}MiB, type=U, name=cctv-boot
start=${root_a}MiB, size=${slot_mib}MiB, type=L, name=cctv-root-a
start=${root_b}MiB, size=${slot_mib}MiB, type=L, name=cctv-root-b
start=${data}MiB, size=${DATA_MIB}MiB, type=L, name=cctv-data
TABLE
    place "$3" "$disk" "$esp"
    place "$2" "$disk" "$root_a"
    mkdir -p "$work/data"
    rm -f "$work/data.ext4"
    mke2fs -q -F -t ext4 -L cctv-data -m 0 -E lazy_itable_init=0 -d "$work/data" "$work/data.ext4" "${DATA_MIB}M" >/dev/null
    place "$work/data.ext4" "$disk" "$data"
    install_bios_loader "$disk" "$bios"
}

# place FILE DISK MIB: writes FILE at that offset and keeps its holes.
place() {
    dd if="$1" of="$2" bs=1M seek="$3" conv=notrunc,sparse status=none
}

# The loader's first sector contains the sector number of the rest, and the first sector of the rest
# that of its continuation; both are 64 bit little endian at the offsets of GRUB's boot.S and
# diskboot.S.
install_bios_loader() {
    # shellcheck disable=SC2086 # a list of words
    grub-mkimage -O i386-pc -p '(,gpt2)/grub' -o "$work/core.img" $GRUB_MODULES biosdisk
    sector=$(($2 * SECTORS_PER_MIB))
    cp /usr/lib/grub/i386-pc/boot.img "$work/boot.img"
    patch_sector "$work/boot.img" 92 "$sector"
    patch_sector "$work/core.img" 500 $((sector + 1))
    # Two NOPs replace a check that would stop on machines whose firmware numbers disks unusually.
    printf '\220\220' | dd of="$work/boot.img" bs=1 seek=102 conv=notrunc status=none
    dd if="$work/boot.img" of="$1" bs=440 count=1 conv=notrunc status=none
    dd if="$work/core.img" of="$1" bs=1M seek="$2" conv=notrunc status=none
}

patch_sector() {
    number=$3 bytes=''
    for _ in 1 2 3 4 5 6 7 8; do
        bytes=$bytes$(printf '\\%03o' $((number % 256)))
        number=$((number / 256))
    done
    # shellcheck disable=SC2059 # the bytes are the format
    printf "$bytes" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
