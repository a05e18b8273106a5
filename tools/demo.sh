#!/usr/bin/env bash
# The main job, shown by real commands.  CSIJOURNAL_STORE says where; without it
# a SQLite file in a temporary folder.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export CSIJOURNAL_STORE=${CSIJOURNAL_STORE:-sqlite://$folder/journal.db}

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() { printf '$ csijournal %s\n' "$*"; csijournal "$@"; }
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

say "A CSI driver is asked for a group snapshot: it reserves one UUID for the request name"
run ensure groupsnapshot-42
uuid=$(csijournal show groupsnapshot-42 -o json | field group_uuid)

say "It notes which volumes belong to the group, and their snapshots"
run add groupsnapshot-42 volume-a=snapshot-a volume-b=snapshot-b

say "The driver crashed before it could answer, and is asked again: the same UUID, members and all"
run ensure groupsnapshot-42
again=$(csijournal show groupsnapshot-42 -o json | field group_uuid)
[ "$uuid" = "$again" ]

say "Two drivers are asked for one name at the same moment: one makes it, both get the same"
printf '$ csijournal ensure groupsnapshot-43 & csijournal ensure groupsnapshot-43\n'
csijournal ensure groupsnapshot-43 -o json >"$folder/one" &
csijournal ensure groupsnapshot-43 -o json >"$folder/two"
wait $!
for answer in one two; do
    printf '%s  created: %s\n' "$(field group_uuid <"$folder/$answer")" "$(field created <"$folder/$answer")"
done
[ "$(field group_uuid <"$folder/one")" = "$(field group_uuid <"$folder/two")" ]

say "What is there"
run list -l

say "The group snapshot is deleted: nothing of it stays behind"
run undo groupsnapshot-42
run list
run verify --deep
