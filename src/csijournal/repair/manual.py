"""What only a person may decide: whose a group is, and what may go for good.

Like repair, each of these makes a plan whose writes are held to the state that
the plan saw.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from csijournal.errors import Conflict, GroupNotFound, InvalidRequestName, ReservationNotFound
from csijournal.journal.model import Entry
from csijournal.journal.steps import GroupRecords, Records
from csijournal.repair.plan import Plan, Step, still_holds
from csijournal.repair.planners import Planner, instances_of, remove_record_step
from csijournal.store.contract import Guard, KeyAbsent, ObjectState, Store, Unchanged, Write
from csijournal.wire.records import GROUP_NAME_KEY, REQUEST_NAME_KEY, parse_group
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode, shortened


def plan_attach(records: GroupRecords, group_uuid: str, request_name: str = "") -> Plan | None:
    """Make a group and a request name each other's; None where they are already.

    Without `request_name`, the name that the group itself says.  The group's
    name is set right on the way.  Raises GroupNotFound, InvalidRequestName,
    and Conflict where another entry or group stands in the way.
    """
    group_object = GROUPS.record_object(group_uuid)
    state = records.store.read_state(group_object)
    if state is None:
        raise GroupNotFound(f"there is no group {group_uuid}", object_name=group_object)
    name = request_name or parse_group(state.entries).request_name
    if not name:
        raise InvalidRequestName(
            f"the group {group_uuid} does not say whose it is",
            object_name=group_object,
            hint="Give the request name that it is to be attached to",
        )
    GROUPS.require_request_name(name)
    enter = tuple(_enter_group(records, group_uuid, name))
    steps = (*_name_group(records, group_uuid, state, name, enters=bool(enter)), *enter)
    subject = f"attach {group_uuid} to {shortened(name)}"
    return Plan(subject, steps, (name, group_uuid)) if steps else None


def plan_drop_entry(records: GroupRecords, request_name: str) -> Plan:
    """Remove an entry alone, whatever it holds and whatever its name.

    Raises ReservationNotFound.
    """
    key = GROUPS.entry_key(request_name)
    entry, guard = _look_up(records, request_name)
    if entry is None:
        raise ReservationNotFound(
            f"there is no entry {shortened(request_name)}",
            object_name=records.directory,
            key=key,
        )
    sentence = f"remove the entry {shortened(request_name)} -> {shortened(entry.value)}"
    if records.is_consistent(request_name):
        sentence += "; its group stays, with nothing that points at it"
    write = Write(records.directory, guards=(guard,), deletions=(key,))
    subject = f"drop the entry {shortened(request_name)}"
    return Plan(subject, (Step(sentence, write),), (request_name,))


def plan_drop_group(records: GroupRecords, planner: Planner, group_uuid: str) -> Plan:
    """Remove a group object that no entry points at, of whatever name and instance.

    Walks all entries of the location.  Raises GroupNotFound, and Conflict where an
    entry does.
    """
    group_object = GROUPS.record_object(group_uuid)
    state = records.store.read_state(group_object)
    if state is None:
        raise GroupNotFound(f"there is no group {group_uuid}", object_name=group_object)
    record = parse_group(state.entries)
    if not planner.unentered(GROUPS, group_uuid, record):
        raise Conflict(
            f"the request name {shortened(record.request_name or '')} points at this group",
            object_name=group_object,
            hint="Use undo to remove a reservation",
        )
    _require_unpointed(records, group_uuid)
    step = remove_record_step(
        GROUPS,
        group_uuid,
        state,
        record,
        lambda: (
            planner.unentered(GROUPS, group_uuid, record)
            and _pointing_at(records.store, group_uuid) is None
        ),
    )
    steps = (*planner.final_steps(GROUPS, group_uuid), step)
    return Plan(f"drop the group {group_uuid}", steps, (group_uuid,))


def _require_unpointed(records: GroupRecords, group_uuid: str) -> None:
    """Raise Conflict where an entry of another name holds the group's UUID: it would dangle."""
    pointing = _pointing_at(records.store, group_uuid)
    if pointing is None:
        return
    instance_id, name = pointing
    ours = GROUPS.directory_prefix + instance_id == records.directory
    where = "" if ours else f" of the instance {shortened(instance_id)}"
    option = "" if ours else f" --instance {shlex.quote(instance_id)}"
    raise Conflict(
        f"the entry {shortened(name)}{where} points at this group, and would point at"
        " nothing afterwards",
        object_name=GROUPS.record_object(group_uuid),
        hint=f"Drop that entry first: csijournal drop --entry {shlex.quote(name)}{option}",
    )


def _pointing_at(store: Store, group_uuid: str) -> tuple[str, str] | None:
    """The instance and the request name of an entry that holds the UUID; None for none."""
    for instance_id in instances_of(store, GROUPS):
        for page in Records(store, GROUPS, instance_id, validate=False).entry_pages():
            for entry in page:
                if entry.group_uuid == group_uuid:
                    return instance_id, entry.request_name
    return None


def _name_group(
    records: GroupRecords,
    group_uuid: str,
    state: ObjectState,
    request_name: str,
    *,
    enters: bool,
) -> Iterator[Step]:
    """Write the group's names, always where an entry follows.

    The record has then changed, and a removal that was planned before is
    refused; and where the record is gone, the entry does not follow.
    """
    record = parse_group(state.entries)
    _require_unowned(records, group_uuid, record.request_name, request_name)
    puts: dict[str, bytes] = {}
    if record.request_name != request_name:
        puts[REQUEST_NAME_KEY] = encode(request_name)
    if not (record.group_name or "").endswith(group_uuid):
        puts[GROUP_NAME_KEY] = encode(GROUPS.make_image_name("", group_uuid))
    if enters and not puts:
        puts[REQUEST_NAME_KEY] = encode(request_name)
    if puts:
        words = ", ".join(f"{key} = {value.decode()!r}" for key, value in puts.items())
        yield Step(
            f"write {words} to the group object {group_uuid}",
            Write(GROUPS.record_object(group_uuid), guards=(Unchanged(state.version),), puts=puts),
        )


def _require_unowned(
    records: GroupRecords, group_uuid: str, owner: str | None, request_name: str
) -> None:
    """No entry but that of `request_name` here may point at the group in its own name."""
    if owner is None:
        return
    for instance_id in instances_of(records.store, GROUPS):
        other = Records(records.store, GROUPS, instance_id, validate=False)
        ours = other.directory == records.directory
        if not (ours and owner == request_name) and other.entry_matches(owner, group_uuid):
            where = "" if ours else f" of the instance {shortened(instance_id)}"
            option = "" if ours else f" --instance {instance_id!r}"
            raise Conflict(
                f"the group belongs to {shortened(owner)}{where}, whose entry points at it",
                object_name=GROUPS.record_object(group_uuid),
                hint="If that is wrong, drop that entry first:"
                f" csijournal drop --entry {owner!r}{option}",
            )


def _enter_group(records: GroupRecords, group_uuid: str, request_name: str) -> Iterator[Step]:
    """Put the entry, and then write to the group object, as owners without a lease do.

    Who looked for an entry before this one, and removes the group object, is
    refused after that write; where the object is gone before it, so is the
    write, and nobody is told that the group is attached.
    """
    key = GROUPS.entry_key(request_name)
    entry = records.look_up(request_name)
    if entry is None:
        yield Step(
            f"put the entry {shortened(request_name)} -> {group_uuid}",
            Write(
                records.directory,
                guards=(KeyAbsent(key),),
                puts={key: encode(group_uuid)},
            ),
        )
        yield Step(
            f"write the request name to the group object {group_uuid} once more, now that its"
            " entry stands",
            records.confirmation(group_uuid, request_name),
        )
    elif entry.group_uuid != group_uuid:
        raise Conflict(
            f"the entry {shortened(request_name)} holds {shortened(entry.value)}",
            object_name=records.directory,
            key=key,
            hint="If that is wrong, drop that entry first:"
            f" csijournal drop --entry {request_name!r}",
        )


def _look_up(records: GroupRecords, request_name: str) -> tuple[Entry | None, Guard]:
    """The entry, and a guard that it still holds what it does, be that no text at all."""
    key = GROUPS.entry_key(request_name)
    entry = records.look_up(request_name)
    guard = still_holds(key, encode(entry.value) if entry else None)
    if guard is not None:
        return entry, guard
    state = records.store.read_state(records.directory)
    if state is None or key not in state.entries:
        return None, KeyAbsent(key)
    return records.as_entry(key, state.entries[key]), Unchanged(state.version)
