"""Running one command line: from arguments to an exit code, whatever happens."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress

import click

from csijournal.cli import exit_codes
from csijournal.cli.interrupts import exit_code_of, raising
from csijournal.cli.options import PROGRAM, Settings
from csijournal.cli.output import OutputLost, flush_output, report, report_text, report_trace
from csijournal.cli.program import program
from csijournal.errors import CSIJournalError

COMPLETE_VARIABLE = "_CSIJOURNAL_COMPLETE"


def main(called_as: Sequence[str] = (PROGRAM,)) -> None:
    """Run the command line of this process and leave it.

    `called_as` are the words that a shell calls it by, for the commands that it prints.
    """
    if COMPLETE_VARIABLE in os.environ:
        program.main(prog_name=PROGRAM, obj=Settings())
    sys.exit(run(sys.argv[1:], called_as))


def run(arguments: Sequence[str], called_as: Sequence[str] = (PROGRAM,)) -> int:
    """Run one command line; its exit code."""
    settings = Settings(called_as)
    try:
        return _run(list(arguments), settings)
    except BrokenPipeError:
        _drop_output()
        return exit_codes.READER_GONE
    except OutputLost as error:
        _drop_output()
        report(settings, error, exit_codes.OUTPUT_LOST, hint=error.hint)
        return exit_codes.OUTPUT_LOST


def _run(arguments: list[str], settings: Settings) -> int:
    try:
        with raising(), program.make_context(PROGRAM, arguments, obj=settings) as context:
            program.invoke(context)
        flush_output()
    except click.exceptions.Exit as leaving:
        flush_output()
        return leaving.exit_code
    except CSIJournalError as error:
        flush_output()  # what was answered before the error comes first
        return report(settings, error, error.exit_code, hint=error.hint)
    except click.ClickException as error:
        return report(settings, error, error.exit_code, hint=_usage_hint(error))
    except (KeyboardInterrupt, click.Abort) as interrupt:
        report_text("interrupted; a change under way may have been made")
        flush_output()
        return exit_code_of(interrupt)
    except (BrokenPipeError, OutputLost):
        raise
    except Exception as error:  # noqa: BLE001 - the last resort, which hides nothing
        report_trace(traceback.format_exc())
        return report(
            settings,
            error,
            exit_codes.BUG,
            hint="This is a bug in csijournal: please report it with the lines above",
        )
    return exit_codes.OK


def _usage_hint(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"See `{context.command_path if context else PROGRAM} --help`"


def _drop_output() -> None:
    """Let what is still buffered go nowhere, so that the interpreter's last flush is quiet."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
