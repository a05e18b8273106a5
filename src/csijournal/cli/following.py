"""From a text to all that it can mean, and to the records around that."""

from __future__ import annotations

from collections.abc import Iterator

from csijournal.check.referrers import Referrer, Search, Sought
from csijournal.check.relations import Relation, searched_for, sought_of
from csijournal.cli.options import Settings
from csijournal.cli.progress import Bar, Position
from csijournal.cli.resolve import require_a_name
from csijournal.cli.stories import AnyStory, Told, Tracker
from csijournal.store import Store
from csijournal.wire.schema import AnySchema

_RELATIONS = frozenset({"member", "source", "backing snapshot", "group"})
"""How one record refers to another."""


def tell_all(
    store: Store, settings: Settings, what: str, *, referrers: bool
) -> tuple[list[Told], Search]:
    """The stories of all that `what` can mean, and the search where one was made."""
    schemas = settings.schemas
    tracker = Tracker(store, settings.instance_id, schemas)
    tracker.follow_names(what)
    if not (referrers or tracker.told):
        require_a_name(what, max(schema.name_bytes_max for schema in schemas))
    wanted = _journals_around(tracker.told, schemas, full=referrers)
    by_name = Sought.of([what])
    search = Search(
        store,
        settings.instance_id,
        _widened(by_name, tracker.told),
        schemas=[
            schema
            for schema in reversed(schemas)  # volumes last: they are the most
            if referrers or not tracker.told or schema in wanted
        ],
        full=referrers,
        seconds_max=tracker.seconds_left,
    )
    known = list(tracker.told)
    for referrer in _watched(search):
        listed = _attribute(referrer, known)
        if (referrers or not known) and not listed and _is_named(referrer, by_name):
            tracker.follow_referrer(referrer)
    for one in known:
        one.searched = tuple(
            schema for schema in search.schemas if schema in around(one, full=referrers)
        )
        one.all_searched = search.complete
    return tracker.told, search


def around(one: Told, *, full: bool) -> set[AnySchema]:
    """The journals in which referrers of one record are searched for."""
    return searched_for(one.story, one.refers_to, full=full) if one.story else set()


def _journals_around(
    told: list[Told], schemas: tuple[AnySchema, ...], *, full: bool
) -> set[AnySchema]:
    return {schema for one in told for schema in around(one, full=full) if schema in schemas}


def _widened(sought: Sought, told: list[Told]) -> Sought:
    """What is searched for, and all by which others may refer to what was found."""
    stories = [sought_of(one.story) for one in told if one.story]
    return Sought(
        sought.texts.union(*(one.texts for one in stories)),
        sought.uuids.union(*(one.uuids for one in stories)),
    )


def _is_named(referrer: Referrer, sought: Sought) -> bool:
    """Whether the referrer names what was asked for, and not only what that has led to."""
    if referrer.how == "entry":
        return referrer.uuid in sought.uuids
    return any(map(sought.is_meant, referrer.texts))


def _attribute(referrer: Referrer, told: list[Told]) -> bool:
    """List the referrer with those that it refers to; whether there are any."""
    if referrer.how not in _RELATIONS:
        return False
    meant = [one for one in told if one.story and _refers_to(referrer, one.story)]
    relation = Relation.of_referrer(referrer)
    for one in meant:
        if relation not in one.referred_to_by:
            one.referred_to_by.append(relation)
    return bool(meant)


def _refers_to(referrer: Referrer, story: AnyStory) -> bool:
    return any(map(sought_of(story).is_meant, referrer.texts))


def _watched(search: Search) -> Iterator[Referrer]:
    bar = Bar(lambda: Position("searching records", search.records, None))
    with bar.shown():
        yield from search.run()
