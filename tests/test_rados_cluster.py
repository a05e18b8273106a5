"""One login, many places: what is shared between stores, and what is not."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import pytest

from cluster import ThrowawayCluster
from csijournal.check.listing import Depth
from csijournal.cli.namespaces import Namespaces
from csijournal.cli.options import Settings
from csijournal.errors import PlaceNotFound, PlaceUnusable
from csijournal.store import ObjectAbsent, Write
from csijournal.store.group_commit import GroupCommitStore
from csijournal.store.memory import MemoryStore
from csijournal.store.places import Places
from csijournal.store.rados.cluster import RADOSCluster
from csijournal.store.rados.listing import Lister
from csijournal.store.rados.login import Login
from csijournal.store.rados.pool import RADOSStore

pytestmark = pytest.mark.ceph
POOL = "one-login"
NAMESPACES = ("", "one", "two")


@pytest.fixture(scope="module")
def pool(ceph: ThrowawayCluster) -> str:
    ceph.create_pool(POOL)
    for namespace in NAMESPACES:
        with RADOSStore(POOL, namespace, conf=ceph.conf) as store:
            store.write(Write(f"csi.groups.{namespace or 'default'}", puts={"k": b"1"}))
            store.write(Write("other", puts={"k": b"1"}))
    return POOL


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[Login]:
    """The logins that connected."""
    connected: list[Login] = []
    original = Login.connect

    def connect(login: Login, *args: Any) -> Any:  # noqa: ANN401 - passed on
        connected.append(login)
        return original(login, *args)

    monkeypatch.setattr(Login, "connect", connect)
    return connected


@pytest.fixture
def cluster(ceph: ThrowawayCluster, logins: list[Login]) -> Iterator[RADOSCluster]:
    del logins
    with RADOSCluster(Login(conf=str(ceph.conf))) as cluster:
        yield cluster


def test_stores_of_many_places_share_a_login_between_threads(
    cluster: RADOSCluster, pool: str, logins: list[Login]
) -> None:
    stores = [cluster.store(pool, namespace) for namespace in NAMESPACES * 4]
    found: list[object] = []
    start = threading.Barrier(len(stores))

    def read(store: RADOSStore) -> None:
        start.wait()
        found.append(store.read_object("other"))

    threads = [threading.Thread(target=read, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"k": b"1"}] * len(stores)
    assert len(logins) == 1


def test_a_store_that_is_closed_leaves_the_login_to_the_others(
    cluster: RADOSCluster, pool: str
) -> None:
    one, two = cluster.store(pool, "one"), cluster.store(pool, "two")
    one.connect()
    one.close()
    with pytest.raises(PlaceUnusable, match=r"one-login/one is closed"):
        one.read_object("other")
    assert two.read_object("other") == {"k": b"1"}
    cluster.close()
    with pytest.raises(PlaceUnusable, match="closed"):
        two.read_object("other")


def test_one_missing_pool_does_not_spoil_the_login(cluster: RADOSCluster, pool: str) -> None:
    with pytest.raises(PlaceNotFound, match="no pool missing"):
        cluster.store("missing").connect()
    assert cluster.store(pool).read_object("other") == {"k": b"1"}


def test_places_opens_each_store_once_over_the_login_of_the_first(
    cluster: RADOSCluster, pool: str, logins: list[Login]
) -> None:
    home = GroupCommitStore(cluster.store(pool, "one"))
    pool_id = cluster.store(pool).pool_id
    with Places(home) as places:
        two = places.at(pool_id, "two")
        assert two is not None
        assert two is places.at(pool_id, "two")
        assert two.read_keys("csi.groups.two", ["k"]) == {"k": b"1"}
        missing = places.at(4711, "")
        assert missing is not None
        with pytest.raises(PlaceNotFound, match="id 4711"):
            missing.connect()
    with pytest.raises(PlaceUnusable, match="closed"):
        two.read_keys("csi.groups.two", ["k"])
    assert home.read_object("other") == {"k": b"1"}
    assert len(logins) == 1


def test_a_store_without_pools_has_no_places_beside_it() -> None:
    with MemoryStore() as home, Places(home) as places:
        assert places.at(1, "") is None


@pytest.mark.parametrize("by_url", [False, True])
def test_all_namespaces_are_looked_at_over_one_login_and_one_walk_through_the_pool(
    ceph: ThrowawayCluster,
    pool: str,
    logins: list[Login],
    monkeypatch: pytest.MonkeyPatch,
    by_url: bool,
) -> None:
    walks: list[str] = []
    original = Lister._walk

    def walk(lister: Lister, namespace: str) -> Any:  # noqa: ANN401 - passed on
        walks.append(namespace)
        return original(lister, namespace)

    monkeypatch.setattr(Lister, "_walk", walk)
    settings = Settings()
    settings.given = (
        {"store": f"rados://{pool}?conf={ceph.conf}"}
        if by_url
        else {"pool": pool, "conf": str(ceph.conf)}
    )
    found: dict[str, list[str]] = {}
    for chosen in Namespaces(settings, Depth.FULL):
        assert chosen.opener is not None
        with chosen.opener() as store:
            found[store.place] = sorted(store.object_names("csi."))
            assert store.read_object("other") == {"k": b"1"}
    assert found == {
        f"rados://{pool}": ["csi.groups.default"],
        f"rados://{pool}/one": ["csi.groups.one"],
        f"rados://{pool}/two": ["csi.groups.two"],
    }
    assert len(walks) == 1
    assert len(logins) == 1


def test_all_namespaces_are_found_without_a_listing_where_none_is_wanted(
    ceph: ThrowawayCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The usual ones and those of RBD's own list, as far as they hold a journal."""

    def walk(*_: object) -> NoReturn:
        raise AssertionError("the pool is listed")

    pool = "unlisted"
    ceph.create_pool(pool)
    with RADOSStore(pool, conf=ceph.conf) as store:
        store.write(Write("csi.groups.default", guards=(ObjectAbsent(),)))
        store.write(Write("rbd_namespace", puts={"name_rbd-ns": b"", "name_empty": b""}))
    for namespace in ("csi", "rbd-ns", "elsewhere"):
        with RADOSStore(pool, namespace, conf=ceph.conf) as store:
            store.write(Write("csi.groups.default", guards=(ObjectAbsent(),)))
    monkeypatch.setattr(Lister, "_walk", walk)
    settings = Settings()
    settings.given = {"pool": pool, "conf": str(ceph.conf)}
    names = [chosen.given["namespace"] for chosen in Namespaces(settings, Depth.QUICK)]
    assert names == ["", "csi", "rbd-ns"]


def test_a_listing_of_all_namespaces_that_takes_too_long_is_cut_short_and_said(
    ceph: ThrowawayCluster,
) -> None:
    pool = "cut-short"
    ceph.create_pool(pool)
    for namespace in ("", "csi", "elsewhere"):
        with RADOSStore(pool, namespace, conf=ceph.conf) as store:
            store.write(Write("csi.groups.default", guards=(ObjectAbsent(),)))
    settings = Settings()
    settings.given = {"pool": pool, "conf": str(ceph.conf)}
    for depth, cut_short, names in (
        (Depth.LIMITED, True, ["", "csi"]),
        (Depth.FULL, False, ["", "csi", "elsewhere"]),
    ):
        namespaces = Namespaces(settings, depth, monotonic=itertools.count(step=6).__next__)
        assert [chosen.given["namespace"] for chosen in namespaces] == names
        assert namespaces.cut_short is cut_short
