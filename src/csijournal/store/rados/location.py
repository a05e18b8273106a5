"""Where on which Ceph cluster a journal lies, in the words of a URL or of command-line options."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from urllib.parse import quote, urlencode

from csijournal.errors import InvalidStoreURL, PlaceUnusable
from csijournal.store.rados.csi_config import (
    CEPHFS_NAMESPACE,
    RBD_NAMESPACE,
    SUBVOLUME_GROUP,
    CephCluster,
    find_cluster,
)
from csijournal.store.rados.files import read_small
from csijournal.store.rados.login import Login
from csijournal.store.timeouts import SECONDS_MAX, parse_timeout

KEY_VARIABLE = "CSIJOURNAL_KEY"
"""The environment variable that may hold the user's key."""
DRIVERS = {"rbd": RBD_NAMESPACE, "cephfs": CEPHFS_NAMESPACE}
"""The drivers with the namespaces that their journals have unless told otherwise."""
_ALL_NAMESPACES = "\x01"
"""librados.h: LIBRADOS_ALL_NSPACES."""
WORDS = (
    "pool",
    "pool-id",
    "namespace",
    "conf",
    "id",
    "name",
    "keyring",
    "keyfile",
    "mon",
    "timeout",
    "csi-config",
    "cluster-id",
    "driver",
)
"""What can be said about a location: the options of a URL, and those of the command line."""


@dataclass(frozen=True)
class RADOSLocation:
    """A pool and namespace, and how to reach them; `key` is a secret and in no text.

    `pool` or `pool_id` names the pool.  `namespace` None is the usual one of
    `driver`.  `name` is the user's full name, client.admin.  `csi_config` names
    a Ceph-CSI config.json in which `cluster_id` stands for monitors and
    namespace.  `keyfile` holds nothing but the key.
    """

    pool: str = ""
    pool_id: int | None = None
    namespace: str | None = None
    conf: str | None = None
    name: str | None = None
    keyring: str | None = None
    keyfile: str | None = None
    key: str | None = field(default=None, repr=False)
    monitors: str | None = None
    timeout_seconds: float = 30.0
    csi_config: str | None = None
    cluster_id: str | None = None
    driver: str = "rbd"

    def __post_init__(self) -> None:
        self._require_names()
        _require(bool(self.pool) != (self.pool_id is not None), "names no pool, or one twice")
        _require(
            (self.csi_config is None) == (self.cluster_id is None),
            "needs csi-config and cluster-id together",
        )
        _require(
            self.monitors is None or self.csi_config is None, "names monitors twice (csi-config)"
        )
        _require(
            self.conf is None or (self.monitors is None and self.csi_config is None),
            "names a configuration file and monitors, which are two ways to the cluster",
        )
        _require(
            self.keyring is None or self.keyfile is None, "names both a keyring and a key file"
        )
        _require(self.driver in DRIVERS, f"has an unknown driver, {self.driver!r}: rbd or cephfs")
        if self.name is not None:
            kind, dot, user = self.name.partition(".")
            _require(
                bool(kind and dot and user),
                f"has the user name {self.name!r}, which is not like client.admin",
            )

    def _require_names(self) -> None:
        """Refuse what librados would cut: it takes names as C strings, which end at U+0000."""
        for field_ in fields(self):
            text = getattr(self, field_.name)
            _require(
                not isinstance(text, str) or "\0" not in text,
                f"holds U+0000 in its {field_.name.replace('_', ' ')}",
            )
        _require(
            self.namespace != _ALL_NAMESPACES,
            "has the namespace U+0001, by which librados means all namespaces",
        )

    @classmethod
    def from_words(cls, words: Mapping[str, str]) -> RADOSLocation:
        """The location that `words` (of `WORDS`) describe; empty values count as missing.

        Raises InvalidStoreURL.
        """
        given = {word: value for word, value in words.items() if value}
        if "key" in given:
            raise InvalidStoreURL(
                "a key must not stand in a URL or on a command line, where others can read it",
                hint=f"Put it into a keyring, a key file, or the variable {KEY_VARIABLE}",
            )
        for word in given:
            _require(word in WORDS, f"has the unknown option {word!r}")
        _require(not ("id" in given and "name" in given), "has both id and name")
        name = f"client.{given['id']}" if "id" in given else given.get("name")
        return cls(
            pool=given.get("pool", ""),
            pool_id=_whole_number(given["pool-id"]) if "pool-id" in given else None,
            namespace=words.get("namespace"),
            conf=given.get("conf"),
            name=name,
            keyring=given.get("keyring"),
            keyfile=given.get("keyfile"),
            monitors=given.get("mon"),
            timeout_seconds=_seconds(given.get("timeout", "30")),
            csi_config=given.get("csi-config"),
            cluster_id=given.get("cluster-id"),
            driver=given.get("driver", "rbd"),
        )

    @property
    def url(self) -> str:
        """The URL that says all of this but the key."""
        namespace = f"/{quote(self.namespace, safe='')}" if self.namespace else ""
        words = {
            "pool-id": None if self.pool_id is None else str(self.pool_id),
            "namespace": "" if self.namespace == "" else None,
            "conf": self.conf,
            "name": self.name,
            "keyring": self.keyring,
            "keyfile": self.keyfile,
            "mon": self.monitors,
            "timeout": None if self.timeout_seconds == 30 else f"{self.timeout_seconds:g}",  # noqa: PLR2004 - the default
            "csi-config": self.csi_config,
            "cluster-id": self.cluster_id,
            "driver": None if self.driver == "rbd" else self.driver,
        }
        query = urlencode({word: value for word, value in words.items() if value is not None})
        return f"rados://{quote(self.pool, safe='')}{namespace}" + (f"?{query}" if query else "")

    @property
    def login(self) -> Login:
        """What is needed to reach the cluster, of a location that is resolved."""
        return Login(
            conf=self.conf,
            name=self.name,
            keyring=self.keyring,
            monitors=self.monitors,
            key=self.key,
            timeout_seconds=self.timeout_seconds,
        )

    @property
    def found_namespace(self) -> str:
        """The namespace, where none is named that of the driver.  Raises as `resolved` does."""
        if self.namespace is not None:
            return self.namespace
        cluster = self._configured()
        return DRIVERS[self.driver] if cluster is None else cluster.namespace(self.driver)

    def resolved(self, environment: Mapping[str, str] = os.environ) -> RADOSLocation:
        """With the key, monitors and namespace that files and the environment tell.

        Raises what `find_cluster` does, and the same for the key file.
        """
        cluster = self._configured()
        return RADOSLocation(
            pool=self.pool,
            pool_id=self.pool_id,
            namespace=self.found_namespace,
            conf=self.conf,
            name=self.name,
            keyring=self.keyring,
            key=self._found_key(environment),
            monitors=self.monitors if cluster is None else ",".join(cluster.monitors),
            timeout_seconds=self.timeout_seconds,
            driver=self.driver,
        )

    @property
    def subvolume_group(self) -> str:
        """The group of the driver's subvolumes: what config.json says, or else the usual one.

        Raises as `resolved` does.
        """
        cluster = self._configured()
        return SUBVOLUME_GROUP if cluster is None else cluster.subvolume_group

    def _configured(self) -> CephCluster | None:
        """What config.json says of the cluster id; None where none was given."""
        if self.csi_config is None or self.cluster_id is None:
            return None
        cluster = find_cluster(self.csi_config, self.cluster_id)
        if not cluster.monitors:
            # Without any, librados would go to the cluster of its own configuration.
            raise PlaceUnusable(f"{self.csi_config} has no monitors for {self.cluster_id}")
        return cluster

    def _found_key(self, environment: Mapping[str, str]) -> str | None:
        if self.key is not None:
            return self.key
        if self.keyfile is not None:
            return _key_in(self.keyfile)
        return None if self.keyring is not None else environment.get(KEY_VARIABLE) or None


def _key_in(path: str) -> str:
    try:
        key = read_small(path, "key file").decode("ascii").strip()
    except ValueError:
        key = ""
    if not key:
        # No cause is named: a decoding error would quote what the file holds.
        raise PlaceUnusable(f"the key file {path} holds no key")
    return key


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise _odd(problem)


def _odd(problem: str) -> InvalidStoreURL:
    return InvalidStoreURL(
        f"the Ceph location {problem}",
        hint="Like rados://POOL/NAMESPACE?id=admin; known options: " + ", ".join(WORDS),
    )


def _whole_number(text: str) -> int:
    _require(text.isascii() and text.isdigit(), f"has the pool id {text!r}, which is not a number")
    return int(text)


def _seconds(text: str) -> float:
    seconds = parse_timeout(text)
    if seconds is None:
        raise _odd(f"has the timeout {text!r}, which is not 0 to {SECONDS_MAX:,.0f} seconds")
    return seconds
