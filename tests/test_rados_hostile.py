"""Keys that the binding cannot hand out stop nobody, and are told."""

from __future__ import annotations

import itertools
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cluster import ThrowawayCluster
from conftest import POOL
from csijournal import VolumeGroupJournal
from csijournal.errors import InvalidStoreURL, UnreadableContent
from csijournal.store import Write, open_store
from csijournal.store.contract import Unreadable, unreadable_in
from csijournal.store.rados.access import Opened
from csijournal.store.rados.binding import Ioctx
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.keys import following
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.rados.pool import RADOSStore
from csijournal.store.rados.reading import Reader
from csijournal.store.rados.requests import Answer, Request
from csijournal.transfer.export import Exporter
from csijournal.wire.schema import GROUPS
from support.hostile import put_raw

PAGE_LIMIT = "osd_max_omap_entries_per_request"
_namespaces = (f"hostile-{number}" for number in itertools.count(1))


@pytest.fixture(autouse=True)
def impatient() -> Iterator[None]:
    """A reading that never ends fails its test."""
    signal.alarm(60)
    yield
    signal.alarm(0)


@pytest.fixture
def namespace() -> str:
    return next(_namespaces)


@pytest.fixture
def store(ceph: ThrowawayCluster, namespace: str) -> Iterator[RADOSStore]:
    with RADOSStore(POOL, namespace, conf=ceph.conf) as store:
        yield store


def read_in_pages(
    store: RADOSStore, limit: int, prefix: str = ""
) -> tuple[dict[str, bytes], list[Unreadable]]:
    entries: dict[str, bytes] = {}
    unreadable: list[Unreadable] = []
    after = ""
    while True:
        page = store.read_page("o", after=after, prefix=prefix, limit=limit)
        assert page is not None
        assert len(page) <= limit
        assert not entries.keys() & page.keys()
        entries |= page
        unreadable += unreadable_in(page)
        if not page:
            return entries, unreadable
        after = max(page)


# Where a reading goes on


@given(st.binary(min_size=1, max_size=8), st.text(min_size=1, max_size=4))
@example(b"\xff", "\U0010ffff")
@example(b"\xf4\x90", "\U0010ffff")
@example(b"\xed\xa0\x80", "\ue000")
@example(b"a\xed\xbf\xbf", "a\ue000")
@example("\ud7ff".encode() + b"\xff", "\ue000")
@example(b"\xe4\xb8", "一")
@example(b"a\x7f\xff", "a\x80")
def test_a_reading_goes_on_at_the_least_text_behind_a_key(key: bytes, text: str) -> None:
    key = key.partition(b"\0")[0]  # so the binding hands it out
    if "\0" in text or text.encode().startswith(key + b"\0"):
        return
    start = following(key)
    behind = text.encode() > key and text.encode() != key
    assert behind == (start is not None and text >= start)


# Keys that are not UTF-8


@pytest.mark.ceph
@pytest.mark.parametrize("limit", [1, 2, 1000])
@pytest.mark.parametrize("key", [b"\xff", b"b\xff\xfe", b"\x80a", b"b\xed\xa0\x80", b"\xf4\x90z"])
def test_a_key_that_is_not_utf8_hides_nothing(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str, key: bytes, limit: int
) -> None:
    readable = {"a": b"1", "b": b"2", "c": b"", "\u4e00": b"3", "\U0010ffff": b"4"}
    store.write(Write("o", puts=readable))
    put_raw(ceph, POOL, namespace, "o", key)

    entries, unreadable = read_in_pages(store, limit)
    assert entries == readable
    assert [found.key for found in unreadable] == [key]
    for sentinel in ("", "b", "\U0010ffff", "missing"):
        for found in (
            store.read_object("o", sentinel=sentinel),
            dict(store.read_objects(["o"], sentinel=sentinel))["o"],
        ):
            assert found == readable
            assert unreadable_in(found) == (Unreadable("o", key, "is not UTF-8 text"),)
    with pytest.raises(UnreadableContent, match=r"not UTF-8 text .*object o"):
        store.read_state("o")
    assert store.read_keys("o", list(readable)) == readable


@pytest.mark.ceph
def test_more_than_a_page_of_keys_that_are_not_utf8_hides_nothing(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    readable = {"a": b"1", "z": b"2"}
    store.write(Write("o", puts=readable))
    put_raw(ceph, POOL, namespace, "o", *(b"b\xff%d" % number for number in range(10)))
    ceph.run("config", "set", "osd", PAGE_LIMIT, "3")
    try:
        for limit in (2, 1000):
            entries, unreadable = read_in_pages(store, limit)
            assert entries == readable
            assert 0 < len(unreadable) <= 10
        assert store.read_object("o", sentinel="z") == readable
        assert unreadable_in(store.read_object("o", sentinel="z"))
    finally:
        ceph.run("config", "rm", "osd", PAGE_LIMIT)


# Keys with U+0000


@pytest.mark.ceph
@pytest.mark.parametrize(
    ("keys", "cut_keys"),
    [
        ([b"z\0"], ["z"]),
        ([b"z\0x", b"z\0y", b"z\0z"], ["z"]),
        ([b"c\0x"], ["c"]),
        ([b"c\0x", b"c\0y", b"a\0"], ["a", "c"]),
        ([b"\0"], [""]),
        ([b"c\0x", b"d\xff", b"d\xff\0x"], ["c"]),
    ],
)
def test_a_key_with_nul_ends_no_reading_and_makes_none_endless(
    ceph: ThrowawayCluster,
    store: RADOSStore,
    namespace: str,
    keys: list[bytes],
    cut_keys: list[str],
) -> None:
    readable = {"a": b"1", "c": b"2", "c\x01": b"3", "d": b"4", "e": b"5"}
    store.write(Write("o", puts=readable))
    put_raw(ceph, POOL, namespace, "o", *keys)

    for limit in (1, 2, 3, 1000):
        entries, unreadable = read_in_pages(store, limit)
        assert {key: entries[key] for key in readable} == readable
        told = {found.key.decode() for found in unreadable if "U+0000" in found.problem}
        assert told == set(cut_keys)
    with pytest.raises(UnreadableContent):
        store.read_state("o")
    found = store.read_object("o")
    assert found == readable
    assert {bad.key for bad in unreadable_in(found)} >= {key.encode() for key in cut_keys}
    for sentinel in ("a", "e"):
        found = store.read_object("o", sentinel=sentinel)
        assert found is not None
        assert readable.items() <= found.items()


@pytest.mark.ceph
def test_a_key_that_ends_in_nul_is_not_listed_as_what_stands_before_it(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    readable = {"a": b"1", "k": b"2", "z": b"3"}
    store.write(Write("o", puts=readable))
    put_raw(ceph, POOL, namespace, "o", b"b\0", b"y\0x", b"zz\0")

    for limit in (1, 2, 3, 1000):
        entries, unreadable = read_in_pages(store, limit)
        assert entries == readable
        assert sorted(found.key for found in unreadable) == [b"b", b"y", b"zz"]
    for prefix, keys in (("b", [b"b"]), ("y", [b"y"]), ("z", [b"zz"])):
        assert [one.key for one in read_in_pages(store, 1, prefix)[1]] == keys
    found = store.read_object("o")
    assert found == readable
    assert sorted(one.key for one in unreadable_in(found)) == [b"b", b"y", b"zz"]


@pytest.mark.ceph
def test_each_key_that_is_cut_is_told_in_one_page(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    store.write(Write("o", puts={"a": b"1", "c": b"2", "e": b"3"}))
    put_raw(ceph, POOL, namespace, "o", b"a\0", b"b\xff", b"c\0x", b"d\0", b"e\0", b"f\xff")
    for limit in (1, 2, 3, 4, 1000):
        entries, unreadable = read_in_pages(store, limit)
        assert entries == {"a": b"1", "c": b"2", "e": b"3"}
        keys = [found.key for found in unreadable]
        assert keys == [b"a", b"b\xff", b"c", b"d", b"e", b"f\xff"]


@pytest.mark.ceph
def test_an_entry_that_goes_away_while_it_is_listed_is_not_called_cut(
    store: RADOSStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.write(Write("o", puts={"a": b"1", "b": b"2"}))
    ask = Reader.ask

    def removed_behind(
        reader: Reader, opened: Opened, ioctx: Ioctx, name: str, *requests: Request
    ) -> Answer | None:
        answer = ask(reader, opened, ioctx, name, *requests)
        store.write(Write("o", deletions=("b",)))
        return answer

    monkeypatch.setattr(Reader, "ask", removed_behind)
    page = store.read_page("o")
    assert page == {"a": b"1", "b": b"2"}
    assert not unreadable_in(page)


@pytest.mark.ceph
def test_a_key_with_nul_that_looks_whole_is_found_before_the_object_is_changed(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    store.write(Write("o", puts={"a": b"1", "z": b"2"}))
    put_raw(ceph, POOL, namespace, "o", b"k\0x")

    assert store.read_object("o", sentinel="a") == {"a": b"1", "k": b"raw", "z": b"2"}
    with pytest.raises(UnreadableContent, match=r"the key k goes on behind a U\+0000"):
        store.read_state("o")


@pytest.mark.ceph
def test_an_empty_key_is_whole_beside_those_that_are_cut_to_it(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    store.write(Write("o", puts={"": b"zone", "a": b"1"}))
    put_raw(ceph, POOL, namespace, "o", b"\0x")
    for sentinel in ("", "a"):
        found = store.read_object("o", sentinel=sentinel)
        assert found == {"": b"zone", "a": b"1"}
        assert [bad.key for bad in unreadable_in(found)] == [b""]
    with pytest.raises(UnreadableContent):
        store.read_state("o")


@pytest.mark.ceph
def test_hundreds_of_keys_with_nul_are_passed(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    readable = {"a": b"1", "m\x01": b"2", "z": b"3"}
    store.write(Write("o", puts=readable))
    put_raw(ceph, POOL, namespace, "o", *(b"m\0%d" % number for number in range(12)))
    ceph.run("config", "set", "osd", PAGE_LIMIT, "4")
    try:
        entries, unreadable = read_in_pages(store, 1000)
        assert readable.items() <= entries.items()
        assert {found.key for found in unreadable} == {b"m"}
        for sentinel in ("", "z"):
            found = store.read_object("o", sentinel=sentinel)
            assert found == readable
            assert [bad.key for bad in unreadable_in(found)] == [b"m"]
    finally:
        ceph.run("config", "rm", "osd", PAGE_LIMIT)


@pytest.mark.ceph
def test_a_prefix_holds_behind_keys_that_are_skipped(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    store.write(Write("o", puts={"p.a": b"1", "p.z": b"2", "q": b"3"}))
    put_raw(ceph, POOL, namespace, "o", b"p.a\0x", b"p.b\xff", b"p.z\0", b"p.z\xff")
    entries, unreadable = read_in_pages(store, 1, prefix="p.")
    assert entries == {"p.a": b"1", "p.z": b"2"}
    assert {found.key for found in unreadable} == {b"p.a", b"p.b\xff", b"p.z", b"p.z\xff"}


@pytest.mark.ceph
def test_the_hint_removes_a_key_that_cannot_be_read(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str, tmp_path: Path
) -> None:
    store.write(Write("o'x", puts={"a": b"1"}))
    put_raw(ceph, POOL, namespace, "o'x", b"b'$\xff1\n\xfe", b"z\0x")
    environment = {"PATH": "/usr/bin:/bin", **ceph.environment()}
    hints = []
    for _ in range(2):
        with pytest.raises(UnreadableContent) as caught:
            store.read_state("o'x")
        hints.append(caught.value.hint)
        command = hints[-1].rpartition(": ")[2]
        (tmp_path / "FILE").write_bytes(b"z\0x")
        subprocess.run(["bash", "-c", command], env=environment, cwd=tmp_path, check=True)
    assert "^@ for U+0000" in hints[1]
    state = store.read_state("o'x")
    assert state is not None
    assert state.entries == {"a": b"1"}


# Names of pools and namespaces


@pytest.mark.parametrize(
    "url",
    [
        "rados://rb%00d",
        "rados://rbd/name%00space",
        "rados://rbd?namespace=a%00",
        "rados://rbd/%01",
        "rados://rbd?conf=a%00b",
        "rados://rbd?id=a%00b",
        "rados://rbd?mon=a%00b",
    ],
)
def test_a_name_that_librados_would_cut_is_refused(url: str) -> None:
    with pytest.raises(InvalidStoreURL, match=r"U\+000[01]"):
        open_store(url)


@pytest.mark.parametrize(("pool", "namespace"), [("a\0b", ""), ("a", "n\0"), ("a", "\x01")])
def test_a_store_of_such_a_name_is_refused_in_python_too(pool: str, namespace: str) -> None:
    with pytest.raises(InvalidStoreURL):
        RADOSStore(pool, namespace)
    with pytest.raises(InvalidStoreURL), RADOSCluster.at(RADOSLocation("p")) as cluster:
        cluster.store(pool, namespace)


def test_a_member_whose_name_librados_cuts_is_left_out_of_an_export_and_named(
    ceph: ThrowawayCluster, store: RADOSStore, namespace: str
) -> None:
    with VolumeGroupJournal(store, lease_size=0) as journal:
        made = journal.reserve_name("snap-1")
        journal.add_volumes_mapping(made.group_uuid, {"vol-1": "snap-1"})
    group = GROUPS.record_object(made.group_uuid)
    put_raw(ceph, POOL, namespace, group, b"vol-2\0")

    exporter = Exporter(store)
    records = {record.object_name: record for record in exporter.instance("default")}

    keys = records[group].keys or {}
    assert "vol-1" in keys
    assert "vol-2" not in keys
    assert not records[group].whole
    assert exporter.left_out.unreadable == 1
