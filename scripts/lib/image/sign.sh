# Keys of updates, the manifest of a root file system, and its signature. Sourced.
# shellcheck shell=sh

# The key that scripts/image makes for itself, outside of the project's folder: whoever has it can make
# updates that boxes take.
KEY_FOLDER=${XDG_DATA_HOME:-${HOME:-/root}/.local/share}/cctv-agent/update-keys

# make_keys: makes the present and the next key, without passwords, at the first build. Fails if only some
# of their files exist: a new key would sign what no box takes.
make_keys() {
    [ ! -e "$KEY_FOLDER/this.key" ] || return 0
    (umask 077 && mkdir -p "$(dirname "$KEY_FOLDER")" && mkdir "$KEY_FOLDER") || return 1
    for name in this next; do
        (umask 077 && minisign -G -W -p "$KEY_FOLDER/$name.pub" -s "$KEY_FOLDER/$name.key" >/dev/null) || return 1
    done
    cat <<WARNING
keys made in $KEY_FOLDER, without passwords:
  this.key  signs updates. Who has it decides what every box runs; who loses it needs next.key
  next.key  signs once this.key is lost or known to others. Move it off this machine
  Copy both to a safe place: a box takes updates signed by one of these two and by no others.
WARNING
}

# ask_key_password SECRET_KEY: asks at the terminal for the password of the key, if it has one, into the
# variable `key_password`, once for all that is signed. Nothing else may read it there, so it is never an
# argument or in the environment.
ask_key_password() {
    key_password=''
    # The two bytes after the algorithm of the signature name that of the password.
    [ "$(sed -n 2p "$1" | base64 -d 2>/dev/null | head -c 4)" = EdSc ] || return 0
    if ! (: </dev/tty) 2>/dev/null; then
        printf '%s has a password, and there is no terminal to ask for it; run this at a terminal\n' "$1" >&2
        return 1
    fi
    key_password=$(
        settings=$(stty -g </dev/tty)
        trap 'stty "$settings" </dev/tty' EXIT
        trap 'exit 130' INT TERM HUP
        stty -echo </dev/tty
        printf 'Password of %s: ' "$1" >/dev/tty
        IFS= read -r password </dev/tty || exit 1
        printf '\n' >/dev/tty
        printf '%s' "$password"
    )
}

# with_key ARGUMENT...: runs minisign with the password, which it reads from its standard input.
with_key() {
    printf '%s\n' "${key_password:-}" | minisign "$@" >/dev/null 2>&1
}

# public_key SECRET_KEY FILE: writes its public key. Fails if the password is another one.
public_key() {
    with_key -R -s "$1" -p "$2"
}

# describe_image VARIANT BUILD DATE: prints what an image says of itself.
describe_image() {
    printf 'product=cctv-agent\nvariant=%s\nbuild=%s\ndate=%s\n' "$1" "$2" "$3"
}

# write_manifest ROOT DESCRIPTION: writes the manifest of the root file system ROOT beside it, from the
# file DESCRIPTION.
write_manifest() {
    {
        sed '/^date=/d' "$2"
        printf 'bytes=%s\nsha256=%s\n' "$(stat -L -c %s "$1")" "$(sha256sum <"$1" | cut -d ' ' -f 1)"
        sed -n '/^date=/p' "$2"
    } >"$1.manifest"
}

# sign_manifest ROOT SECRET_KEY PUBLIC_KEY: signs it, and looks whether the boxes will take it.
sign_manifest() {
    with_key -S -s "$2" -m "$1.manifest" -x "$1.manifest.minisig" -t "$(sed -n 's/^build=/build /p' "$1.manifest")" &&
        minisign -V -q -p "$3" -m "$1.manifest" -x "$1.manifest.minisig"
}
