"""Text of `rados listomapvals`, read as tickets and must-gather archives hold it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from csijournal.errors import InvalidObjectName
from csijournal.store.contract import check_name
from csijournal.transfer.listing_commands import Place, command_in
from csijournal.transfer.listings import Listings
from csijournal.wire.ownership import KeyRole, role_of
from support.rados_text import hexdump, listing, value

U1 = "11111111-1111-4111-8111-111111111111"
U2 = "22222222-2222-4222-8222-222222222222"
VOLUMES, SNAPSHOTS = "csi.volumes.default", "csi.snaps.default"
VOLUME, SNAPSHOT = f"csi.volume.{U1}", f"csi.snap.{U2}"
Omaps = dict[str, dict[str, str]]

JOURNAL: Omaps = {
    VOLUMES: {"csi.volume.pvc-1": U1},
    VOLUME: {
        "csi.imageid": "10ab12cd34ef",
        "csi.imagename": f"csi-vol-{U1}",
        "csi.volname": "pvc-1",
        "csi.volume.owner": "team-a",
    },
    SNAPSHOTS: {"csi.snap.snapshot-1": U2},
    SNAPSHOT: {
        "csi.imagename": f"csi-snap-{U2}",
        "csi.snapname": "snapshot-1",
        "csi.source": f"csi-vol-{U1}",
    },
}


def text_of(name: str) -> str:
    return listing({key.encode(): text.encode() for key, text in JOURNAL[name].items()})


def ticket(prompt: str = "sh-4.4$ ") -> str:
    return "".join(
        f"{prompt}rados -p replicapool listomapvals {name}\n{text_of(name)}" for name in JOURNAL
    )


def read(**texts: str) -> Listings:
    listings = Listings()
    for name, text in texts.items():
        listings.add(text.splitlines(keepends=True), name)
    return listings


def omaps(listings: Listings, place: Place | None = None) -> Omaps:
    (chosen,) = listings.places() if place is None else (place,)
    found: Omaps = {}
    for record in listings.records(chosen):
        keys = {key: (text or b"").decode() for key, text in (record.keys or {}).items()}
        found.setdefault(record.object_name, {}).update(keys)
    return found


@pytest.mark.parametrize(
    "prompt",
    [
        "sh-4.4$ ",
        "[root@rook-ceph-tools /]# ",
        "+ ",
        "",
        "kubectl -n rook-ceph exec deploy/rook-ceph-tools -- ",
        "kubectl rook-ceph ",
    ],
)
def test_command_lines_in_a_ticket_say_of_what_each_listing_is(prompt: str) -> None:
    listings = read(ticket=ticket(prompt))

    assert listings.places() == [Place("replicapool", "")]
    assert omaps(listings) == JOURNAL
    assert not listings.problems


@pytest.mark.parametrize(
    ("line", "place", "words"),
    [
        ("rados listomapvals X --pool=p --namespace=csi", Place("p", "csi"), ("X", None)),
        ("rados --pool p -N csi getomapval X 'a b' | cat", Place("p", "csi"), ("X", "a b")),
        ("rados -p p getomapval X ''", Place("p", ""), ("X", "")),
        ("rados listomapvals X", Place(), ("X", None)),
        ("rados -c /etc/ceph.conf --id admin -p p listomapvals X > f", Place("p", ""), ("X", None)),
        ("rados -p p listomapvals it's", Place("p", ""), ("it's", None)),
    ],
)
def test_a_command_line_says_pool_namespace_object_and_key(
    line: str, place: Place, words: tuple[str, str | None]
) -> None:
    command = command_in(line)

    assert command is not None
    assert command.place == place
    assert (command.object_name, command.key) == words


@pytest.mark.parametrize("line", ["rados -p p ls", "rados -p p listomapvals", "radosgw-admin x"])
def test_other_lines_are_no_command(line: str) -> None:
    assert command_in(line) is None


def test_files_named_like_the_object_need_no_command_line() -> None:
    named = {f"rbd_listomapvals_{name}.txt": text_of(name) for name in JOURNAL}

    assert omaps(read(**named)) == JOURNAL


def test_quoting_indentation_and_collapsed_spaces_of_a_mail_do_not_matter() -> None:
    quoted = "".join(f"> {line}\n" for line in ticket().splitlines())
    indented = "".join(f"    {line}\r\n" for line in ticket().splitlines())
    collapsed = "\n".join(" ".join(line.split()) for line in ticket().splitlines())

    for text in (quoted, indented, collapsed):
        assert omaps(read(ticket=text)) == JOURNAL


def test_single_values_and_the_empty_key_come_from_getomapval() -> None:
    text = (
        f"$ rados -p p getomapval {VOLUMES} csi.volume.pvc-1\n{value(U1.encode())}"
        f"$ rados -p p getomapval {SNAPSHOT} ''\n{value(b'team-a')}"
        f"$ rados -p p getomapval {VOLUMES} csi.volume.gone\n"
        f"No such key: p/{VOLUMES}/csi.volume.gone\n"
    )

    assert omaps(read(ticket=text)) == {
        VOLUMES: {"csi.volume.pvc-1": U1},
        SNAPSHOT: {"": "team-a"},
    }


def gathered(records: list[str], names: list[str]) -> str:
    """As must-gather writes it: names at once, and listings whenever they are ready."""
    head = "Name of the block pool: replicapool\n"
    return head + "".join(f"Name of the pvc object: {name}\n" for name in names) + "".join(records)


def test_must_gather_names_entries_and_lists_records_and_they_are_put_together() -> None:
    snap = "Name of snap object: csi.snap.snapshot-1\n"
    text = gathered([text_of(VOLUME), snap, text_of(SNAPSHOT)], ["csi.volume.pvc-1"])

    listings = read(rados_rbd_objects=text)

    assert listings.places() == [Place("replicapool", "")]
    assert omaps(listings) == JOURNAL
    assert listings.counts.put_together == 2


def test_an_entry_that_no_record_says_is_told_and_not_made_up() -> None:
    text = gathered([text_of(VOLUME)], ["csi.volume.pvc-1", "csi.volume.pvc-2"])

    listings = read(rados_rbd_objects=text)

    assert omaps(listings)[VOLUMES] == {"csi.volume.pvc-1": U1}
    (problem,) = listings.problems
    assert "rados_rbd_objects, line 3: 'csi.volume.pvc-2' is named without its value" in problem


def test_each_pool_of_one_file_is_a_place_of_its_own() -> None:
    text = (
        'Name of the metadata pool: "fs-metadata"\n'
        + text_of(VOLUME)
        + gathered([text_of(SNAPSHOT)], [])
    )

    listings = read(rados=text)

    assert listings.places() == [Place("fs-metadata", "csi"), Place("replicapool", "")]
    assert set(omaps(listings, Place("fs-metadata", "csi"))) == {VOLUME}


def test_what_is_cut_short_is_left_out_and_told_with_its_line() -> None:
    lines = ticket().splitlines(keepends=True)
    whole = read(ticket="".join(lines))
    cut = read(ticket="".join(lines[:5]))

    assert omaps(whole) == JOURNAL
    (problem,) = cut.problems
    assert problem.startswith("ticket, line ")
    assert "bytes are there; it is left out" in problem


def test_an_object_without_keys_is_told_apart_from_one_that_is_not_there() -> None:
    text = (
        f"$ rados -p p listomapvals {VOLUME}\n"
        f"$ rados -p p listomapvals {SNAPSHOT}\n"
        f"error getting omap keys p/{SNAPSHOT}: (2) No such file or directory\n"
        f"$ rados -p p ls\n{SNAPSHOTS}\n"
    )

    listings = read(ticket=text)

    assert omaps(listings) == {VOLUME: {}}
    assert listings.counts.without_keys == [VOLUME]


def test_what_is_not_a_journals_is_counted_and_left_out() -> None:
    text = (
        f"$ rados -p p listomapvals rbd_directory\n{listing({b'name_x': b'1'})}"
        f"$ rados -p p listomapvals {VOLUMES}\n"
        + listing({b"csi.volume.pvc-1": U1.encode(), b"foreign": b"x", b"csi.lease.1": b"x"})
    )

    listings = read(ticket=text)

    assert omaps(listings) == {VOLUMES: {"csi.volume.pvc-1": U1}}
    counts = listings.counts
    assert (counts.foreign_objects, counts.foreign_keys, counts.leases) == (1, 1, 1)


def test_keys_of_an_object_that_nothing_names_are_told() -> None:
    listings = read(ticket=listing({b"csi.volname": b"pvc-1", b"csi.volume.owner": b"x"}))

    assert listings.places() == []
    assert "nothing says of which object 'csi.volname' and 1 more is" in listings.problems[0]


def test_a_second_listing_with_another_value_counts_and_is_told() -> None:
    again = listing({b"csi.volume.pvc-1": U2.encode()})
    listings = read(ticket=ticket() + f"$ rados -p replicapool listomapvals {VOLUMES}\n{again}")

    assert omaps(listings)[VOLUMES] == {"csi.volume.pvc-1": U2}
    assert "is listed a second time" in listings.problems[0]


def test_a_length_that_nobody_can_mean_takes_no_memory() -> None:
    rows = f"{'00' * 4}  {'00 ' * 8} {'00 ' * 8} |................|\n*\nffffffffff\n"
    header = f"$ rados listomapvals {VOLUME}\ncsi.volname\nvalue (%d bytes) :\n"

    huge = read(ticket=header % 10**12 + rows)
    large = read(ticket=header % (1 << 20) + rows)

    assert "more than a journal's value has" in huge.problems[0]
    assert sum(map(len, omaps(large).get(VOLUME, {}).values())) <= 1 << 20


def _is_imported(name: str, key: bytes) -> bool:
    """Whether a key is one that an archive can hold."""
    try:
        text = check_name(key.decode(), name)
    except (UnicodeDecodeError, InvalidObjectName):
        return False
    return bool(text) and role_of(name, text) not in {KeyRole.FOREIGN, KeyRole.LEASE}


_ALIKE = st.builds(
    lambda byte, count: bytes([byte]) * count, st.integers(0, 255), st.integers(0, 70)
)
_VALUES = st.binary(max_size=80) | _ALIKE
_KEYS = st.binary(max_size=40) | st.sampled_from(
    [b"csi.volname", b"csi.imagename", b"csi.volume.x\ty", "csi.volume.ü".encode(), b"*", b"0000"]
)


@given(
    st.dictionaries(
        st.sampled_from([VOLUMES, VOLUME, SNAPSHOTS, SNAPSHOT, "csi.groups.default"]),
        st.dictionaries(_KEYS, _VALUES, max_size=6),
        max_size=4,
    )
)
def test_whatever_rados_prints_of_a_journal_is_read_back(
    journal: Mapping[str, Mapping[bytes, bytes]],
) -> None:
    text = "".join(
        f"# rados -p p listomapvals {name}\n{listing(omap)}" for name, omap in journal.items()
    )
    listings = Listings()
    listings.add(text.splitlines(keepends=True), "ticket")

    found: dict[str, dict[str, bytes | None]] = {}
    for place in listings.places():
        for record in listings.records(place):
            found.setdefault(record.object_name, {}).update(record.keys or {})
    assert found == {
        name: {k.decode(): v for k, v in omap.items() if _is_imported(name, k)}
        for name, omap in journal.items()
        if any(_is_text(k) for k in omap if k) or not any(omap)
    }


def _is_text(key: bytes) -> bool:
    try:
        check_name(key.decode(), "-")
    except (UnicodeDecodeError, InvalidObjectName):
        return False
    return True


_LINES = st.sampled_from(
    [
        *ticket().splitlines(),
        "*",
        "value (16 bytes) :",
        "value (0 bytes) :",
        "key (5 bytes):",
        hexdump(b"x" * 40),
        "Name of the block pool: p",
        "Name of snap object: csi.snap.x",
        "> value (36 bytes) :",
    ]
) | st.text(max_size=60)


@given(st.lists(_LINES, max_size=40), st.text(max_size=20))
def test_no_text_is_more_than_the_reader_can_take(lines: list[str], name: str) -> None:
    listings = Listings()
    listings.add((line + "\n" for line in lines), name)

    for place in listings.places():
        for record in listings.records(place):
            assert record.keys is not None
            for key in record.keys:
                assert role_of(record.object_name, key) is not KeyRole.FOREIGN
