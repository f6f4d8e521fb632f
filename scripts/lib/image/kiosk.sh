# The second variant of the appliance's image: its own screen shows the wall. Adds a compositor, a
# browser, two fonts and their user to the root file system. Sourced; expects $work.
# shellcheck shell=sh disable=SC2154,SC2034

# seatd opens the screen for cage; udev tells libinput of keyboards and touch screens, and cec-ctl a television of
# this box, where INPUT asks for them; the first font has Latin and Chinese, the second symbols.
KIOSK_PACKAGES='cage chromium seatd udev v4l-utils fontconfig-config fonts-wqy-microhei fonts-dejavu-core'

# Without its crash reporter Chromium exits at its start.
KIOSK_PROGRAMS='/usr/bin/cage /usr/sbin/seatd /usr/lib/chromium/chromium /usr/lib/chromium/chrome_crashpad_handler
/bin/udevadm /usr/bin/cec-ctl'

# What udev does with input devices; everything else is done by the start scripts.
INPUT_RULES='60-input-id.rules 60-persistent-input.rules 80-libinput-device-groups.rules 90-libinput-fuzz-override.rules'

# Loaded by name at run time: the browser does not start without these cryptography libraries.
KIOSK_LIBRARIES='libsoftokn3.so libfreeblpriv3.so libnssckbi.so'

# Files that the browser reads at its start. It draws with the processor, so its 3D libraries are
# left out.
BROWSER_FILES='icudtl.dat resources.pak chrome_100_percent.pak v8_context_snapshot.bin locales/en-US.pak'

KIOSK_FONTS='wqy/wqy-microhei.ttc dejavu/DejaVuSans.ttf dejavu/DejaVuSans-Bold.ttf'

# No other user or group has this number in the image, which otherwise has only root.
KIOSK_ID=900

# add_kiosk STAGE ROOT
add_kiosk() {
    # shellcheck disable=SC2086 # a list of words
    copy_closure "$1" "$2" $KIOSK_PROGRAMS
    for library in $KIOSK_LIBRARIES; do
        copy_as_is "$1" "$2" "/usr/lib/x86_64-linux-gnu/$library"
    done
    for file in $BROWSER_FILES; do
        copy_as_is "$1" "$2" "/usr/lib/chromium/$file"
    done
    for font in $KIOSK_FONTS; do
        copy_as_is "$1" "$2" "/usr/share/fonts/truetype/$font"
    done
    add_font_rules "$1" "$2"
    add_input "$1" "$2"
    # Written at each start of the browser.
    mkdir -p "$2/etc/chromium"
    ln -s /run/cctv-kiosk.policies "$2/etc/chromium/policies"
    # Binds all names at once, as for the agent: this proves that no library is missing or a
    # stand-in.
    LD_BIND_NOW=1 chroot "$2" /usr/lib/chromium/chromium --version >/dev/null
    LD_BIND_NOW=1 chroot "$2" /usr/bin/cage -v >/dev/null 2>&1
    printf 'cctv-kiosk:x:%s:%s:screen:/run/cctv-kiosk:/bin/false\n' "$KIOSK_ID" "$KIOSK_ID" >>"$2/etc/passwd"
    printf 'cctv-kiosk:x:%s:\n' "$KIOSK_ID" >>"$2/etc/group"
}

# Programs that the rules run are in the same folder as the rules' own.
add_input() {
    copy_as_is "$1" "$2" /lib/systemd/systemd-udevd
    for rule in $INPUT_RULES; do
        copy_as_is "$1" "$2" "/lib/udev/rules.d/$rule"
    done
    # shellcheck disable=SC2046 # a list of words
    copy_closure "$1" "$2" $(cd "$1" && find lib/udev -name 'libinput-*' | sed 's/^/\//')
    copy_as_is "$1" "$2" /usr/share/libinput
}

# Debian's rules are links into a folder of many more; only those in use are copied. fontconfig's
# cache is in memory.
add_font_rules() {
    mkdir -p "$2/etc/fonts/conf.d"
    cp "$1/etc/fonts/fonts.conf" "$2/etc/fonts/"
    for rule in "$1"/etc/fonts/conf.d/*.conf; do
        name=${rule##*/}
        for place in "$1/usr/share/fontconfig/conf.avail/$name" "$1/etc/fonts/conf.avail/$name"; do
            [ ! -f "$place" ] || cp "$place" "$2/etc/fonts/conf.d/"
        done
    done
}
