"""An archive keeps every byte, and one that was cut short or altered is refused."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import re
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from csijournal.archive import Archive, ArchiveWriter, ImageInUse, Record
from csijournal.errors import InvalidArchive
from support.texts import HOSTILE_KEYS, UNSTORABLE

RECORDS = [
    Record("csi.groups.default", {}),
    Record("csi.groups.default", {"csi.volume.group.a": b"x", "gone": None, "é\n\x01": b""}),
    Record("csi.volume.group.1", {"csi.volname": b"a", "vol": b"\xff\x00", "v": b"{}"}, whole=True),
    Record("csi.volume.group.2", {}, whole=True),
    Record("csi.volume.group.3", None, whole=True),
]


def archive_of(*records: Record, kind: str = "export") -> bytes:
    stream = io.BytesIO()
    with ArchiveWriter(stream, kind=kind, place="memory:") as writer:
        for record in records:
            writer.write(record)
    return stream.getvalue()


ARCHIVE = archive_of(*RECORDS)
LINES = ARCHIVE.splitlines(keepends=True)


def sealed(*lines: object) -> bytes:
    """Lines with a checksum that is right for them."""
    data = b"".join(
        line if isinstance(line, bytes) else json.dumps(line).encode() + b"\n" for line in lines
    )
    end = {"lines": len(lines), "sha256": hashlib.sha256(data).hexdigest()}
    return data + json.dumps(end).encode() + b"\n"


def check_archive(path: Path) -> str:
    with path.open("rb") as file:
        return Archive(file, str(path)).check()


def read_archive(path: Path) -> list[Record]:
    with path.open("rb") as file:
        archive = Archive(file, str(path))
        archive.check()
        return list(archive.records())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "archive.jsonl"


def require_refused(path: Path, data: bytes, match: str | None = None) -> None:
    path.write_bytes(data)
    with pytest.raises(InvalidArchive, match=match) as caught:
        check_archive(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


# Whole ones


def test_what_was_written_is_read(path: Path) -> None:
    path.write_bytes(ARCHIVE)
    assert check_archive(path) == "export"
    assert read_archive(path) == RECORDS


def test_an_archive_of_nothing_is_complete(path: Path) -> None:
    path.write_bytes(archive_of(kind="backup"))
    assert check_archive(path) == "backup"
    assert read_archive(path) == []


def test_the_header_says_what_when_and_where() -> None:
    header = json.loads(LINES[0])
    assert header.keys() == {"csijournal", "format", "created", "place"}
    assert (header["csijournal"], header["format"], header["place"]) == ("export", 2, "memory:")


keys = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
entries = st.dictionaries(keys, st.none() | st.binary(), max_size=5)
records = st.builds(Record, keys, st.none() | entries, st.booleans())


@settings(deadline=None)
@given(st.lists(records, max_size=5))
def test_any_record_comes_back_as_it_was(given_records: list[Record]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "archive"
        path.write_bytes(archive_of(*given_records))
        check_archive(path)
        assert read_archive(path) == given_records


@pytest.mark.parametrize("key", HOSTILE_KEYS, ids=ascii)
def test_any_name_that_a_store_can_hold_survives(key: str) -> None:
    record = Record(key, {key: key.encode()})
    assert Record.from_line(record.to_line()) == record


@pytest.mark.parametrize(
    "value", [b"", b"\xff", b"\x00", b'{"base64": "AA=="}', b"null", "\u2028\n".encode()]
)
def test_any_value_survives(value: bytes) -> None:
    record = Record("x", {"k": value}, whole=True)
    assert Record.from_line(record.to_line()) == record
    assert "\n" not in record.to_line()


# Broken ones


def test_an_archive_cut_anywhere_is_refused(path: Path) -> None:
    for length in range(len(ARCHIVE)):
        require_refused(path, ARCHIVE[:length])


def test_an_archive_with_any_byte_altered_is_refused(path: Path) -> None:
    for position, byte in enumerate(ARCHIVE):
        others = {byte ^ 1 << bit for bit in range(8)} | set(b' \t\n\r0"\\{')
        for other in others - {byte}:
            require_refused(path, ARCHIVE[:position] + bytes([other]) + ARCHIVE[position + 1 :])


@pytest.mark.parametrize("number", range(len(LINES)))
def test_an_archive_with_a_line_dropped_or_doubled_is_refused(path: Path, number: int) -> None:
    require_refused(path, b"".join(LINES[:number] + LINES[number + 1 :]))
    require_refused(path, b"".join(LINES[: number + 1] + LINES[number:]))


def test_an_archive_with_two_lines_swapped_is_refused(path: Path) -> None:
    for first, second in itertools.combinations(range(len(LINES)), 2):
        lines = list(LINES)
        lines[first], lines[second] = lines[second], lines[first]
        require_refused(path, b"".join(lines))


@settings(deadline=None, max_examples=300)
@given(st.data())
def test_an_archive_with_anything_put_in_or_taken_out_is_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(ARCHIVE)))
    end = data.draw(st.integers(start, len(ARCHIVE)))
    put = data.draw(st.binary(max_size=20) | st.sampled_from([ARCHIVE, *LINES]))
    altered = ARCHIVE[:start] + put + ARCHIVE[end:]
    if altered != ARCHIVE:
        with TemporaryDirectory() as folder:
            require_refused(Path(folder) / "archive", altered)


def test_an_archive_whose_writing_failed_is_refused(path: Path) -> None:
    with (
        suppress(ZeroDivisionError),
        path.open("wb") as file,
        ArchiveWriter(file, kind="export", place="") as writer,
    ):
        writer.write(RECORDS[0])
        raise ZeroDivisionError
    require_refused(path, path.read_bytes(), "stops after line 2 without its checksum")


HEADER = json.loads(LINES[0])


@pytest.mark.parametrize(
    "line",
    [
        {},
        [],
        7,
        {"object": "x"},
        {"object": ["x"], "keys": {}},
        {"object": None, "keys": {}},
        {"object": "x", "keys": []},
        {"object": "x", "keys": "abc"},
        {"object": "x", "keys": {"k": 7}},
        {"object": "x", "keys": {"k": {"base64": "!"}}},
        {"object": "x", "keys": {"k": {"base64": 7}}},
        {"object": "x", "keys": {"k": {"base64": "", "more": ""}}},
        {"object": "x", "keys": {"k": "\udc00"}},
        b"\xff\n",
        b"[" * 100_000 + b"\n",
        b"\n",
        *({"object": name, "keys": {}} for name in UNSTORABLE),
        *({"object": "x", "keys": {name: ""}} for name in UNSTORABLE if name),
        {"object": "csi.groups.default", "journal": "volumes", "keys": {}},
        {"object": "x", "keys": {}, "step": "1"},
        {"object": "x", "keys": {}, "names": "abc"},
    ],
    ids=lambda line: ascii(line)[:40],
)
def test_a_line_that_is_no_record_is_refused_whatever_the_checksum_says(
    path: Path, line: object
) -> None:
    require_refused(path, sealed(HEADER, line), "line 2 is not a record")


@pytest.mark.parametrize(
    "header", [{}, [], None, {"csijournal": "export"}, {"csijournal": "", "format": 1}, b"\xff\n"]
)
def test_a_file_without_our_header_is_refused(path: Path, header: object) -> None:
    require_refused(path, sealed(header), "first line is not the header")


def test_an_archive_of_a_later_format_is_refused_with_what_to_do(path: Path) -> None:
    require_refused(path, sealed(HEADER | {"format": 3}), "format 3")


def test_a_line_that_is_missing_is_told_from_one_that_was_altered(path: Path) -> None:
    require_refused(path, b"".join(LINES[:-1]), "stops after line 6")
    require_refused(path, b"".join(LINES[:3] + LINES[4:]), "do not match its checksum")
    require_refused(path, ARCHIVE + b"\n", "line 8 comes after its end")


# Format 1, the empty key, the journal


def test_an_archive_of_format_1_is_read(path: Path) -> None:
    """As csijournal 0.1 before this format wrote it."""
    path.write_bytes(
        sealed(
            {"csijournal": "backup", "format": 1, "created": "2026-11-23T05:16:04Z", "place": "x"},
            {"object": "csi.groups.default", "keys": {"csi.volume.group.a": None}},
            {"object": "csi.volume.group.1", "keys": {"v": {"base64": "/w=="}}, "whole": True},
        )
    )
    assert check_archive(path) == "backup"
    assert read_archive(path) == [
        Record("csi.groups.default", {"csi.volume.group.a": None}),
        Record("csi.volume.group.1", {"v": b"\xff"}, whole=True),
    ]


def test_the_empty_key_is_kept(path: Path) -> None:
    """Ceph-CSI's CephFS driver writes a snapshot's owner there."""
    record = Record("csi.snap.8857a21c-fc4f-4577-98f4-a7b5f055388e", {"": b"owner"}, whole=True)
    path.write_bytes(archive_of(record))
    assert read_archive(path) == [record]
    assert json.loads(path.read_bytes().splitlines()[1])["journal"] == "snapshots"


# Backups that grow


def growing(*batches: list[Record], undone: list[int], finish: bool = True) -> bytes:
    """A backup of several batches; `undone` are steps of the last."""
    stream = io.BytesIO()
    writer = ArchiveWriter(stream, kind="backup", place="memory:")
    for batch in batches:
        for record in batch:
            writer.write(record)
        writer.seal()
    writer.note_undone(undone)
    if finish:
        writer.finish()
    return stream.getvalue()


def batch_ends(data: bytes) -> list[int]:
    """Where each checksum of a backup ends."""
    return [found.end() for found in re.finditer(rb'\{"lines": .*\n', data)]


def step(number: int) -> Record:
    return Record(f"csi.volume.group.{number}", {"k": b"x"}, whole=True, step=number, names=("n",))


def test_the_batches_of_a_backup_are_restored_in_reverse_without_what_was_not_done(
    path: Path,
) -> None:
    path.write_bytes(growing([step(1), step(2)], [step(3), step(4), step(5)], undone=[4]))
    assert read_archive(path) == [step(3), step(5), step(1), step(2)]


def test_a_backup_cut_anywhere_holds_its_whole_batches_or_is_refused(path: Path) -> None:
    first, second = [step(1), step(2)], [step(3), step(4)]
    data = growing(first, second, undone=[4])
    ends = batch_ends(data)
    for length in range(len(data)):
        path.write_bytes(data[:length])
        if length < ends[0]:
            require_refused(path, data[:length])
        elif length < ends[1]:
            assert read_archive(path) == first
        else:
            assert read_archive(path) == second + first


def test_zeros_behind_the_last_batch_as_a_power_cut_leaves_them_are_left_out(path: Path) -> None:
    path.write_bytes(growing([step(1)], undone=[], finish=False) + bytes(5000))
    assert read_archive(path) == [step(1)]


def test_a_backup_altered_before_its_last_checksum_is_refused(path: Path) -> None:
    """What is altered behind it reads as the batch that was under way when its writer died."""
    data = growing([step(1)], [step(2)], [step(3)], undone=[])
    good = batch_ends(data)[1]
    for position, byte in enumerate(data):
        altered = data[:position] + bytes([byte ^ 1]) + data[position + 1 :]
        if position < good - 1:
            require_refused(path, altered)
        else:
            path.write_bytes(altered)
            with suppress(InvalidArchive):
                assert read_archive(path)[-2:] == [step(2), step(1)]


def test_a_file_that_is_cut_after_it_was_checked_is_told(path: Path) -> None:
    path.write_bytes(ARCHIVE)
    with path.open("rb", buffering=0) as file:
        archive = Archive(file, "a.jsonl")
        archive.check()
        path.write_bytes(ARCHIVE[: len(ARCHIVE) // 2])
        with pytest.raises(InvalidArchive, match=r"a\.jsonl was changed while it was read"):
            list(archive.records())


IMAGE = ImageInUse("csi-vol-\u00e9\n", "10a9", "rados://rbd", step=1, names=("pvc-1",))


def backup_of(*written: Record | ImageInUse, kind: str = "backup") -> bytes:
    stream = io.BytesIO()
    with ArchiveWriter(stream, kind=kind, place="memory:") as writer:
        for one in written:
            writer.write(one)
    return stream.getvalue()


def test_a_backup_keeps_images_beside_its_records(path: Path) -> None:
    path.write_bytes(backup_of(IMAGE, step(2)))
    with path.open("rb") as file:
        archive = Archive(file, "a.jsonl")
        archive.check()
        assert list(archive.images()) == [IMAGE]
        assert list(archive.records()) == [step(2)]


def test_an_image_of_a_step_that_was_not_done_is_left_out(path: Path) -> None:
    stream = io.BytesIO()
    with ArchiveWriter(stream, kind="backup", place="memory:") as writer:
        writer.write(IMAGE)
        writer.write(step(2))
        writer.seal()
        writer.note_undone([1])
    path.write_bytes(stream.getvalue())
    with path.open("rb") as file:
        archive = Archive(file, "a.jsonl")
        archive.check()
        assert list(archive.images()) == []
        assert list(archive.records()) == [step(2)]


@pytest.mark.parametrize(
    "line",
    [
        b'{"image": "a", "id": "", "place": "p", "step": 1, "names": []}\n',
        b'{"image": "a", "id": "1", "place": "p", "step": "1", "names": []}\n',
        b'{"image": "a", "id": "1", "place": "p", "step": 1, "names": [2]}\n',
        b'{"image": "a", "id": "1"}\n',
    ],
)
def test_a_line_of_an_image_that_is_not_whole_is_refused(path: Path, line: bytes) -> None:
    header = backup_of().splitlines(keepends=True)[0]
    digest = hashlib.sha256(header + line).hexdigest()
    end = json.dumps({"lines": 2, "sha256": digest, "end": True}).encode() + b"\n"
    require_refused(path, header + line + end)


def test_an_export_has_no_images(path: Path) -> None:
    require_refused(path, backup_of(IMAGE, kind="export"))
