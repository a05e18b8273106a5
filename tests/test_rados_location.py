"""From words and URLs to a place on a Ceph cluster; none of this needs one."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from csijournal import open_store
from csijournal.errors import InvalidStoreURL, PlaceNotFound, PlaceUnusable
from csijournal.store.rados.location import RADOSLocation
from csijournal.store.urls import rados_location

SECRET = "AQB7wgNrZk9MKxAAvNdokgk+aiBCTqaeit8elw=="  # noqa: S105 - nobody's


def located(url: str) -> RADOSLocation:
    return rados_location(urlsplit(url))


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("rados://pool", RADOSLocation("pool")),
        ("rados://pool/", RADOSLocation("pool")),
        ("rados://P.1/ns?id=admin", RADOSLocation("P.1", namespace="ns", name="client.admin")),
        ("rados://pool?namespace=a/b", RADOSLocation("pool", namespace="a/b")),
        ("rados://pool/a%2Fb%20c", RADOSLocation("pool", namespace="a/b c")),
        ("rados://a%3Ab%25", RADOSLocation("a:b%")),
        ("rados://pool/ns?namespace=ns", RADOSLocation("pool", namespace="ns")),
        ("rados://pool?namespace=&driver=cephfs", RADOSLocation("pool", None, "", driver="cephfs")),
        ("rados://?pool-id=7&name=client.x", RADOSLocation(pool_id=7, name="client.x")),
        ("rados:///ns?pool-id=7", RADOSLocation(pool_id=7, namespace="ns")),
        ("rados://p?conf=/a.conf&timeout=5", RADOSLocation("p", conf="/a.conf", timeout_seconds=5)),
        ("rados://p?mon=a:1,b:2&keyfile=/k", RADOSLocation("p", monitors="a:1,b:2", keyfile="/k")),
        (
            "rados://p?csi-config=/c.json&cluster-id=c&driver=cephfs&keyring=/k",
            RADOSLocation("p", csi_config="/c.json", cluster_id="c", driver="cephfs", keyring="/k"),
        ),
    ],
)
def test_a_url_says_where(url: str, location: RADOSLocation) -> None:
    assert located(url) == location
    assert located(location.url) == location


@pytest.mark.parametrize(
    "url",
    [
        "rados:",
        "rados:pool",
        "rados://",
        "rados://pool?pool-id=1",
        "rados://?pool-id=x",
        "rados://?pool-id=-1",
        "rados://pool/a?namespace=b",
        "rados://pool?pool=other",
        "rados://pool?id=a&name=client.a",
        "rados://pool?name=a",
        "rados://pool?name=client.",
        "rados://pool?timeout=-1",
        "rados://pool?timeout=soon",
        "rados://pool?timeout=inf",
        "rados://pool?color=blue",
        "rados://pool?conf",
        "rados://pool?driver=nfs",
        "rados://pool?csi-config=/c",
        "rados://pool?cluster-id=c",
        "rados://pool?csi-config=/c&cluster-id=c&mon=m",
        "rados://pool?csi-config=/c&cluster-id=c&conf=/c",
        "rados://pool?conf=/c&mon=m",
        "rados://pool?keyring=/a&keyfile=/b",
        "rados://pool#part",
    ],
)
def test_an_odd_url_is_refused(url: str) -> None:
    with pytest.raises(InvalidStoreURL):
        open_store(url)


@pytest.mark.parametrize(
    "url",
    [
        f"rados://pool?key={SECRET}",
        f"rados://pool/ns?id=admin&key={SECRET}#x",
        f"rados://admin:{SECRET}@pool",
        f"unknown://pool?key={SECRET}",
    ],
)
def test_a_key_in_a_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(InvalidStoreURL, match="CSIJOURNAL_KEY") as caught:
        open_store(url)
    assert SECRET[:8] not in repr(caught.value) + str(caught.value)
    with pytest.raises(InvalidStoreURL, match="CSIJOURNAL_KEY") as caught:
        RADOSLocation.from_words({"pool": "p", "key": SECRET})
    assert SECRET[:8] not in repr(caught.value) + str(caught.value)


def test_the_place_tells_pool_and_namespace_alone() -> None:
    with open_store("rados://pool/a%2Fb?mon=m&id=x") as store:
        assert store.place == "rados://pool/a%2Fb"
    with open_store("rados://?pool-id=7&namespace=n") as store:
        assert store.place == "rados:///n?pool-id=7"


def test_the_usual_namespace_is_the_driver_s() -> None:
    assert RADOSLocation("p").resolved({}).namespace == ""
    assert RADOSLocation("p", driver="cephfs").resolved({}).namespace == "csi"
    assert RADOSLocation("p", namespace="", driver="cephfs").resolved({}).namespace == ""
    assert RADOSLocation("p", namespace="n", driver="cephfs").resolved({}).namespace == "n"


def test_a_cluster_id_stands_for_monitors_and_namespace(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    entry = {"clusterID": "c", "monitors": ["m1", "m2:6789"], "cephFS": {"radosNamespace": "f"}}
    config.write_text(json.dumps([entry, {"clusterID": "none"}]))
    location = RADOSLocation("p", csi_config=str(config), cluster_id="c", driver="cephfs")
    found = location.resolved({})
    assert (found.monitors, found.namespace) == ("m1,m2:6789", "f")
    with pytest.raises(PlaceNotFound, match="It has: c, none"):
        RADOSLocation("p", csi_config=str(config), cluster_id="d").resolved({})
    with pytest.raises(PlaceUnusable, match="no monitors"):
        RADOSLocation("p", csi_config=str(config), cluster_id="none").resolved({})


def test_the_key_comes_from_a_file_or_the_environment_and_is_shown_nowhere(tmp_path: Path) -> None:
    keyfile = tmp_path / "key"
    keyfile.write_text(f"{SECRET}\n")
    from_file = RADOSLocation("p", keyfile=str(keyfile)).resolved({"CSIJOURNAL_KEY": "other"})
    from_variable = RADOSLocation("p").resolved({"CSIJOURNAL_KEY": SECRET})
    for found in (from_file, from_variable):
        assert found.key == SECRET
        assert SECRET[:8] not in repr(found) + str(found) + found.url
    assert RADOSLocation("p", keyring="/k").resolved({"CSIJOURNAL_KEY": SECRET}).key is None
    assert RADOSLocation("p").resolved({"CSIJOURNAL_KEY": ""}).key is None


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_key_file_without_a_key_is_told(tmp_path: Path, content: bytes) -> None:
    keyfile = tmp_path / "key"
    keyfile.write_bytes(content)
    with pytest.raises(PlaceUnusable, match="holds no key"):
        RADOSLocation("p", keyfile=str(keyfile)).resolved({})
    with pytest.raises(PlaceNotFound, match="no key file"):
        RADOSLocation("p", keyfile=str(tmp_path / "nowhere")).resolved({})


def test_empty_words_count_as_missing() -> None:
    assert RADOSLocation.from_words({"pool": "p", "conf": "", "id": ""}) == RADOSLocation("p")
