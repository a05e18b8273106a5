#!/usr/bin/env bash
# Build the image of Containerfile without a registry: debootstrap makes the Debian that it is based on.
#
#     sudo tools/image.sh csijournal.tar
#
# `podman load`, `docker load` and `ctr images import` take that file.  Needs root, a Debian mirror, and
# Debian's packages debootstrap, buildah and netavark.  What is committed here is what is built.
set -euo pipefail

file=$(realpath "${1:?which file shall hold the image?}")
here=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp --directory /var/tmp/csijournal-image.XXXXXX)
trap 'rm -rf --one-file-system "$folder"' EXIT

# Neither an overlay file system nor namespaces are needed so, and nothing is left on the machine.
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah=(buildah --root "$folder/storage" --runroot "$folder/run")
# buildah asks for more than a root user in a container may have.
limits=(--ulimit "nofile=$(ulimit -Sn):$(ulimit -Hn)" --ulimit "nproc=$(ulimit -Su):$(ulimit -Hu)")

debootstrap --variant=minbase trixie "$folder/debian" >"$folder/log" || { cat "$folder/log"; exit 1; }
rm -rf "$folder"/debian/var/cache/apt/archives/*.deb "$folder"/debian/var/lib/apt/lists/*
base=$("${buildah[@]}" from scratch)
"${buildah[@]}" add --quiet "$base" "$folder/debian" / >/dev/null
"${buildah[@]}" commit --quiet --rm "$base" localhost/debian:trixie-slim >/dev/null

mkdir "$folder/source"
git -C "$here" archive HEAD | tar --extract --directory "$folder/source"
version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' "$here/src/csijournal/__init__.py")
"${buildah[@]}" build "${limits[@]}" --build-arg BASE=localhost/debian:trixie-slim \
    --tag "localhost/csijournal:$version" "$folder/source"

container=$("${buildah[@]}" from "${limits[@]}" "localhost/csijournal:$version")
"${buildah[@]}" run "$container" -- csijournal --version
"${buildah[@]}" run "$container" -- python3 -c 'import rados, rbd, os; assert os.getuid() == 10001'
"${buildah[@]}" run "$container" -- kubectl version --client >/dev/null

rm -f "$file"
"${buildah[@]}" push --quiet "localhost/csijournal:$version" "docker-archive:$file:csijournal:$version"
ls -l "$file"
