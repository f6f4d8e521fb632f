# The part `kiosk` of scripts/boot-test: the box whose own screen shows the wall, seen from outside.
# Sourced by it.
# shellcheck shell=sh disable=SC2154,SC2034,SC2016

# Timeout in seconds for a browser of 300 MB on an emulated processor, and what starts with it.
BROWSER_SECONDS=1800
BESIDE_SECONDS=1200
# Timeout in seconds from the page's connection to its pictures.
MOVE_SECONDS=900
KIOSK_MEMORY_MIB=2048
# Crops (for ffmpeg) of the four tiles of a wall: the middle of each, without names and clocks.
TILES='iw/4:ih/4:iw/8:ih/8 iw/4:ih/4:iw*5/8:ih/8 iw/4:ih/4:iw/8:ih*5/8 iw/4:ih/4:iw*5/8:ih*5/8'

# screen_dump FILE: the content of the machine's screen, as a PPM.
screen_dump() {
    rm -f "$1"
    printf 'screendump %s\n' "$1" >"$work/monitor.in"
    eventually "$EFFECT_SECONDS" test -s "$1" || return 1
    # QEMU writes it row by row.
    dump_size=0
    until [ "$(stat -c %s "$1")" = "$dump_size" ]; do
        dump_size=$(stat -c %s "$1")
        sleep 0.2
    done
}

# tile_sum FILE CROP: a checksum of that part of the picture.
tile_sum() {
    ffmpeg -v error -i "$1" -vf "crop=$2" -f md5 - </dev/null
}

# Prints how many tiles differ between two dumps a second apart.
tiles_moving() {
    screen_dump "$work/screen-1.ppm" && sleep 1 && screen_dump "$work/screen-2.ppm" || return 1
    moving=0
    for tile in $TILES; do
        [ "$(tile_sum "$work/screen-1.ppm" "$tile")" = "$(tile_sum "$work/screen-2.ppm" "$tile")" ] ||
            moving=$((moving + 1))
    done
    printf '%s\n' "$moving"
}

# Three times in a row: a change that happens only once, from an empty page to one with a reason, is
# no moving picture.
all_tiles_move() {
    for _ in 1 2 3; do
        [ "$(tiles_moving)" = 4 ] || return 1
    done
}

# keep_screen NAME: saves the newest dump as a PNG with few colours, beside the image.
keep_screen() {
    ffmpeg -v error -y -i "$work/screen-2.ppm" -vf 'split[a][b];[a]palettegen=max_colors=128[p];[b][p]paletteuse=dither=none' \
        "$(dirname "$kiosk_image")/$1.png" </dev/null
    printf '    kept %s\n' "$(dirname "$kiosk_image")/$1.png"
}

# Whether every camera has a viewer, which means that the browser in the machine shows the wall.
browser_watches() {
    fetch /api/cameras | jq '[.cameras[].viewers] | min > 0' | grep -q true
}

nobody_watches() {
    fetch /api/cameras | jq '[.cameras[].viewers] | max == 0' | grep -q true
}

wall_is_on_the_screen() {
    eventually "$BROWSER_SECONDS" browser_watches || return 1
    stage 'the browser has connected to the agent'
    eventually "$MOVE_SECONDS" all_tiles_move || {
        printf '    tiles that move: %s\n' "$(tiles_moving)"
        return 1
    }
    stage 'four tiles move on the screen'
}

# The wall on the screen comes back after the command, which ends some part of it.
screen_comes_back_after() {
    in_box "$1" || return 1
    vm_started=$(now_ms)
    eventually "$EFFECT_SECONDS" nobody_watches || return 1
    wall_is_on_the_screen
}

runs_unprivileged() {
    in_box 'id=$(id -u cctv-kiosk); seen=0
        for folder in /proc/[0-9]*; do
            case $(readlink $folder/exe) in */chromium | */cage) ;; *) continue ;; esac
            [ "$(stat -c %u $folder)" = "$id" ] || { echo "$folder is of another user"; exit 1; }
            seen=$((seen + 1))
        done; echo "    $seen processes of cage and Chromium, all of user $id"; [ $seen -gt 2 ]'
}

memory_report() {
    in_box 'for folder in /proc/[0-9]*; do
            pss=$(sed -n "s/^Pss: *\([0-9]*\) kB/\1/p" $folder/smaps_rollup 2>/dev/null)
            [ -z "$pss" ] || echo "$pss $(readlink $folder/exe)"
        done | awk "{ n[\$2]++; s[\$2] += \$1 } END { for (e in s) printf \"    %6.1f MB in %d of %s\n\", s[e] / 1024, n[e], e }" |
            sort -rn | head -n 6
        free -m | sed "s/^/    /"'
}

# Prints packets to hosts other than the cameras and the command channel: 10.0.2.2 is this
# namespace. A name lookup would be a packet to 10.0.2.3. IGMP is excluded: a host that joins a
# multicast group sends it.
asks_no_other_host() {
    tcpdump -nr "$work/packets" 'src host 10.0.2.15 and not dst host 10.0.2.2 and not (udp port 67) and not igmp' \
        2>/dev/null >"$work/strangers"
    sed -n '1,5s/^/    /p' "$work/strangers"
    printf '    %s packets sent, %s of them elsewhere\n' \
        "$(tcpdump -nr "$work/packets" 'src host 10.0.2.15' 2>/dev/null | wc -l)" "$(wc -l <"$work/strangers")"
    [ ! -s "$work/strangers" ]
}

# --- hands at the box --------------------------------------------------------------------------

# What a person might try to leave the page, close the browser, reach a console or restart the machine, as QEMU
# names keys. Those without a modifier are keys that the wall does not know.
LEAVING_KEYS='ctrl-t ctrl-n ctrl-shift-n ctrl-shift-t ctrl-w ctrl-shift-w ctrl-q ctrl-shift-q ctrl-f4 alt-f4
ctrl-l alt-d f6 ctrl-k ctrl-e ctrl-r ctrl-shift-r f5 shift-f5 ctrl-u ctrl-s ctrl-o ctrl-p ctrl-j ctrl-h ctrl-d
ctrl-shift-d ctrl-shift-o ctrl-shift-b ctrl-shift-delete ctrl-f ctrl-g f1 f3 f7 f10 f11 f12 ctrl-shift-i
ctrl-shift-j ctrl-shift-c shift-esc ctrl-tab ctrl-shift-tab ctrl-1 ctrl-9 alt-left alt-right alt-home alt-f alt-tab
alt-esc alt-spc ctrl-esc meta_l meta_l-d meta_l-l ctrl-minus ctrl-equal ctrl-0 menu shift-f10 print
ctrl-alt-f1 ctrl-alt-f2 ctrl-alt-f7 ctrl-alt-delete ctrl-alt-backspace alt-sysrq-b alt-sysrq-o alt-sysrq-e alt-sysrq-k'
# Time in seconds for four tiles to be seen moving again, on an emulated processor.
AGAIN_SECONDS=90

# How many cameras the browser shows; a wall of four shows all of them, moving.
cameras_watched() {
    fetch /api/cameras | jq '[.cameras[] | select(.viewers > 0)] | length'
}

is_whole_wall() {
    [ "$(cameras_watched)" = 4 ] && [ "$(tiles_moving)" = 4 ]
}

is_one_camera() {
    [ "$(cameras_watched)" = 1 ]
}

# Prints the browser's first process, which ends with the browser.
browser_process() {
    in_box 'for folder in /proc/[0-9]*; do
        [ "$(readlink $folder/exe)" != /usr/lib/chromium/chromium ] || tr "\0" " " <$folder/cmdline | grep -q -- --type= || echo ${folder#/proc/}
    done'
}

keys_reach_the_page() {
    monitor 'sendkey 1'
    eventually "$AGAIN_SECONDS" is_one_camera || return 1
    # Two digits in quick succession are one number.
    sleep 5
    screen_dump "$work/screen-2.ppm"
    keep_screen one
    monitor 'sendkey 4'
    eventually "$AGAIN_SECONDS" is_whole_wall
}

# After each of them the wall is still the wall.
no_key_leaves_the_wall() {
    before=$(browser_process) tried=0 gone=''
    [ -n "$before" ] || return 1
    for keys in $LEAVING_KEYS; do
        monitor "sendkey $keys"
        eventually "$AGAIN_SECONDS" is_whole_wall || {
            gone="$gone $keys"
            keep_screen "after-$keys"
        }
        tried=$((tried + 1))
    done
    printf '    %s combinations; after these the wall was not there:%s\n' "$tried" "${gone:- none}"
    keep_screen after-keys
    [ -z "$gone" ] && [ "$(browser_process)" = "$before" ]
}

# Menus of the browser are no part of the wall.
no_click_opens_a_menu() {
    for place in '8000 8000' '24000 8000' '16384 16384'; do
        monitor "mouse_move $place"
        for button in 4 2; do
            monitor "mouse_button $button"
            monitor 'mouse_button 0'
        done
        eventually "$AGAIN_SECONDS" is_whole_wall || return 1
    done
    keep_screen after-clicks
}

part_kiosk() {
    [ -r "$kiosk_image" ] || fail "$kiosk_image is missing or cannot be read"
    vm_cut
    headless_image=$image headless_memory=$VM_MEMORY_MIB headless_accelerator=$vm_accelerator
    BOOT_SECONDS=$BESIDE_SECONDS LIVE_SECONDS=$BESIDE_SECONDS
    image=$kiosk_image VM_MEMORY_MIB=$KIOSK_MEMORY_MIB
    # The simplest emulated processor lacks instructions for which browsers are compiled.
    case $vm_accelerator in *-cpu*) ;; *) vm_accelerator="$vm_accelerator -cpu max" ;; esac
    vm_extra="-object filter-dump,id=packets,netdev=net,file=$work/packets,maxlen=96"
    # The driver of QEMU's simplest card cannot share buffers (PRIME), which cage needs.
    # The keyboard is that of every PC.
    vm_extra="$vm_extra -device qemu-xhci -device usb-tablet"
    vm_screen=virtio vm_options=cctv.input=keys,touch,mouse
    prepare_disk
    serial_mark=0
    vm_start
    say 'power on (kiosk)'
    check 'kiosk: all cameras become live' comes_up
    if check_ok 'kiosk: the machine'"'"'s own screen shows four moving tiles' wall_is_on_the_screen; then
        keep_screen boot
    else
        screen_dump "$work/screen-2.ppm" && keep_screen failed
        console_open && in_box 'logread | tail -n 20; ps | tail -n 30; head -c 2000 /run/cctv-kiosk/home/messages'
    fi
    check 'a shell answers on the serial console' console_open
    memory_report || :
    check 'kiosk: compositor and browser run as an unprivileged user' runs_unprivileged
    check 'kiosk: keys of its keyboard reach the page' keys_reach_the_page
    check 'kiosk: no combination of keys leaves the wall' no_key_leaves_the_wall
    check 'kiosk: no click opens a menu of the browser' no_click_opens_a_menu
    check 'SIGKILL of the browser: the screen shows the wall again' screen_comes_back_after \
        'kill -KILL $(pidof chromium)'
    check 'SIGKILL of the launcher: the screen shows the wall again' screen_comes_back_after \
        'kill -KILL $(ps | sed -n "s/^ *\([0-9]*\) .*[c]ctv-kiosk-launch.*/\1/p")'
    in_box 'logread | grep cctv-kiosk' | sed 's/^/    /' || :
    check 'kiosk: no packet went to any other host' asks_no_other_host
    vm_cut
    rm -f "$work/disk.img"
    image=$headless_image VM_MEMORY_MIB=$headless_memory vm_accelerator=$headless_accelerator vm_extra='' vm_screen='' vm_options=''
}

# Like check, but also returns its exit code.
check_ok() {
    failed_before=$failed
    check "$@"
    [ "$failed" = "$failed_before" ]
}
