from __future__ import annotations

import pytest

from cli.conftest import CLI, UUID


@pytest.fixture
def reserved(cli: CLI) -> CLI:
    cli.put_entry("snap-1", UUID)
    cli.put_group(UUID, "snap-1", old="o")
    return cli


def members(cli: CLI) -> dict[str, str]:
    stored = cli.dump()[f"csi.volume.group.{UUID}"]
    return {key: value.decode() for key, value in stored.items() if key != "csi.volname"}


def test_pairs_are_added_and_old_values_replaced(reserved: CLI) -> None:
    result = reserved("add", "snap-1", "a=b=c", "old=n", "empty", "none=")

    assert result.out == f"added: 4 members to csi-vol-group-{UUID}\n"
    assert members(reserved) == {"a": "b=c", "old": "n", "empty": "", "none": ""}


def test_json_file_and_pairs_are_added_together(reserved: CLI) -> None:
    (reserved.folder / "m.json").write_text('\n {"from": "file"}')

    answer = reserved("add", UUID, "x=y", "--json", '{"é": "ü"}', "--from-file", "m.json", "-ojson")

    assert answer.json == {"group_uuid": UUID, "added": {"x": "y", "é": "ü", "from": "file"}}
    assert members(reserved) == {"old": "o", "x": "y", "é": "ü", "from": "file"}


def test_standard_input_can_hold_the_members(reserved: CLI) -> None:
    reserved("add", f"csi-vol-group-{UUID}", "--from-file", "-", stdin='{"a": "b"}')

    assert members(reserved) == {"old": "o", "a": "b"}


def test_an_empty_object_adds_nothing(reserved: CLI) -> None:
    before = reserved.dump()

    reserved("add", "snap-1", "--json", "{}")

    assert reserved.dump() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "No members: give MEMBER=VALUE, --json or --from-file."),
        (["=value"], "member's id must not be empty"),
        (["a=1", "a=2"], "member 'a' comes twice"),
        (["csi.volname=x"], "starts with 'csi.'"),
        (["a\ab=x"], "U+0007 at position 2"),
        ([b"a=\xff"], "not text that UTF-8 can hold"),
        (["--json", '{"a": '], "--json is not JSON: Expecting value at line 1, column 7"),
        (["--json", '[["a", "b"]]'], "--json is JSON, but not an object"),
        (["--json", "[" * 100_000], "--json is not JSON that can be read"),
        (["--json", '{"a": 1}'], "the value of member 'a' in --json is not a text"),
        (["--json", '{"a": {"b": "c"}}'], "the value of member 'a' in --json is not a text"),
        (["--json", '{"a": "1", "a": "2"}'], "member 'a' comes twice"),
        (["--from-file", "missing.json"], "missing.json cannot be read: No such file"),
        (["--from-file", "."], ". cannot be read: Is a directory"),
        (["--from-file", "latin.json"], "latin.json is not UTF-8, at byte 3"),
    ],
)
def test_members_that_cannot_be_are_refused_and_say_why(
    cli: CLI, arguments: list[str | bytes], said: str
) -> None:
    (cli.folder / "latin.json").write_bytes(b'{"\xe9": "x"}')

    assert said in cli.refused("add", "snap-1", *arguments)
    assert not cli.state.exists()


def test_a_group_that_is_gone_is_exit_code_3_and_not_brought_back(cli: CLI) -> None:
    cli.put_entry("snap-1", UUID)
    before = cli.dump()

    cli.refused("add", UUID, "a=b", code=3)
    cli.refused("add", "snap-1", "a=b", code=3)

    assert cli.dump() == before
