"""The command `csijournal` itself: its table of commands, its options, its help."""

from __future__ import annotations

import importlib

import click

from csijournal import __version__
from csijournal.cli.exit_codes import exit_code_rows
from csijournal.cli.options import PROGRAM, common_options, help_rows, suggesting, write_examples
from csijournal.cli.suggest import no_such

COMMANDS = {
    "reserve": "Reserve a request name: a new UUID and name for it.",
    "ensure": "Get the reservation of a request name, or make it.",
    "check": "Print what a driver would find under a request name.",
    "undo": "Remove the reservation of a request name, at once.",
    "add": "Add members to a group.",
    "remove": "Remove members from a group.",
    "show": "Tell all about a record, a name or a handle; change nothing.",
    "list": "List the reservations by request name.",
    "verify": "Look for everything that can be wrong; change nothing.",
    "repair": "Repair what verify finds: say how, and with --apply do it.",
    "attach": "Make a record and a request name each other's again.",
    "drop": "Remove one entry, or one group that no entry points at.",
    "recover": "Roll back what dead clients left: say how; --apply does it.",
    "retire": "Take volumes out of use: say how, and with --apply do it.",
    "export": "Write the journals to FILE, or to standard output.",
    "import-listing": "Make an archive of what `rados listomapvals` printed.",
    "restore": "Put back what an export or a backup holds.",
    "remap": "Exchange ids of another cluster: say how; --apply does it.",
}
"""Every command and its line in the help.

The command `name` is the object `command` of the module `csijournal.cli.commands.name`,
with `_` for `-`, which is imported when the command is used.
"""

_EXAMPLES = [
    "csijournal -p rbd list -l",
    "csijournal -p rbd show groupsnapshot-42",
    "csijournal --store sqlite:///var/lib/csijournal/journal.db check groupsnapshot-42",
]
_COMPLETION = 'eval "$(_CSIJOURNAL_COMPLETE=bash_source csijournal)"'


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command = importlib.import_module(f"csijournal.cli.commands.{name}").command
        assert isinstance(command, click.Command)  # noqa: S101 - for the type checker
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        with suggesting(self):
            return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not ctx.resilient_parsing and args[0][:1] != "-":
            raise click.UsageError(no_such("command", args[0], COMMANDS), ctx)
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))
        for title, rows in help_rows(ctx).items():
            with formatter.section(title):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        write_examples(formatter, _EXAMPLES)
        with formatter.section("Exit codes"):
            formatter.write_dl(exit_code_rows())
        with formatter.section("Shell completion"):
            formatter.write_text(f"bash: {_COMPLETION}; zsh_source and fish_source likewise")


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    params=common_options(),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name=PROGRAM, message="%(prog)s %(version)s")
@click.pass_context
def program(context: click.Context) -> None:
    """The journals of CSI drivers on Ceph: reserve, inspect, repair.

    A journal lies in a RADOS pool or in a SQLite file.  The options below may
    stand before or after the command.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(2)
