# Installs the package in a clean Debian, in separate process, mount and network namespaces, and
# checks the result. Sourced; expects scripts/lib/checks.sh, and $work, a directory that is removed
# later.
# shellcheck shell=sh disable=SC2154

# A development build on a busy machine takes a while to start.
ANSWER_SECONDS=60

# The release of the machine this runs on.
debian_release() {
    # shellcheck source=/dev/null
    (. /etc/os-release && printf '%s\n' "$VERSION_CODENAME")
}

# Starts the namespaces, whose process 1 only waits and reaps processes. No network but loopback.
enter_clean_debian() {
    unshare --pid --mount --net --uts --ipc --fork --kill-child sh -c "
        ip link set lo up
        mount --bind '$clean' '$clean' && mount -t proc proc '$clean/proc' && mount -t tmpfs tmpfs '$clean/run'
        while :; do sleep 1; done" 2>/dev/null &
    outer=$!
    eventually "$ANSWER_SECONDS" first_child
}

first_child() {
    init=$(cat "/proc/$outer/task/$outer/children" 2>/dev/null) && init=${init%% *} && [ -n "$init" ] &&
        nsenter --target "$init" --mount test -d "$clean/proc/1"
}

end_check() {
    [ -z "${init:-}" ] || kill -KILL "$init" 2>/dev/null || :
    [ -z "${outer:-}" ] || wait "$outer" 2>/dev/null || :
}

# Runs a command in the clean Debian.
inside() {
    nsenter --target "$init" --pid --mount --net --uts --ipc chroot "$clean" \
        env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@" </dev/null
}

answers() {
    nsenter --target "$init" --net curl -sf --max-time 5 "http://127.0.0.1:8080${1:-/healthz}"
}

agent_pid() {
    inside /etc/init.d/cctv-agent status | sed -n 's/.*(pid \([0-9]*\)).*/\1/p' | grep .
}

is_another_than() {
    now=$(agent_pid) && [ "$now" != "$1" ] && answers
}

install_it() {
    cp "$1" "$clean/root/package.deb"
    inside apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends /root/package.deb
}

# right MODE OWNER:GROUP FILE
right() {
    found=$(inside stat -c '%a %U:%G' "$3") || return 1
    [ "$found" = "$1 $2" ] || {
        printf '%s: %s, not %s\n' "$3" "$found" "$1 $2"
        return 1
    }
}

files_are_right() {
    right 755 root:root /usr/bin/cctv-agent &&
        right 755 root:root /usr/libexec/cctv-agent/cctv-worker &&
        right 755 root:root /usr/libexec/cctv-agent/cctv-reader &&
        right 755 root:root /usr/sbin/cctv-agent-launch &&
        right 755 root:root /usr/sbin/cctv-edit &&
        right 755 root:root /usr/sbin/cctv-kiosk &&
        right 755 root:root /etc/init.d/cctv-agent &&
        right 644 root:root /usr/lib/systemd/system/cctv-agent.service &&
        right 644 root:root /usr/lib/systemd/system/cctv-kiosk.service &&
        right 644 root:root /etc/default/cctv-agent &&
        right 644 root:root /etc/default/cctv-kiosk &&
        right 644 root:root /usr/share/cctv-agent/cameras.toml &&
        right 644 root:root /usr/share/cctv-agent/www/index.html &&
        right 644 root:root /usr/share/doc/cctv-agent/README.md &&
        right 640 root:cctv-agent /etc/cctv-agent/cameras.toml &&
        inside test -L /etc/systemd/system/multi-user.target.wants/cctv-agent.service &&
        ! inside test -e /etc/systemd/system/multi-user.target.wants/cctv-kiosk.service &&
        inside cmp /usr/share/cctv-agent/cameras.toml /etc/cctv-agent/cameras.toml &&
        inside dpkg --verify cctv-agent
}

user_may_read() {
    inside setpriv --reuid cctv-agent --regid cctv-agent --clear-groups cctv-agent check /etc/cctv-agent/cameras.toml
}

agent_is_the_user() {
    [ "$(inside stat -c %U "/proc/$(agent_pid)")" = cctv-agent ] && answers /api/cameras | grep -q '"runs_as_root": *false'
}

# The browser's user may run the screen's program, and can read no password.
screen_is_apart() {
    inside setpriv --reuid cctv-kiosk --regid cctv-kiosk --clear-groups cctv-kiosk --help &&
        ! inside setpriv --reuid cctv-kiosk --regid cctv-kiosk --clear-groups cat /etc/cctv-agent/cameras.toml
}

# Started by hand, they say that only the agent starts them: so they have found their libraries.
video_programs_start() {
    for program in cctv-worker cctv-reader; do
        inside "/usr/libexec/cctv-agent/$program" 2>&1 | grep 'only the agent starts workers' || return 1
    done
}

tells_version() {
    [ "$(inside cctv-agent --version)" = "cctv-agent $version" ]
}

edit_reaches_agent() {
    printf '[server]\nlisten = "127.0.0.1:8080"\n[[camera]]\nid = "gate"\nname = "Edited"\nurl = "rtsp://127.0.0.1:9/live"\n' \
        >"$clean/root/new.toml"
    inside cctv-edit /root/new.toml && right 640 root:cctv-agent /etc/cctv-agent/cameras.toml &&
        answers /api/cameras | grep -q '"Edited"'
}

upgrade_keeps_the_edit() {
    before=$(agent_pid) && install_it "$1" && eventually "$ANSWER_SECONDS" is_another_than "$before" &&
        inside cmp /root/new.toml /etc/cctv-agent/cameras.toml && right 640 root:cctv-agent /etc/cctv-agent/cameras.toml &&
        answers /api/cameras | grep -q '"Edited"'
}

is_silent() {
    ! answers && ! inside sh -c 'cat /proc/[0-9]*/comm' | grep -q '^cctv-'
}

removal_keeps_settings() {
    inside apt-get -q -y remove cctv-agent && eventually "$ANSWER_SECONDS" is_silent &&
        inside cmp /root/new.toml /etc/cctv-agent/cameras.toml && ! inside test -e /usr/bin/cctv-agent &&
        ! inside test -e /usr/libexec/cctv-agent
}

# Logs of apt and dpkg keep a record of the package, as intended.
purge_leaves_nothing() {
    inside apt-get -q -y purge cctv-agent || return 1
    rm -f "$clean/root/package.deb" "$clean/root/new.toml"
    if inside getent passwd cctv-agent || inside getent group cctv-agent || inside getent passwd cctv-kiosk; then
        return 1
    fi
    left=$(inside find / -xdev -name '*cctv*' -not -path '/var/log/*' -not -path '/var/cache/*')
    [ -z "$left" ] || printf '%s\n' "$left"
    [ -z "$left" ]
}

# make_clean_debian RELEASE DEB: unpacks the release, and over this machine's network installs the
# dependencies of the package; fails with apt's message if the release does not have them.
make_clean_debian() {
    mmdebstrap --quiet --variant=minbase "$1" "$clean"
    have_init
    # The system is deleted afterwards, so nothing has to be synced to the disk.
    printf 'force-unsafe-io\n' >"$clean/etc/dpkg/dpkg.cfg.d/thrown-away"
    cp /etc/resolv.conf "$clean/etc/resolv.conf"
    cp "$2" "$clean/root/package.deb"
    if outside apt-get -q update && outside apt-get -q --simulate install /root/package.deb &&
        outside apt-get -q -y satisfy --no-install-recommends "$(dpkg-deb --field "$2" Depends)"; then
        return 0
    fi
    sed -n '/^Some packages could not/,$p' "$said"
    printf 'apt does not install it on %s\n' "$1"
    return 1
}

# Debian's invoke-rc.d starts services only if an init recorded its run level in utmp. This program
# reports one instead, so that the rest is as on a machine with System V init.
have_init() {
    printf '#!/bin/sh\n' >"$clean/sbin/init"
    printf '#!/bin/sh\necho N 2\n' >"$clean/sbin/runlevel"
    chmod 755 "$clean/sbin/init" "$clean/sbin/runlevel"
}

# Runs a command in the clean Debian with the network of the host; no service starts in it.
outside() {
    chroot "$clean" env DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "$@" >"$said" 2>&1 </dev/null
}

# check_package RELEASE DEB LATER_DEB VERSION
check_package() {
    clean=$work/clean said=$work/said later=$3 version=$4
    printf 'unpacking a clean Debian, %s\n' "$1"
    make_clean_debian "$1" "$2" || return 1
    enter_clean_debian
    check 'apt installs it' install_it "$2"
    if [ "$failed" = 0 ]; then
        check 'files, rights, and systemd would start it' files_are_right
        check 'cctv-agent --version' tells_version
        check 'the programs for video find their libraries' video_programs_start
        check "the service's own user may read its configuration, which is good" user_may_read
        check "the screen's own user may not read it" screen_is_apart
        check 'under System V init it is started: /healthz answers' eventually "$ANSWER_SECONDS" answers
        check 'as an unprivileged user' agent_is_the_user
        check 'cctv-edit: another text is taken over, with the same rights' edit_reaches_agent
        check 'an upgrade starts the new agent and keeps the edited cameras.toml' upgrade_keeps_the_edit "$later"
        check 'removed: nothing runs, settings stay' removal_keeps_settings
        check 'purged: neither file nor user is left' purge_leaves_nothing
    fi
    sum_up
}
