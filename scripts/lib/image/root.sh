# Lays out the root file system of the appliance's image: Debian's binaries, but only those that the
# agent and its init need. Sourced; expects $project.
# shellcheck shell=sh disable=SC2154

# Kernel modules for disks, networks, watchdogs and screens of PCs and virtual machines. Sound,
# radio, sensors, unusual file systems and server hardware are left out.
MODULE_FOLDERS='drivers/ata drivers/nvme drivers/scsi drivers/virtio drivers/block drivers/mmc drivers/usb
drivers/hid drivers/media/cec drivers/media/rc drivers/net drivers/watchdog drivers/gpu drivers/input drivers/video drivers/i2c drivers/platform
drivers/char drivers/acpi drivers/thermal drivers/misc drivers/mfd drivers/pci drivers/rtc drivers/memstick
drivers/cdrom drivers/firmware drivers/hv drivers/base drivers/clk drivers/gpio drivers/pinctrl drivers/power drivers/regulator
drivers/dma drivers/dma-buf drivers/bus drivers/iommu drivers/idle drivers/cpufreq drivers/uio drivers/vhost
fs/ext4 fs/jbd2 fs/squashfs fs/fat fs/nls fs/overlayfs fs/mbcache.ko lib crypto arch/x86/crypto mm kernel
net/802 net/8021q net/bridge net/llc net/core net/ipv4 net/ipv6 net/packet net/dns_resolver net/rfkill'

# Excluded from these folders: radio, graphics for games, fibre channel, data centres, and the kernel's own tests.
UNWANTED_MODULES='net/ipv4/netfilter net/ipv6/netfilter net/bridge/netfilter drivers/net/wireless drivers/net/wwan
drivers/net/can drivers/net/ieee802154 drivers/net/wireguard drivers/net/arcnet drivers/net/fddi drivers/net/hamradio drivers/net/ppp
drivers/net/slip drivers/net/wan drivers/infiniband drivers/gpu/drm/amd drivers/gpu/drm/nouveau drivers/gpu/drm/radeon
drivers/scsi/lpfc drivers/scsi/qla2xxx drivers/scsi/qla4xxx drivers/scsi/bfa drivers/scsi/csiostor drivers/scsi/cxgbi drivers/scsi/fnic
drivers/scsi/libfc drivers/scsi/fcoe drivers/scsi/qedf drivers/scsi/qedi drivers/scsi/bnx2fc drivers/scsi/bnx2i drivers/scsi/be2iscsi
drivers/scsi/pm8001 drivers/scsi/snic drivers/net/ethernet/mellanox drivers/net/ethernet/qlogic drivers/net/ethernet/chelsio
drivers/net/ethernet/sfc drivers/net/ethernet/netronome drivers/net/ethernet/cavium drivers/net/ethernet/brocade
drivers/net/ethernet/emulex drivers/net/ethernet/huawei drivers/net/ethernet/pensando drivers/net/ethernet/fungible
drivers/net/ethernet/cisco drivers/net/ethernet/myricom drivers/net/ethernet/neterion drivers/net/ethernet/intel/ice
drivers/net/ethernet/intel/i40e drivers/net/ethernet/intel/fm10k drivers/net/ethernet/broadcom/bnx2x
drivers/net/ethernet/broadcom/bnxt drivers/usb/gadget drivers/usb/usbip drivers/usb/atm drivers/vhost drivers/misc/habanalabs
drivers/usb/serial drivers/usb/image drivers/input/joystick drivers/input/tablet drivers/block/drbd drivers/gpu/drm/i915/kvmgt.ko lib/test_*.ko'

# Targets of Debian's alternatives, because a file system that was only unpacked is not configured.
LIBRARY_PATH=/usr/lib/x86_64-linux-gnu/blas:/usr/lib/x86_64-linux-gnu/lapack:/usr/lib/x86_64-linux-gnu/pulseaudio

# unpack_debian FOLDER PACKAGE...: unpacks these packages and all their dependencies without
# configuring.
unpack_debian() {
    folder=$1
    shift
    packages=$(printf '%s,' "$@")
    mmdebstrap --quiet --variant=extract --include="${packages%,}" "$(debian_release)" "$folder"
}

# The release of the machine this runs on, so that the agent fits the libraries it was built with.
debian_release() {
    # shellcheck source=/dev/null
    (. /etc/os-release && printf '%s\n' "$VERSION_CODENAME")
}

# copy_closure STAGE ROOT PROGRAM...: copies the programs and every library they load.
copy_closure() {
    stage=$1 root=$2
    shift 2
    for program in "$@"; do
        copy_as_is "$stage" "$root" "$program"
        chroot "$stage" /lib64/ld-linux-x86-64.so.2 --library-path "$LIBRARY_PATH" --list "$program"
    done >"$work/closure"
    if grep 'not found' "$work/closure" >&2; then
        printf 'libraries are missing\n' >&2
        return 1
    fi
    sed -n 's/^.*=> \(\/[^ ]*\) .*/\1/p' "$work/closure" | sort -u | while read -r library; do
        # All into one directory, so the loader needs no search path.
        mkdir -p "$root/usr/lib/x86_64-linux-gnu"
        cp -L "$stage$library" "$root/usr/lib/x86_64-linux-gnu/${library##*/}"
    done
    mkdir -p "$root/lib64"
    cp -L "$stage/lib64/ld-linux-x86-64.so.2" "$root/lib64/"
}

copy_as_is() {
    mkdir -p "$2$(dirname "$3")"
    cp -a "$1$3" "$2$3"
}

# add_busybox STAGE ROOT: adds every applet by its usual name, unless the overlay or Debian has a
# better one.
add_busybox() {
    mkdir -p "$2/bin" "$2/sbin" "$2/usr/bin" "$2/usr/sbin"
    cp "$1/bin/busybox" "$2/bin/busybox"
    "$2/bin/busybox" --list-full | while read -r applet; do
        [ -e "$2/$applet" ] || [ -L "$2/$applet" ] || ln -s /bin/busybox "$2/$applet"
    done
}

# add_modules STAGE ROOT: adds the modules of MODULE_FOLDERS and the list of their dependencies.
add_modules() {
    version=$(kernel_version "$1")
    for folder in $MODULE_FOLDERS; do
        from=lib/modules/$version/kernel/$folder
        [ -e "$1/$from" ] || continue
        mkdir -p "$2/$(dirname "$from")"
        cp -a "$1/$from" "$2/$(dirname "$from")/"
    done
    for unwanted in $UNWANTED_MODULES; do
        # shellcheck disable=SC2086 # a pattern
        (cd "$2/lib/modules/$version/kernel" && rm -rf $unwanted)
    done
    cp "$1/lib/modules/$version/modules.builtin" "$1/lib/modules/$version/modules.order" \
        "$1/lib/modules/$version/modules.builtin.modinfo" "$2/lib/modules/$version/"
    depmod -b "$2" "$version"
}

kernel_version() {
    for folder in "$1"/lib/modules/*; do
        printf '%s\n' "${folder##*/}"
    done
}
