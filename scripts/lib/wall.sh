# Starts virtual cameras, by default four, and an agent that shows them, and ends them again.
# Sourced; expects $project, and a directory of the caller's own for everything that is written. For
# other cameras, WALL_LIST names a file of lines "id codec hue name", and WALL_PICTURE describes
# their pictures.
# shellcheck shell=sh disable=SC2154

# Timeout in seconds for the cameras' processes to be up.
CAMERAS_SECONDS=60
# Timeout in seconds for all cameras to be live.
LIVE_SECONDS=90
# Timeout in seconds after a request to end; the agent itself takes 3 s at most.
END_SECONDS=6

# Typical of real passwords, with characters that break a URL if they are not encoded.
WALL_PASSWORD='p@ss:w/rd?#^!&%41'

# camera_line ID LAST_OCTET CODEC HUE NAME: one line of the virtual cameras' file.
camera_line() {
    # Only the agent stops this one; it is the one that is heard, too.
    more=
    ! can_be_turned "$1" || more=' ptz=forgets-timeout audio=pcmu'
    printf "id=%s ip=127.0.0.%s onvif=8000 rtsp=8554 codec=%s %s hue=%s user=viewer pass='%s' auth=digest events=on name=\"%s\"%s\n" \
        "$1" "$2" "$3" "${WALL_PICTURE:-size=1280x720 fps=25}" "$4" "$WALL_PASSWORD" "$5" "$more"
}

# can_be_turned ID: whether this camera has PTZ, and sound.
can_be_turned() {
    [ "$1" = yard ]
}

# camera_table ID LAST_OCTET NAME: the same camera in cameras.toml.
camera_table() {
    printf '\n[[camera]]\nid = "%s"\nname = "%s"\nip = "127.0.0.%s"\nonvif_port = 8000\n' "$1" "$3" "$2"
    ! can_be_turned "$1" || printf 'ptz = true\nsound = true\n'
}

# start_wall FOLDER PORT OCTET CAMERAS AGENT: starts the binaries CAMERAS and AGENT. The cameras get
# 127.0.0.OCTET and the addresses after it, the page 127.0.0.1:PORT. Both processes end with
# this shell. Sets cameras_pid, agent_pid, wall_url and camera_control.
start_wall() {
    wall_folder=$1 wall_octet=$3 cameras_binary=$4 agent_binary=$5
    wall_url=http://127.0.0.1:$2
    # Cameras and agent agree on this list: id, codec, hue, name.
    cat "${WALL_LIST:--}" >"$wall_folder/list" <<'LIST'
gate h264 210 Front gate 大門
yard h264 130 Yard 停車場
hall h265 30 Hall 大廳
dock mjpeg 300 Loading dock 卸貨區
LIST
    (
        umask 077
        {
            printf "[server]\nlisten = \"127.0.0.1:%s\"\nwww = '%s'\nstate_dir = '%s'\n" \
                "$2" "$project/www" "$wall_folder/state"
            printf "\n[defaults]\nusername = \"viewer\"\npassword = '%s'\n" "$WALL_PASSWORD"
        } >"$wall_folder/cameras.toml"
        octet=$wall_octet
        while read -r id codec hue name; do
            camera_line "$id" "$octet" "$codec" "$hue" "$name" >>"$wall_folder/cameras"
            camera_table "$id" "$octet" "$name" >>"$wall_folder/cameras.toml"
            octet=$((octet + 1))
        done <"$wall_folder/list"
    )
    mkdir -p "$wall_folder/state"

    setpriv --pdeathsig TERM "$cameras_binary" --control 127.0.0.1:0 --cameras-file "$wall_folder/cameras" \
        >"$wall_folder/cameras.out" 2>"$wall_folder/cameras.log" </dev/null &
    cameras_pid=$!
    wait_until "$CAMERAS_SECONDS" cameras_are_up || {
        tail -n 30 "$wall_folder/cameras.out" "$wall_folder/cameras.log" >&2
        how_it_ended "$cameras_pid" >&2
        printf 'the virtual cameras did not start; are these addresses taken by another demo?\n' >&2
        return 1
    }
    # shellcheck disable=SC2034 # for the scripts that source this
    camera_control=$(jq -r 'select(.ready) | .control' "$wall_folder/cameras.out")

    setpriv --pdeathsig TERM "$agent_binary" run --config "$wall_folder/cameras.toml" --log stderr \
        >"$wall_folder/agent.log" 2>&1 </dev/null &
    agent_pid=$!
    wait_until "$LIVE_SECONDS" all_are_live || {
        tail -n 30 "$wall_folder/agent.log" >&2
        how_it_ended "$agent_pid" >&2
        curl -s --max-time 5 "$wall_url/api/cameras" >&2 || :
        printf '\nnot all cameras became live within %s s\n' "$LIVE_SECONDS" >&2
        return 1
    }
}

# wait_until SECONDS COMMAND: repeats COMMAND until it succeeds, SECONDS have passed, or a process
# of the wall has ended.
wait_until() {
    deadline=$(($(date +%s) + $1))
    until "$2"; do
        [ "$(date +%s)" -lt "$deadline" ] && is_running "$cameras_pid" && is_running "${agent_pid:-$$}" || return 1
        sleep 0.2
    done
}

cameras_are_up() {
    grep -q '"ready": *true' "$wall_folder/cameras.out"
}

all_are_live() {
    live=$(curl -s --max-time 5 "$wall_url/api/cameras" |
        jq '[.. | objects | select(has("id") and .state == "live")] | length' 2>/dev/null) && [ "$live" = "$(wc -l <"$wall_folder/list")" ]
}

# Whether process $1 exists and is not merely waiting to be reaped.
is_running() {
    state=$(sed -n 's/^State:[[:space:]]*//p' "/proc/$1/status" 2>/dev/null) || return 1
    case $state in
        '' | Z* | X*) return 1 ;;
    esac
}

# Prints the exit code of process $1, a child of this shell, if it ended by itself.
how_it_ended() {
    is_running "$1" && return 0
    code=0
    wait "$1" || code=$?
    printf 'the program ended by itself, with exit code %s\n' "$code"
}

# Requests process $1, a child of this shell, to end; kills it after END_SECONDS. Prints nothing.
end_process() {
    kill -TERM "$1" 2>/dev/null || return 0
    deadline=$(($(date +%s) + END_SECONDS))
    while is_running "$1" && [ "$(date +%s)" -lt "$deadline" ]; do
        sleep 0.1
    done
    kill -KILL "$1" 2>/dev/null || :
    wait "$1" 2>/dev/null || :
}

# Ends all that start_wall started, even after a partial start.
stop_wall() {
    [ -z "${agent_pid:-}" ] || end_process "$agent_pid"
    [ -z "${cameras_pid:-}" ] || end_process "$cameras_pid"
    agent_pid='' cameras_pid=''
}
