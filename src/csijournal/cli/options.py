"""The options that every command takes, before or after the command's name."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from csijournal.cli.suggest import no_such
from csijournal.errors import printable
from csijournal.store import Store
from csijournal.wire.names import DEFAULT_INSTANCE_ID
from csijournal.wire.schema import GROUPS, SCHEMAS, JournalSchema

PROGRAM = "csijournal"

_STORE_TITLE = "Where the journal is"
_RADOS_TITLE = "RADOS"
_OTHER_TITLE = "Options"

_COMMON: dict[str, list[tuple[tuple[str, ...], str, str]]] = {
    _STORE_TITLE: [
        (
            ("--store",),
            "URL",
            (
                "sqlite:///path/to/file or rados://pool/namespace.  [env: CSIJOURNAL_STORE;"
                " without either: csijournal/journal.db in $XDG_STATE_HOME or ~/.local/state]"
            ),
        ),
        (
            ("--instance",),
            "ID",
            "Instance id of the driver.  [env: CSIJOURNAL_INSTANCE; default: default]",
        ),
        (("--timeout",), "SECONDS", "How long to wait for the store: 30 unless given."),
    ],
    _RADOS_TITLE: [
        (("-p", "--pool"), "POOL", "Pool that holds the journal."),
        (("-N", "--namespace"), "NAME", "Namespace in the pool."),
        (("-c", "--conf"), "FILE", "Ceph configuration file."),
        (("--id",), "ID", "Ceph user, without the client. before it."),
        (("-n", "--name"), "NAME", "Ceph user, as client.ID."),
        (("-k", "--keyring"), "FILE", "Keyring of the user."),
        (("--keyfile",), "FILE", "File with nothing but the user's key."),
        (("-m", "--mon"), "ADDRESSES", "Monitors, with commas between."),
        (("--csi-config",), "FILE", "Ceph-CSI's config.json, to look --cluster-id up in."),
        (("--cluster-id",), "ID", "Cluster in that file: its monitors, and its namespace."),
        (
            ("--cluster-mapping",),
            "FILE",
            "Ceph-CSI's cluster-mapping.json: which ids a handle may stand for after a failover.",
        ),
        (
            ("--driver",),
            "DRIVER",
            "Whose namespace, and whose handle: rbd or cephfs.  [rbd; a handle is tried as both]",
        ),
    ],
}
_NAMES = {"namespace", "pool", "conf", "id", "name", "keyring", "keyfile", "mon"}
RADOS_OPTIONS = frozenset(_NAMES | {"csi_config", "cluster_id", "driver", "cluster_mapping"})

ALL_JOURNALS = "all"
JOURNALS = (*(schema.journal for schema in SCHEMAS), ALL_JOURNALS)
JOURNAL_VARIABLE = "CSIJOURNAL_JOURNAL"


class Settings:
    """What the common options and the environment say."""

    def __init__(self, called_as: Sequence[str] = (PROGRAM,)) -> None:
        self.called_as = called_as
        """The words that a shell calls this program by."""
        self.given: dict[str, str] = {}
        self.opener: Callable[[], Store] | None = None
        """Opens the store, where it is one of several over a login that is open already."""
        self.looked_in: dict[str, object] | None = None
        """Where a handle led, for answers in JSON."""

    @property
    def json(self) -> bool:
        """Whether answers and errors are JSON."""
        return self.given.get("output") == "json"

    @property
    def instance_id(self) -> str:
        """The instance whose directory is meant."""
        from_environment = os.environ.get("CSIJOURNAL_INSTANCE") or DEFAULT_INSTANCE_ID
        return self.given.get("instance", from_environment)

    @property
    def schemas(self) -> tuple[JournalSchema[Any], ...]:
        """The journals that a reading command looks at: all unless told.

        Raises UsageError where the environment names none.
        """
        named = self._journal or ALL_JOURNALS
        return tuple(schema for schema in SCHEMAS if named in {ALL_JOURNALS, schema.journal})

    @property
    def schema(self) -> JournalSchema[Any]:
        """The journal that a writing command works on: that of groups unless told of one.

        Raises UsageError where the environment names none.
        """
        named = self._journal
        return next((schema for schema in SCHEMAS if schema.journal == named), GROUPS)

    @property
    def _journal(self) -> str:
        named = self.given.get("journal") or os.environ.get(JOURNAL_VARIABLE) or ""
        if named not in {"", *JOURNALS}:
            raise click.UsageError(
                f"{JOURNAL_VARIABLE} is {printable(named)!r}: it may be {', '.join(JOURNALS)}."
            )
        return named

    @property
    def rados(self) -> dict[str, str]:
        """The RADOS options that were given."""
        return {name: value for name, value in self.given.items() if name in RADOS_OPTIONS}


class JournalCommand(click.Command):
    """A command that takes the common options, and whose help leaves them to the program's.

    `examples` are command lines for the end of the help.
    """

    def __init__(
        self,
        *args: Any,  # noqa: ANN401 - click's own arguments
        examples: Sequence[str] = (),
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(*args, **kwargs)
        self.params += common_options()
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with suggesting(self):
            return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [
            row
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and parameter.name not in _COMMON_NAMES
            if (row := parameter.get_help_record(ctx)) is not None
        ]
        with formatter.section("Options"):
            formatter.write_dl(rows)
        with formatter.section("Store and output"):
            formatter.write_text(
                "--store, --instance, -o table|json and the RADOS options -p, -N, -c, --id, -n,"
                f" -k, -m and more: `{PROGRAM} --help` lists them."
            )

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        write_examples(formatter, self.examples)


def common_options() -> list[click.Parameter]:
    """The common options, made anew for one command."""
    options: list[click.Parameter] = [
        click.Option(
            names,
            metavar=metavar,
            help=text,
            type=click.FloatRange(min=0) if metavar == "SECONDS" else str,
            expose_value=False,
            callback=_remember,
        )
        for section in _COMMON.values()
        for names, metavar, text in section
    ]
    # Read before all others, so that what is wrong with those is told in this form.
    output = click.Option(
        ("-o", "--output"),
        type=click.Choice(["table", "json"]),
        help="Answers for people, or as JSON: one object, or one a line for many; errors too.",
        is_eager=True,
        expose_value=False,
        callback=_remember,
    )
    return [*options, output]


@contextmanager
def suggesting(command: click.Command) -> Iterator[None]:
    """Let an unknown option of `command` suggest those that a slip leads to, and no others.

    In words of our own, since those of click differ between its releases.
    """
    try:
        yield
    except click.NoSuchOption as error:
        known = {name for parameter in command.params for name in parameter.opts}
        raise click.UsageError(no_such("option", error.option_name, known), error.ctx) from error


def write_examples(formatter: click.HelpFormatter, examples: Sequence[str]) -> None:
    """Write command lines as they are, never broken, to be copied."""
    with formatter.section("Examples"):
        for example in examples:
            formatter.write(f"{' ' * formatter.current_indent}{example}\n")


def help_rows(context: click.Context) -> dict[str, list[tuple[str, str]]]:
    """The program's options under their titles."""
    titles = {
        _parameter_name(names): title
        for title, section in _COMMON.items()
        for names, _metavar, _text in section
    }
    rows: dict[str, list[tuple[str, str]]] = {}
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None:
            rows.setdefault(titles.get(parameter.name or "", _OTHER_TITLE), []).append(record)
    return rows


def _remember(context: click.Context, parameter: click.Parameter, value: object) -> None:
    settings = context.find_object(Settings)
    if value is not None and settings is not None and parameter.name:
        settings.given[parameter.name] = str(value)


journal_option = click.option(
    "--journal",
    type=click.Choice(JOURNALS),
    help=f"Which journals to look at.  [env: {JOURNAL_VARIABLE}; default: {ALL_JOURNALS}]",
    expose_value=False,
    callback=_remember,
)
"""--journal, for commands that look at `Settings.schemas`."""


one_journal_option = click.option(
    "--journal",
    type=click.Choice(JOURNALS[:-1]),
    help=f"Which journal to work on.  [env: {JOURNAL_VARIABLE}; default: {GROUPS.journal}]",
    expose_value=False,
    callback=_remember,
)
"""--journal, for commands that work on `Settings.schema`."""


def _parameter_name(names: tuple[str, ...]) -> str:
    return names[-1].lstrip("-").replace("-", "_")


_COMMON_NAMES = frozenset(parameter.name for parameter in common_options())
