"""Env files: what is read, and that a mistake is told without its line."""

import pytest

from loopy.sandboxes.envfile import EnvFileError, parse_env


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("A=1", {"A": "1"}),
        ("  export A = two words  ", {"A": "two words"}),
        ("A=", {"A": ""}),
        ("# a comment\n\nA=1\r\nB=2\n", {"A": "1", "B": "2"}),
        ("A=1 # why", {"A": "1"}),
        ("A=# why", {"A": ""}),
        ("A=a#b", {"A": "a#b"}),
        ("A='it # is $X \\n'  # why", {"A": "it # is $X \\n"}),
        (r'A="a\nb \"c\" \$d \\"', {"A": 'a\nb "c" $d \\'}),
        ("A=$HOME", {"A": "$HOME"}),
        ("A=b=c", {"A": "b=c"}),
        ("A=1\nA=2", {"A": "2"}),
        ("\ufeffA=1", {"A": "1"}),
    ],
)
def test_reads(written: str, read: dict[str, str]) -> None:
    assert parse_env(written.encode()) == read


@pytest.mark.parametrize(
    ("written", "line"),
    [
        (b"A=1\nhunter2", 2),
        (b"1A=hunter2", 1),
        (b"A-B=hunter2", 1),
        (b'A="hunter2', 1),
        (b"A='hunter2' more", 1),
        (b"A=hunter2\0", 1),
        (b"A=1\nB=hunter2\xff", 2),
    ],
)
def test_a_mistake_is_placed_and_never_quoted(written: bytes, line: int) -> None:
    with pytest.raises(EnvFileError, match=f"line {line}") as caught:
        parse_env(written)
    assert "hunter2" not in str(caught.value)
