"""How to reach a Ceph cluster: configuration file, environment, user and key."""

from __future__ import annotations

import os
import shlex
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from struct import Struct
from types import ModuleType

from csijournal.errors import (
    AuthenticationFailed,
    PlaceNotFound,
    PlaceUnusable,
    StoreError,
)
from csijournal.store.rados.binding import Cluster
from csijournal.store.rados.errors import ErrorContext, Operation, translated
from csijournal.store.rados.files import require_parsable

_ADMIN = "client.admin"
_KEY_HEAD = Struct("<HIIH")


@dataclass(frozen=True)
class Login:
    """Everything that a connection needs but the pool; `key` is a secret."""

    conf: str | None = None
    name: str | None = None
    keyring: str | None = None
    monitors: str | None = None
    key: str | None = field(default=None, repr=False)
    timeout_seconds: float = 30.0

    @property
    def user(self) -> str:
        """The full name of the user, such as client.admin."""
        return self.name or _name_in_ceph_args(os.environ) or _ADMIN

    def connect(self, rados: ModuleType, context: ErrorContext) -> Cluster:
        """A connected handle of librados.

        Raises StoreUnreachable, AuthenticationFailed, PlaceNotFound for a
        configuration that is missing, and other StoreErrors.
        """
        self._require_readable_keyring()
        try:
            cluster: Cluster = rados.Rados(name=self.user)
            try:
                self._configure(rados, cluster)
                cluster.connect()
            except BaseException:
                cluster.shutdown()
                raise
        except StoreError:
            raise
        except (rados.Error, TypeError, ValueError) as error:
            raise translated(error, Operation.CONNECT, context) from error
        return cluster

    def _configure(self, rados: ModuleType, cluster: Cluster) -> None:
        has_file = self.monitors is None and self._read_file(rados, cluster)
        if not has_file:
            # Reading any file makes librados keep silent on stderr, where it might
            # even print a key; exceptions say what went wrong.
            cluster.conf_read_file(os.devnull)
        cluster.conf_parse_env()
        for option, value in self._settings().items():
            cluster.conf_set(option, value)
        self._notice_within_the_timeout(cluster)
        if not (has_file or cluster.conf_get("mon_host")):
            raise PlaceNotFound(
                "there is no Ceph configuration where librados looks for it",
                hint="Name the file (-c, or conf= in a URL), or the monitors (-m, or mon=),"
                " or set CEPH_CONF",
            )

    def _notice_within_the_timeout(self, cluster: Cluster) -> None:
        """Let librados ask for news of an OSD before it gives up an operation.

        It asks once an operation is older than `objecter_timeout`, 10 s.  If none
        gets so old, a client may never learn that its OSD was restarted.
        """
        if not self.timeout_seconds:
            return
        for option, share in (("objecter_timeout", 0.5), ("objecter_tick_interval", 0.2)):
            usual = float(cluster.conf_get(option) or self.timeout_seconds)
            cluster.conf_set(option, str(min(usual, share * self.timeout_seconds)))

    def _settings(self) -> dict[str, str]:
        # librados counts whole seconds here; 0 is no limit, so nothing is rounded down to it.
        seconds = str(ceil(self.timeout_seconds))
        timeouts = ("rados_osd_op_timeout", "rados_mon_op_timeout", "client_mount_timeout")
        settings = dict.fromkeys(timeouts, seconds)
        if self.monitors is not None:
            settings["mon_host"] = self.monitors
        if self.keyring is not None:
            settings["keyring"] = self.keyring
        if self.key is not None:
            settings["key"] = self._checked_key(self.key)
        return settings

    def _checked_key(self, key: str) -> str:
        """`key` itself.  Raises AuthenticationFailed, without it, where it is none."""
        try:
            decoded = b64decode(key, validate=True)
        except ValueError:
            decoded = b""
        # Type, time of making in seconds and nanoseconds, length, and as many bytes of secret.
        if len(decoded) <= _KEY_HEAD.size or _KEY_HEAD.unpack_from(decoded)[3] != (
            len(decoded) - _KEY_HEAD.size
        ):
            raise AuthenticationFailed(
                f"the key given for {self.user} is not a Ceph key",
                hint=f"A key is the base64 text that `ceph auth print-key {self.user}` prints",
            )
        return key

    def _read_file(self, rados: ModuleType, cluster: Cluster) -> bool:
        """Read the configuration file; return whether there is one.

        Raises PlaceNotFound where the one that was asked for is missing.
        """
        wanted = self.conf or os.environ.get("CEPH_CONF")
        if wanted:
            require_parsable(wanted, "Ceph configuration")
        try:
            cluster.conf_read_file(self.conf)
        except rados.ObjectNotFound:
            return False
        except rados.Error as error:
            raise PlaceUnusable(
                f"librados cannot read the Ceph configuration {wanted or ''}: {error}"
            ) from error
        return True

    def _require_readable_keyring(self) -> None:
        """Say plainly what librados calls a failed authentication."""
        if self.keyring is not None:
            require_parsable(self.keyring, "keyring")


def _name_in_ceph_args(environment: Mapping[str, str]) -> str | None:
    """The user that CEPH_ARGS names, in which librados itself looks for settings alone."""
    try:
        words = shlex.split(environment.get("CEPH_ARGS", ""))
    except ValueError:
        return None
    found = None
    for word, following in zip(words, [*words[1:], ""]):
        option, equals, value = word.partition("=")
        value = value if equals else following
        if option in ("--id", "--user", "-i") and value:
            found = f"client.{value}"
        elif option in ("--name", "-n") and value:
            found = value
    return found
