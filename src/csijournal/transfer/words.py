"""What restore does, in the words of repair, the other way round."""

from __future__ import annotations

from collections.abc import Mapping

from csijournal.archive import Record
from csijournal.store.contract import Write
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.ownership import ObjectRole, Owned, owner_of
from csijournal.wire.records import ATTRIBUTE_KEYS
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import decode, number_of, shortened
from csijournal.wire.uuids import is_uuid

_NAMED_MAX = 3
"""How many entries a sentence names before it only counts."""


def request_name_of(record: Record) -> str | None:
    """The request name that a journal's record says; None where it says none."""
    owned = owner_of(record.object_name)
    value = (record.keys or {}).get(owned.schema.name_key) if owned else None
    return None if value is None else decode(value)


def sentence(record: Record, write: Write, found: Mapping[str, bytes] | None) -> str:
    """What `write` does to make an object as `record` says; `found` are the keys there now."""
    owned = owner_of(record.object_name)
    if owned is None or owned.role is ObjectRole.RECORD:
        return _of_object(record, write, owned, found)
    where = "" if owned.name == DEFAULT_INSTANCE_ID else f" in {record.object_name}"
    parts = _of_entries(write, owned, found or {})
    return "; ".join(parts) + where if parts else f"create the directory {record.object_name}"


def _of_object(
    record: Record, write: Write, owned: Owned | None, found: Mapping[str, bytes] | None
) -> str:
    noun = f"{_noun(owned)} {owned.name}" if owned else f"object {record.object_name}"
    if write.remove_object:
        return f"remove the {noun}, which was not there"
    name = request_name_of(record)
    whose = "" if name is None else f" of {shortened(name)}"
    if found is None:
        return f"put back the {noun}{whose}{_members(record, owned)}"
    changes = f"set {_keys(len(write.puts))} and remove {_keys(len(write.deletions))}"
    return f"make the {noun}{whose} as it was: {changes}"


def _noun(owned: Owned) -> str:
    """A record's noun, as repair says it."""
    return owned.schema.noun + (" object" if owned.schema is GROUPS else " record")


def _members(record: Record, owned: Owned | None) -> str:
    if owned is None or owned.schema is not GROUPS:
        return ""
    count = sum(key not in ATTRIBUTE_KEYS for key in record.keys or {})
    return f" with {number_of(count, 'member')}" if count else ""


def _keys(count: int) -> str:
    return number_of(count, "key")


def _of_entries(write: Write, owned: Owned, found: Mapping[str, bytes]) -> list[str]:
    put: list[str] = []
    changed: list[str] = []
    for key, value in write.puts.items():
        arrow = f"{_name(owned, key)} -> {_value(value)}"
        (changed if key in found else put).append(arrow)
    gone = [f"{_name(owned, key)} -> {_value(found.get(key, b''))}" for key in write.deletions]
    parts = (("put back", put), ("change", changed), ("remove", gone))
    return [f"{verb} {_listed(arrows)}" for verb, arrows in parts if arrows]


def _value(value: bytes) -> str:
    text = decode(value)
    return text if is_uuid(text) else shortened(text)


def _name(owned: Owned, key: str) -> str:
    return shortened(owned.entry_of(key) or key)


def _listed(arrows: list[str]) -> str:
    if len(arrows) == 1:
        return f"the entry {arrows[0]}"
    named = ", ".join(arrows[:_NAMED_MAX])
    more = len(arrows) - _NAMED_MAX
    return f"{len(arrows):,} entries: {named}" + (f" and {more:,} more" if more > 0 else "")
