#!/usr/bin/env bash
# Run a target of the Makefile in another release of Debian, in a root directory of its own:
#
#   sudo tools/debian.sh trixie test          # Debian 13: Python 3.13, Ceph 18
#   sudo tools/debian.sh trixie --remove
#
# The root lies in /var/tmp/csijournal-RELEASE (ROOT=… for elsewhere) and is kept for the next run;
# what is committed here is what runs there.  Needs root and Debian's packages debootstrap and git.
set -euo pipefail

release=${1:?which release of Debian?}
target=${2:?which target of the Makefile, or --remove?}
root=${ROOT:-/var/tmp/csijournal-$release}
here=$(cd "$(dirname "$0")/.." && pwd)

leave() {
    # Lazily, since a test may have left a process that still looks.
    for part in dev/pts dev proc; do
        if mountpoint -q "$root/$part"; then umount --lazy "$root/$part"; fi
    done
}
trap leave EXIT

if [ "$target" = --remove ]; then
    leave
    rm -rf --one-file-system "$root"
    exit
fi
if [ ! -e "$root/ready" ]; then
    debootstrap --variant=minbase --include=make,git,ca-certificates "$release" "$root"
    # What this machine trusts and asks for names, so that apt and pip work as they do here.
    cp /etc/resolv.conf "$root/etc/resolv.conf"
    mkdir -p "$root/usr/local/share/ca-certificates"
    find /usr/local/share/ca-certificates -name '*.crt' \
        -exec cp -t "$root/usr/local/share/ca-certificates" {} +
    chroot "$root" update-ca-certificates
    touch "$root/ready"
fi
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
mount --bind /dev/pts "$root/dev/pts"

git -C "$here" bundle create "$root/root/csijournal.bundle" HEAD
chroot "$root" git init -q /root/csijournal
chroot "$root" git -C /root/csijournal fetch -q /root/csijournal.bundle HEAD
chroot "$root" git -C /root/csijournal checkout -q --force FETCH_HEAD
chroot "$root" env -i HOME=/root LANG=C.UTF-8 PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    PIP_CERT=/etc/ssl/certs/ca-certificates.crt make -C /root/csijournal "$target"
