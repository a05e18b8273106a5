"""Ways in which a pool of the RBD driver breaks: each makes its own things, and says what it broke.

What a check has to find is written down here by hand, and not asked of its code.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable

from support.rbd_driver import RBDDriver

Broken = set[tuple[str, str]]
"""Kind and UUID of each finding."""

Damage = Callable[[RBDDriver, str], Broken]


def _forget(driver: RBDDriver, made: str, name: str) -> None:
    driver.place.remove_object(f"csi.volume.{made}")
    driver.place.delete("csi.volumes.default", f"csi.volume.{name}")


def image_removed(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver._delete_image(f"csi-vol-{made}")
    return {("image-missing", made)}


def image_in_trash(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver.place.move_to_trash(f"csi-vol-{made}")
    return {("image-missing", made)}


def snapshot_s_image_in_trash(driver: RBDDriver, name: str) -> Broken:
    made = driver.snapshot(driver.volume(name), name)
    driver.place.move_to_trash(f"csi-snap-{made}")
    return {("image-missing", made)}


def image_made_again(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver._delete_image(f"csi-vol-{made}")
    driver.place.create_image(f"csi-vol-{made}")
    return {("image-id-differs", made)}


def image_id_lost(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver.place.delete(f"csi.volume.{made}", "csi.imageid")
    return {("missing-attribute", made)}


def record_and_entry_lost(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    _forget(driver, made, name)
    return {("image-without-record", made)}


def record_lost(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver.place.remove_object(f"csi.volume.{made}")
    return {("image-without-record", made), ("dangling-entry", made)}


def entry_lost(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver.place.delete("csi.volumes.default", f"csi.volume.{name}")
    return {("detached-record", made)}


def entry_and_image_lost(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver._delete_image(f"csi-vol-{made}")
    driver.place.delete("csi.volumes.default", f"csi.volume.{name}")
    return {("orphan-record", made)}


def header_lost(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver.place.remove_object(f"rbd_header.{driver.place.image_id(f'csi-vol-{made}')}")
    return {("image-broken", made)}


def died_while_cloning(driver: RBDDriver, name: str) -> Broken:
    source = driver.volume(f"{name}-source")
    made = driver.reserve_volume(name)
    temporary = f"csi-vol-{made}-temp"
    driver.place.create_snapshot(f"csi-vol-{source}", temporary)
    driver.place.clone_image(f"csi-vol-{source}", temporary, temporary)
    return {("image-missing", made), ("temp-image-left", made), ("snapshot-left", made)}


def flattened_by_hand(driver: RBDDriver, name: str) -> Broken:
    made = driver.clone(driver.volume(f"{name}-source"), name)
    driver.place.flatten(f"csi-vol-{made}")
    return {("temp-image-left", made)}


def snapshot_of_nothing(driver: RBDDriver, name: str) -> Broken:
    made = str(uuid.uuid4())
    driver.place.create_snapshot(f"csi-vol-{driver.volume(name)}", f"csi-snap-{made}")
    return {("snapshot-left", made)}


def deleted_with_a_snapshot(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver.place.create_snapshot(f"csi-vol-{made}", f"csi-snap-{uuid.uuid4()}")
    driver.place.move_to_trash(f"csi-vol-{made}")
    _forget(driver, made, name)
    return {("trash-stuck", made)}


def never_removed_from_trash(driver: RBDDriver, name: str) -> Broken:
    made = driver.volume(name)
    driver.place.move_to_trash(f"csi-vol-{made}")
    _forget(driver, made, name)
    return {("trash-stuck", made)}


def group_record_lost(driver: RBDDriver, name: str) -> Broken:
    made = driver.group(name, driver.volume(name))
    driver.place.remove_object(f"csi.volume.group.{made}")
    driver.place.delete("csi.groups.default", f"csi.volume.group.{name}")
    return {("rbd-group-without-record", made)}


def group_removed(driver: RBDDriver, name: str) -> Broken:
    made = driver.group(name, driver.volume(name))
    driver.place.remove_group(f"csi-vol-group-{made}")
    return {("rbd-group-missing", made)}


def group_changed(driver: RBDDriver, name: str) -> Broken:
    made = driver.group(name, driver.volume(name))
    driver.place.add_to_group(f"csi-vol-group-{made}", f"csi-vol-{driver.volume(f'{name}-2')}")
    return {("rbd-group-differs", made)}


DAMAGES: tuple[Damage, ...] = (
    image_removed,
    image_in_trash,
    snapshot_s_image_in_trash,
    image_made_again,
    image_id_lost,
    record_and_entry_lost,
    record_lost,
    entry_lost,
    entry_and_image_lost,
    header_lost,
    died_while_cloning,
    flattened_by_hand,
    snapshot_of_nothing,
    deleted_with_a_snapshot,
    never_removed_from_trash,
    group_record_lost,
    group_removed,
    group_changed,
)
