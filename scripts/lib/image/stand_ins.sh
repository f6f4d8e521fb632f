# Stand-ins for libraries that OpenCV and FFmpeg load for formats no camera sends: maps, X-rays,
# drawings, sound, encoders, windows. Each has the functions its users name, which do nothing.
# Without the originals the programs for video start in a third of the time, and the image is much
# smaller. FFmpeg's own decoders, AV1 (libdav1d), TLS (GnuTLS) and SRT stay.
# Sourced.
# shellcheck shell=sh disable=SC2154

# Matrices, of OpenCV's core; its pictures other than JPEG; its other ways to open a camera.
OPENCV_STAND_INS='liblapack libblas libgdal libgdcmMSFF libgdcmDSED libOpenEXR-3_1 libImath-3_1 libtiff libwebp
libgphoto2 libgphoto2_port libdc1394 libgstapp-1.0 libgstaudio-1.0 libgstpbutils-1.0 libgstriff-1.0 libgsttag-1.0
libgstvideo-1.0 libgstbase-1.0 libgstreamer-1.0'

# Encoders, sound and pictures of libavcodec.
CODEC_STAND_INS='librsvg-2 libcairo libcodec2 libx264 libx265 libxvidcore libSvtAv1Enc librav1e libaom libvpx libjxl
libjxl_threads libopenjp2 libwebpmux libtheoraenc libtheoradec libvorbisenc libvorbis libopus libspeex libgsm libshine
libmp3lame libtwolame libzvbi libsnappy'

# Windows, through which libavutil and OpenCV reach the decoders of a graphics card; the image has none.
WINDOW_STAND_INS='libX11 libva-x11 libvdpau libmfx libOpenCL libGLX'

# Discs, music of old computers, message queues and file transfer of libavformat.
FORMAT_STAND_INS='libopenmpt libgme libbluray libchromaprint libzmq librabbitmq librist libssh-gcrypt libicuuc'

STAND_INS="$OPENCV_STAND_INS $CODEC_STAND_INS $WINDOW_STAND_INS $FORMAT_STAND_INS"

# make_stand_ins ROOT PROGRAM [OTHER...]: replaces those of these libraries below ROOT that PROGRAM
# loads, and none that another program loads.
make_stand_ins() {
    stand_root=$1
    stand_program=$2
    shift 2
    : >"$work/kept"
    for other in "$@"; do
        list_libraries "$stand_root" "$other" >>"$work/kept"
    done
    for stand_name in $STAND_INS; do
        # Listed again each time: a stand-in needs no library, so fewer are in use.
        list_libraries "$stand_root" "$stand_program" >"$work/libraries"
        stand_file=$(grep -F "/$stand_name.so." "$work/libraries" | head -n 1)
        [ -n "$stand_file" ] || continue
        grep -qxF "$stand_file" "$work/kept" || replace_library "$stand_file"
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

# replace_library FILE: replaces it by one with the same name and only those of its functions and
# variables that are used. If something else is used, the library stays.
replace_library() {
    stand_for=$1
    name=$(library_name "$stand_root$stand_for")
    while read -r user; do
        readelf -d "$stand_root$user" | grep -q "NEEDED.*\[$name\]" && nm -D --undefined-only "$stand_root$user"
    done <"$work/libraries" | awk '{ print $2 }' | sort -u >"$work/used"
    # Names with their versions, such as ssh_new@LIBSSH_4_5_0.
    nm -D --defined-only --portability --radix=d "$stand_root$stand_for" |
        awk '{ sub(/@@/, "@", $1); print $1, $2, $4 }' | sort -u >"$work/given"
    join "$work/used" "$work/given" >"$work/names"
    if grep -qv ' [TWiBDRV] ' "$work/names"; then
        printf 'image: the library %s is kept: more than its functions and variables are used\n' "$name"
        return 0
    fi
    # A variable is as large as the original, and full of zeros.
    awk '{ sub(/@.*/, "", $1)
        if ($2 ~ /[TWi]/) print "long " $1 "(void) { return 0; }"; else print "char " $1 "[" $3 "] = { 0 };" }' \
        "$work/names" >"$work/stand-in.c"
    sed -n 's/\([^@]*\)@\([^ ]*\) .*/\2 { global: \1; };/p' "$work/names" | join_versions >"$work/stand-in.map"
    set -- -Wl,-soname,"$name"
    [ ! -s "$work/stand-in.map" ] || set -- "$@" -Wl,--version-script,"$work/stand-in.map"
    cc -shared -fPIC -Os -s -nostdlib "$@" "$work/stand-in.c" -o "$work/stand-in"
    # The name is a link to the file with the full version.
    real=$(readlink -f "$stand_root$stand_for")
    case $real in
        "$stand_root"/*) cp -f "$work/stand-in" "$real" ;;
    esac
}

# Reads lines `VERSION { global: NAME; };` and prints a linker's script with each version once.
join_versions() {
    awk '{ names[$1] = names[$1] " " $4 } END { for (version in names) print version " { global:" names[version] " };" }'
}
