from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from cli.conftest import CLI, COMMAND, DIRECTORY, OTHER_UUID, UUID
from cli.terminal import in_terminal
from csijournal.cli.commands.list import print_all
from csijournal.cli.listed import Table
from csijournal.cli.options import Settings
from csijournal.errors import StoreTimeout
from csijournal.store import Write
from csijournal.wire.schema import GROUPS
from csijournal.wire.text import encode

MANY = 20_000


@pytest.fixture
def mixed(cli: CLI) -> CLI:
    """One reservation in each state."""
    cli.put_entry("ok\t", UUID)
    cli.put_group(UUID, "ok\t", a="1", b="2")
    cli.put(f"csi.volume.group.{UUID}", **{"csi.creationtime": "2026-11-22T14:23:10.9+01:00"})
    cli.put_entry("corrupt", "no UUID")
    cli.put_entry("dangling", OTHER_UUID)
    cli.put_entry("mismatch", UUID)
    empty = OTHER_UUID.replace("0f", "1f")
    cli.put_entry("unpopulated", empty)
    cli.put(f"csi.volume.group.{empty}", vol="s")
    return cli


def test_the_table_is_sorted_by_request_name_and_has_the_uuid_first(mixed: CLI) -> None:
    assert mixed("list").lines == [
        "GROUP UUID                            REQUEST NAME",
        "(corrupt)                             corrupt",
        f"{OTHER_UUID}  dangling",
        f"{UUID}  mismatch",
        f"{UUID}  ok\\t",
        f"{OTHER_UUID.replace('0f', '1f')}  unpopulated",
    ]


def test_the_long_table_tells_state_time_and_members(mixed: CLI) -> None:
    lines = [line[38:] for line in mixed("list", "-l").lines]

    assert lines == [
        "STATE        CREATED               MEMBERS  REQUEST NAME",
        "corrupt      -                           -  corrupt",
        "dangling     -                           -  dangling",
        "mismatch     2026-11-22T13:23:10Z        2  mismatch",
        "ok           2026-11-22T13:23:10Z        2  ok\\t",
        "unpopulated  -                           1  unpopulated",
    ]


def test_json_is_one_object_a_line(mixed: CLI) -> None:
    short = [json.loads(line) for line in mixed("list", "-o", "json").lines]
    long = [json.loads(line) for line in mixed("list", "-lo", "json").lines]

    groups = {"journal": "groups"}
    assert short[0] == groups | {
        "request_name": "corrupt",
        "group_uuid": None,
        "uuid": None,
        "value": "no UUID",
    }
    assert short[3] == groups | {"request_name": "ok\t", "group_uuid": UUID, "uuid": UUID}
    assert [line["state"] for line in long] == [
        "corrupt",
        "dangling",
        "mismatch",
        "ok",
        "unpopulated",
    ]
    assert long[3] == short[3] | {
        "state": "ok",
        "group_name": None,
        "creation_time": "2026-11-22T14:23:10.9+01:00",
        "members": 2,
    }


def test_a_prefix_narrows_the_list(mixed: CLI) -> None:
    assert [line[38:] for line in mixed("list", "d").lines] == ["REQUEST NAME", "dangling"]
    assert "U+0007" in mixed.refused("list", "a\a")


def test_an_empty_list_says_where_it_looked(mixed: CLI) -> None:
    result = mixed("list", "--instance", "other", "nothing")

    assert result.lines == ["GROUP UUID                            REQUEST NAME"]
    assert "other: no reservations that start with 'nothing'" in result.err
    assert mixed("list", "nothing", "-o", "json").err == ""


def test_names_of_other_programs_that_are_not_utf8_are_escaped(cli: CLI) -> None:
    cli.put_entry("x" * 200, UUID)
    with cli.store() as store:
        store.write(Write(DIRECTORY, puts={"csi.volume.group.a": b"\xff"}))

    assert cli("list", "-lo", "json").lines[0] == (
        r'{"request_name": "a", "group_uuid": null, "value": "\udcff", "journal": "groups",'
        ' "uuid": null, "state": "corrupt", "group_name": null, "creation_time": null,'
        ' "members": null}'
    )
    assert "dangling" in cli("list", "-l").lines[2]


def test_an_encoding_without_the_characters_gets_them_escaped(cli: CLI) -> None:
    cli.put_entry("é", UUID)

    assert cli("list", environment={"PYTHONIOENCODING": "ascii"}).lines[1] == f"{UUID}  \\xe9"
    assert (
        cli("list", "-ojson", environment={"PYTHONIOENCODING": "ascii"}).json["request_name"] == "é"
    )


def test_a_reader_that_goes_away_ends_a_long_list_quietly(cli: CLI) -> None:
    entry = encode(UUID)
    with cli.store() as store:
        names = (f"{GROUPS.entry_prefix}{number:06}" for number in range(MANY))
        store.write(Write(DIRECTORY, puts=dict.fromkeys(names, entry)))

    with subprocess.Popen(
        [*COMMAND, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=cli.environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"GROUP UUID")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.parametrize("options", [[], ["-l"]])
def test_a_long_list_takes_no_more_memory_than_a_short_one(cli: CLI, options: list[str]) -> None:
    entry = encode(UUID)
    cli.put_group(UUID, "somebody")
    with cli.store() as store:
        names = (f"{GROUPS.entry_prefix}{number:06}{'x' * 100}" for number in range(MANY))
        store.write(Write(DIRECTORY, puts=dict.fromkeys(names, entry)))

    few = _peak_kib(cli, "list", "000000", *options)
    many = _peak_kib(cli, "list", *options)

    assert many - few < 2000


def _peak_kib(cli: CLI, *arguments: str) -> int:
    """The peak memory of one run, in KiB, as the process itself reports it at its end."""
    script = (
        "import resource, sys; from csijournal.cli.run import run; run(sys.argv[1:]);"
        " print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    done = subprocess.run(
        [COMMAND[0], "-c", script, *arguments],
        env=cli.environment,
        capture_output=True,
        check=True,
    )
    return int(done.stderr.split()[-1])


def test_reservations_in_the_shards_of_a_directory_are_listed_by_name_with_the_others(
    cli: CLI,
) -> None:
    for directory, name in ((DIRECTORY, "b"), (f"{DIRECTORY}.3", "a"), (f"{DIRECTORY}.10", "c")):
        cli.put(directory, **{GROUPS.entry_key(name): UUID})

    for options in ([], ["-l"]):
        assert [line.split()[-1] for line in cli("list", *options).lines[1:]] == ["a", "b", "c"]
    assert len(cli("list", "c").lines) == 2


def test_on_a_narrow_terminal_the_long_list_has_each_name_on_a_line_of_its_own(
    mixed: CLI,
) -> None:
    narrow = in_terminal(mixed, 80, "list", "-l")
    assert narrow[-4:] == [
        "ok\\t",
        f"  {UUID}  ok           2026-11-22T13:23:10Z        2",
        "unpopulated",
        f"  {OTHER_UUID.replace('0f', '1f')}  unpopulated  -                           1",
    ]
    assert max(map(len, narrow)) <= 82
    assert in_terminal(mixed, 120, "list", "-l")[0].endswith("MEMBERS  REQUEST NAME")


def test_an_error_before_the_first_reservation_comes_without_a_header(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> Any:  # noqa: ANN401 - it never returns
        raise StoreTimeout("no answer")

    with pytest.raises(StoreTimeout):
        print_all(Settings(), Table(GROUPS, long=True, several=False), (fail() for _ in range(1)))
    assert capsys.readouterr().out == ""
