#!/usr/bin/env bash
# What a bare Debian machine lacks for this project: says what it installs and why.
#
#   setup.sh packages python          Python's venv module
#   setup.sh packages ceph            a real Ceph cluster to test on, and its Python binding
#   setup.sh packages cephfs          a manager and a file system for it
#   setup.sh venv PYTHON FOLDER       the virtual environment with csijournal in it
#   setup.sh promtool FOLDER          Prometheus' tool that checks alert rules, without its server
set -euo pipefail

packages_for() {
    case "$1" in
        python) echo "python3 python3-venv" ;;
        ceph) echo "ceph-mon ceph-osd ceph-common python3-rados python3-rbd" ;;
        cephfs) echo "ceph-mgr ceph-mgr-modules-core ceph-mds" ;;
    esac
}

reason_for() {
    case "$1" in
        python) echo "to make a virtual environment" ;;
        ceph) echo "to run tests and demo on a real Ceph cluster of their own (loopback only)" ;;
        cephfs) echo "to run the tests of CephFS on a cluster of their own (loopback only)" ;;
    esac
}

missing_packages() {
    local package
    for package in $(packages_for "$1"); do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || echo "$package"
    done
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo --non-interactive "$@"
    fi
}

install_packages() {
    local missing
    if ! command -v dpkg-query >/dev/null; then
        echo "setup: this is no Debian: make sure that you have $(packages_for "$1")," \
            "or what your distribution calls them" >&2
        return
    fi
    missing=$(missing_packages "$1" | xargs)
    [ -n "$missing" ] || return 0
    echo "setup: installing $missing from Debian, $(reason_for "$1")"
    if [ "$(id -u)" != 0 ] && ! sudo --non-interactive true 2>/dev/null; then
        echo "setup: that needs root; run this yourself, then try again:" >&2
        echo "    sudo apt-get update && sudo apt-get install --no-install-recommends $missing" >&2
        exit 1
    fi
    as_root apt-get update -qq
    # shellcheck disable=SC2086 # several packages
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

make_venv() {
    local python=$1 folder=$2
    echo "setup: making $folder with $("$python" --version), csijournal and its tools in it"
    # The rados binding is no PyPI package: the environment must see the distribution's.
    "$python" -m venv --clear --system-site-packages "$folder"
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
    # So that csijournal.pyz can be made, and tested, without the network.
    "$folder/bin/python" tools/pyz.py --fetch
}

take_promtool() {
    local folder=$1
    [ ! -x "$folder/promtool" ] || return 0
    echo "setup: taking promtool from Debian's package prometheus, to check the alert rules"
    unpacked=$(mktemp --directory)
    trap 'rm -rf "$unpacked"' EXIT
    # The package itself would start a server.
    (cd "$unpacked" && as_root apt-get update -qq && apt-get download -qq prometheus \
        && dpkg-deb --extract prometheus_*.deb .) 2>/dev/null
    install "$unpacked/usr/bin/promtool" "$folder/promtool"
}

cd "$(dirname "$0")/.."
case "$1" in
    packages) install_packages "$2" ;;
    venv) make_venv "$2" "$3" ;;
    promtool) take_promtool "$2" ;;
esac
