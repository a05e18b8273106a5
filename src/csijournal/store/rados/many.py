"""Reading many objects: a bounded number of reads are under way at a time."""

from __future__ import annotations

import errno
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from csijournal.store.contract import Entries
from csijournal.store.rados.access import Opened, PoolAccess
from csijournal.store.rados.binding import Completion, OmapAnswer, ReadOp, import_rados
from csijournal.store.rados.errors import Operation
from csijournal.store.rados.keys import page_of
from csijournal.store.rados.reading import Reader
from csijournal.store.rados.requests import entries_of, is_whole, whole

READS_UNDER_WAY_MAX = 64
"""How many objects are asked for at a time: enough to hide the round trips, and bounded."""


@dataclass(frozen=True, eq=False)
class _Started:
    """An asynchronous read; librados fills `answers` until `completion` is complete."""

    object_name: str
    opened: Opened
    operation: ReadOp
    answers: list[OmapAnswer]
    completion: Completion

    def forget(self) -> None:
        """Give back what librados wrote the answer into; only once it is complete."""
        self.operation.release()
        self.opened.connection.reads_under_way.discard(self)


class ReaderOfMany:
    """Reads whole objects, one after the other for its caller, and ahead of it."""

    def __init__(self, access: PoolAccess, reader: Reader) -> None:
        self._access = access
        self._reader = reader

    def read(
        self, object_names: Iterable[str], sentinel: str
    ) -> Iterator[tuple[str, Entries | None]]:
        """`Reader.whole` of many objects in order, with a bounded number of reads under way."""
        waiting: deque[_Started] = deque()
        try:
            for object_name in object_names:
                waiting.append(self._start(object_name, sentinel))
                if len(waiting) >= READS_UNDER_WAY_MAX:
                    yield self._finish(waiting.popleft(), sentinel)
            while waiting:
                yield self._finish(waiting.popleft(), sentinel)
        finally:
            # librados writes into the answers until a read is complete; they are kept for it.
            for started in waiting:
                started.opened.connection.left_reads.append(started)

    def _start(self, object_name: str, sentinel: str) -> _Started:
        rados = import_rados()
        with self._access.using() as opened:
            opened.connection.forget_left_reads()
            with self._access.errors(opened, Operation.READ, object_name):
                operation: ReadOp = rados.ReadOpCtx().create()
                try:
                    answers = [request.add(opened.ioctx, operation) for request in whole(sentinel)]
                    completion = opened.ioctx.operate_aio_read_op(operation, object_name)
                except BaseException:
                    operation.release()
                    raise
            started = _Started(object_name, opened, operation, answers, completion)
            opened.connection.reads_under_way.add(started)
            return started

    def _finish(self, started: _Started, sentinel: str) -> tuple[str, Entries | None]:
        object_name, opened, completion = (
            started.object_name,
            started.opened,
            started.completion,
        )
        if not completion.is_complete():
            opened.connection.call(completion.wait_for_complete)
        started.forget()
        with opened, self._access.errors(opened, Operation.READ, object_name):
            result = completion.get_return_value()
            if result == -errno.ENOENT:
                self._access.require_pool(opened)
                return object_name, None
            if result < 0:
                raise self._access.failed(result, opened, Operation.READ, object_name)
            pages = [page_of(answer) for answer in started.answers]
        if is_whole(pages, sentinel):
            return object_name, Entries(entries_of(pages))
        # A completed asynchronous read does not tell its version, so this starts again.
        return object_name, self._reader.whole(object_name, sentinel)
