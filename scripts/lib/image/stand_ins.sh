# Stand-ins for libraries that OpenCV and FFmpeg load for formats no camera sends: maps, X-rays,
# drawings, encoders. Each has the functions its users name, and they do nothing. Without the
# originals the programs for video start in a third of the time, and the image is a third smaller.
# Sourced.
# shellcheck shell=sh disable=SC2154

STAND_INS='libgdal libgdcmMSFF libgdcmDSED librsvg-2 libcodec2 libx265 libSvtAv1Enc librav1e libicuuc'

# make_stand_ins ROOT PROGRAM: replaces those of these libraries below ROOT that PROGRAM loads.
make_stand_ins() {
    stand_root=$1
    for stand_name in $STAND_INS; do
        # Listed again each time: a stand-in needs no library, so fewer are in use.
        list_libraries "$stand_root" "$2" >"$work/libraries"
        stand_file=$(grep "/$stand_name\.so\.[0-9.]*\$" "$work/libraries" | head -n 1) || continue
        replace_library "$stand_file"
    done
}

# list_libraries ROOT PROGRAM: prints the path of each library it loads.
list_libraries() {
    chroot "$1" /lib64/ld-linux-x86-64.so.2 --library-path "$LIBRARY_PATH" --list "$2" |
        sed -n 's/^.*=> \(\/[^ ]*\) .*/\1/p' | sort -u
}

# Prints the name under which other files load the library.
library_name() {
    readelf -d "$1" | sed -n 's/.*SONAME.*\[\(.*\)\].*/\1/p'
}

# replace_library FILE: replaces it by one with the same name and only those of its functions that
# are used. If something other than plain functions is used, the library stays.
replace_library() {
    name=$(library_name "$stand_root$1")
    while read -r user; do
        readelf -d "$stand_root$user" | grep -q "NEEDED.*\[$name\]" && nm -D --undefined-only "$stand_root$user"
    done <"$work/libraries" | awk '{ print $2 }' | sort -u >"$work/used"
    nm -D --defined-only "$stand_root$1" | awk '{ sub(/@.*/, "", $3); print $3, $2 }' | sort -u >"$work/given"
    # A versioned name does not match here, and fails the check of the whole image.
    join "$work/used" "$work/given" >"$work/functions"
    if grep -qv ' [TWi]$' "$work/functions"; then
        printf 'image: the library %s is kept: more than its functions are used\n' "$name"
        return 0
    fi
    sed 's/\(.*\) .*/long \1(void) { return 0; }/' "$work/functions" |
        cc -shared -fPIC -Os -s -nostdlib -Wl,-soname,"$name" -x c - -o "$work/stand-in"
    # The name is a link to the file with the full version.
    real=$(readlink -f "$stand_root$1")
    case $real in
        "$stand_root"/*) cp -f "$work/stand-in" "$real" ;;
    esac
}
