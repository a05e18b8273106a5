"""What `rados listomapvals` and `rados getomapval` print, written anew after Ceph's own code.

`src/tools/rados/rados.cc` and `hexdump` in `src/common/buffer.cc`: rows of 16
bytes, a `*` for rows that repeat one byte as the row before, and the length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping


def hexdump(data: bytes) -> str:
    """The dump, which for no bytes is empty."""
    if not data:
        return ""
    return "\n".join([*_rows(data), f"{len(data):08x}"]) + "\n"


def _rows(data: bytes) -> Iterator[str]:
    before, starred = b"", False
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        is_last = offset + 16 >= len(data)
        if row == before and len(set(row)) == 1 and not is_last:
            if not starred:
                yield "*"
            starred = True
            continue
        before, starred = row, False
        left, right = (" ".join(f"{byte:02x}" for byte in half) for half in (row[:8], row[8:]))
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        yield f"{offset:08x}  {left:<23}  {right:<23}  |{shown}|"


def value(data: bytes) -> str:
    """What getomapval prints."""
    return f"value ({len(data)} bytes) :\n{hexdump(data)}\n"


def listing(omap: Mapping[bytes, bytes]) -> str:
    """What listomapvals prints; the empty key is not among it."""
    return "".join(_key(key) + value(omap[key]) for key in sorted(omap) if key)


def _key(key: bytes) -> str:
    if all(32 <= byte < 127 for byte in key):
        return f"{key.decode()}\n"
    return f"key ({len(key)} bytes):\n{hexdump(key)}\n"
