# The RTSP servers of others that tests/process/foreign_servers.rs reads from; sourced, with
# $project set.
# shellcheck shell=sh disable=SC2154

# Installs those of npm and PyPI beside that test; done once for given lists.
need_rtsp_servers() {
    folder=$project/tests/process/foreign_servers
    cmp -s "$folder/package-lock.json" "$folder/node_modules/.installed" ||
        (cd "$folder" && npm ci --no-audit --no-fund --ignore-scripts && cp package-lock.json node_modules/.installed) ||
        return 1
    cmp -s "$folder/requirements.txt" "$folder/python/installed" || {
        # Debian's Python, which is there on each machine and for which there are built packages.
        /usr/bin/python3 -m venv --clear "$folder/python" &&
            "$folder/python/bin/pip" -q --disable-pip-version-check install -r "$folder/requirements.txt" &&
            cp "$folder/requirements.txt" "$folder/python/installed"
    }
}
