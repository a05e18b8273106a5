#!/usr/bin/env bash
# The main job, shown by real commands: something is broken, verify, repair, verify;
# then what a driver does.  CSIJOURNAL_STORE says where; without it a SQLite file in a
# temporary folder.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export CSIJOURNAL_STORE=${CSIJOURNAL_STORE:-sqlite:$folder/journal.db}
export CSIJOURNAL_SETTLE=1s # nobody else is at work here, so a short time is enough

bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi

say() { printf '\n%s# %s%s\n' "$bold" "$*" "$plain"; }
run() { printf '$ csijournal %s\n' "$*"; csijournal "$@"; }
finds() { run "$@" || [ $? -eq 1 ]; } # exit code 1: there are errors, as there should be
field() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# Three group snapshots; the object of one and the entry of another are then lost, as by
# a driver that dies in the middle of an undo and by somebody who removes an omap key.
break_journal() {
    python3 - <<'PYTHON'
import os

from csijournal import VolumeGroupJournal, open_store
from csijournal.store import Write

with open_store(os.environ["CSIJOURNAL_STORE"]) as store:
    with VolumeGroupJournal(store) as journal:
        for name in ("groupsnapshot-1", "groupsnapshot-2", "groupsnapshot-3"):
            group = journal.ensure_reservation(name).reservation
            journal.add_volumes_mapping(group.group_uuid, {"volume-a": "snapshot-a"})
            if name == "groupsnapshot-1":
                store.write(Write(f"csi.volume.group.{group.group_uuid}", remove_object=True))
            if name == "groupsnapshot-2":
                store.write(Write("csi.groups.default", deletions=[f"csi.volume.group.{name}"]))
PYTHON
}

say "A journal of three group snapshots: one has lost its group object, another its entry"
break_journal
run list -l

say "What is wrong, and what to do about it? (--grace 0s: it is seconds old, and might be pending)"
finds verify --full --grace 0s

say "Repair does what is certain, after a backup; what only a person can decide it leaves"
finds repair --full --grace 0s --backup "$folder/backup.jsonl" --apply

say "The second group has a member, so we put its entry back, with the command that was printed"
lost=$({ csijournal verify --full --grace 0s -o json || true; } | python3 -c '
import json, sys
print(*(f["uuid"] for f in map(json.loads, sys.stdin) if f.get("kind") == "detached-group"))')
run attach "$lost" --backup "$folder/second.jsonl" --apply

say "And now?"
run verify --full --grace 0s

say "It is a library too. A CSI driver is asked twice for a group snapshot, and then to delete it"
tee "$folder/driver.py" <<'PYTHON'
import os
from csijournal import VolumeGroupJournal, open_store

with open_store(os.environ["CSIJOURNAL_STORE"]) as store, VolumeGroupJournal(store) as journal:
    made = journal.ensure_reservation("groupsnapshot-42")
    group = made.reservation
    journal.add_volumes_mapping(group.group_uuid, {"volume-a": "snapshot-a"})
    again = journal.ensure_reservation("groupsnapshot-42")
    print(made.created, again.created, again.reservation.group_uuid == group.group_uuid)
    journal.undo_reservation(group.group_name, "groupsnapshot-42")
    print(journal.check_reservation("groupsnapshot-42"))
PYTHON
printf '$ python3 driver.py\n'
python3 "$folder/driver.py"

say "The same from the shell. Two drivers ask for one name at the same moment: both get the same"
printf '$ csijournal ensure groupsnapshot-43 & csijournal ensure groupsnapshot-43\n'
csijournal ensure groupsnapshot-43 -o json >"$folder/one" &
csijournal ensure groupsnapshot-43 -o json >"$folder/two"
wait $!
for answer in one two; do
    printf '%s  created: %s\n' "$(field group_uuid <"$folder/$answer")" "$(field created <"$folder/$answer")"
done
[ "$(field group_uuid <"$folder/one")" = "$(field group_uuid <"$folder/two")" ]

say "Each name that is left is undone: nothing of it stays behind"
for name in groupsnapshot-2 groupsnapshot-3 groupsnapshot-43; do
    run undo "$name"
done
run verify --full --grace 0s
