# The part `network` of scripts/boot-test: network, addresses and cameras appear after the box has
# started, disappear and return; some cameras are on a second network. Sourced by it.
# shellcheck shell=sh disable=SC2154,SC2034

# The cameras on the second interface, where this namespace is 10.0.3.2.
SECOND_NETWORK_CAMERAS='yard dock'

# The first interface is connected to a hub on which nothing answers at first: without any peer on
# the hub QEMU would queue packets for ever, even after a peer appears.
TWO_INTERFACES='-netdev socket,id=nobody,udp=127.0.0.1:9,localaddr=127.0.0.1:9009
-netdev hubport,id=hub-nobody,hubid=0,netdev=nobody
-netdev hubport,id=hub-box,hubid=0 -device virtio-net-pci,netdev=hub-box,id=first
-netdev user,id=cameras,net=10.0.3.0/24 -device virtio-net-pci,netdev=cameras,id=second'

# Checks a box without network: it serves the page, each camera is in one of the states $1, which
# must be true, and has a reason.
wall_tells() {
    type_in_box 'wget -q -O /tmp/healthz http://127.0.0.1:8080/healthz && cctv-agent status' >"$work/status" || return 1
    for id in $CAMERAS; do
        grep -qE "^$id +($1) " "$work/status" || return 1
    done
}

show_status() {
    sed -n '1p;/^ID/,$s/^/    /p' "$work/status" | sed '1s/^/    /'
}

log_tells() {
    type_in_box "logread | grep '$1' | tail -n 1" | grep -o "$1.*"
}

up_without_network() {
    eventually "$BOOT_SECONDS" serial_says 'Starting cctv-agent' && console_open &&
        eventually "$EFFECT_SECONDS" wall_tells 'offline|connecting' || return 1
    stage 'the agent serves the wall'
    show_status
    eventually "$EFFECT_SECONDS" log_tells 'eth0: no link' && log_tells 'eth0: no link'
}

link_without_addresses() {
    monitor 'set_link first on'
    eventually "$EFFECT_SECONDS" log_tells 'eth0: nobody gives it an address' && log_tells 'eth0: nobody gives it an address' &&
        wall_tells 'offline|connecting'
}

late_addresses_are_taken() {
    monitor "netdev_add user,id=uplink,$vm_forward"
    monitor 'netdev_add hubport,id=hub-uplink,hubid=0,netdev=uplink'
    eventually "$EFFECT_SECONDS" fetch /healthz && log_tells 'eth0 has'
}

late_cameras_are_found() {
    start_cameras
    camera_started=$(now_ms)
    # shellcheck disable=SC2046 # a list of words
    all_live gate hall || return 1
    printf '    %s s after they were switched on\n' "$(seconds_since "$camera_started")"
    [ "$(cameras_live)" = 2 ]
}

# The first router stays the default route.
second_network_is_used() {
    monitor 'set_link second on'
    link_came=$(now_ms)
    all_live || return 1
    printf '    %s s after the link came\n' "$(seconds_since "$link_came")"
    in_box 'ip route' | sed 's/^/    /'
    in_box 'ip route get 10.0.3.2' | grep -q 'dev eth1' && in_box 'ip route get 192.0.2.1' | grep -q 'via 10.0.2.2 dev eth0'
}

links_may_come_and_go() {
    monitor 'set_link first off'
    monitor 'set_link second off'
    link_went=$(now_ms)
    eventually "$EFFECT_SECONDS" wall_tells 'offline|connecting|stalled' || return 1
    printf '    no camera is live %s s after the links went down\n' "$(seconds_since "$link_went")"
    show_status
    monitor 'set_link first on'
    monitor 'set_link second on'
    link_came=$(now_ms)
    all_live || return 1
    printf '    all live %s s after the links came back\n' "$(seconds_since "$link_came")"
}

part_network() {
    stop_cameras
    second_network=$SECOND_NETWORK_CAMERAS
    prepare_disk_without_watchdog
    second_network='' vm_network=$TWO_INTERFACES serial_mark=0
    vm_start
    vm_network=''
    monitor 'set_link first off'
    monitor 'set_link second off'
    check 'no network, no cameras: the box comes up and says so' up_without_network
    check 'a link where nobody gives addresses: the log says so' link_without_addresses
    check 'addresses are given late: the wall can be seen from outside' late_addresses_are_taken
    check 'cameras are switched on after the box: they become live' late_cameras_are_found
    check 'a network of cameras on a second interface comes late: all become live' second_network_is_used
    check 'both links go: nothing looks live; they come back: all become live' links_may_come_and_go
    vm_cut
    rm -f "$work/disk.img"
}
