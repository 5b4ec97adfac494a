"""Settings: every problem at once, defaults that the reference page tells, and secrets that never show."""

from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from loopy.kit.secret import Secret
from loopy.kit.settings import Settings, SettingsError, read_settings
from tests.support.configuration_page import PAGE, page

NATS = {"LOOPY_NATS_URL": "nats://s3cr3t@127.0.0.1:4222"}


def test_every_problem_is_told_at_once_with_its_variable() -> None:
    environment = {
        "LOOPY_PORT": "eighty",
        "LOOPY_GRACE_S": "-1",
        "LOOPY_LOG_FORMAT": "xml",
        "LOOPY_REHEARSE": "perhaps",
        "LOOPY_NAMESPACE": "Acme.SRE",
        "LOOPY_TOKEN_FILE": "/nowhere/token",
    }
    with pytest.raises(SettingsError) as caught:
        read_settings(environment)
    told = caught.value.problems
    assert len(told) == 7
    for name in (*environment, "LOOPY_NATS_URL"):
        assert sum(name in problem for problem in told) == 1, name
    assert "LOOPY_PORT must be a port, 0 to 65535, not 'eighty'" in told


@pytest.mark.parametrize("port", ["-1", "65536", "80.5", "8 700", "tcp://10.0.0.1:8700"])
def test_a_port_is_a_port(port: str) -> None:
    with pytest.raises(SettingsError, match="LOOPY_PORT"):
        read_settings({**NATS, "LOOPY_PORT": port})


@pytest.mark.parametrize("grace", ["nan", "inf", "1e9"])
def test_a_grace_is_finite(grace: str) -> None:
    with pytest.raises(SettingsError, match="LOOPY_GRACE_S"):
        read_settings({**NATS, "LOOPY_GRACE_S": grace})


def test_an_empty_variable_is_not_set() -> None:
    settings = read_settings({**NATS, "LOOPY_PORT": "", "LOOPY_TOKEN": ""})
    assert (settings.port, settings.token) == (8700, None)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-the-file\n")
    settings = read_settings({**NATS, "LOOPY_TOKEN_FILE": str(file)})
    assert settings.token == Secret("from-the-file")


def test_a_secret_in_two_places_is_refused_without_showing_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({**NATS, "LOOPY_TOKEN": "hush-hush", "LOOPY_TOKEN_FILE": str(tmp_path)})
    assert caught.value.problems == ["LOOPY_TOKEN and LOOPY_TOKEN_FILE are both set: leave one of them out"]


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff\xfe"])
def test_a_secret_file_that_is_no_text_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="LOOPY_TOKEN_FILE"):
        read_settings({**NATS, "LOOPY_TOKEN_FILE": str(file)})


def test_what_is_secret_is_not_repeated_when_it_is_wrong() -> None:
    with pytest.raises(SettingsError) as caught:
        read_settings({"LOOPY_NATS_URL": "hush:hush@host", "LOOPY_TOKEN": "hush hush"})
    assert "hush" not in str(caught.value)
    assert len(caught.value.problems) == 2


def test_an_override_wins_and_none_does_not_count() -> None:
    settings = read_settings({**NATS, "LOOPY_PORT": "1"}, port=2, host=None)
    assert (settings.port, settings.host) == (2, "127.0.0.1")
    with pytest.raises(SettingsError, match="LOOPY_PORT"):
        read_settings(NATS, port=99_999)


def test_the_registrys_namespace_holds_unless_the_environment_names_one() -> None:
    assert read_settings(NATS).namespace == "loopy"
    assert read_settings(NATS, project_namespace="acme").namespace == "acme"
    assert read_settings({**NATS, "LOOPY_NAMESPACE": "stage"}, project_namespace="acme").namespace == "stage"


def test_no_way_of_printing_shows_a_secret() -> None:
    settings = read_settings({"LOOPY_NATS_URL": "nats://joe:s3cr3t@h:1,nats://joe:0ther@i:1", "LOOPY_TOKEN": "t0ken"})
    for shown in (repr(settings), str(settings), f"{settings}", pretty_repr(settings), repr(settings.token)):
        assert not any(secret in shown for secret in ("s3cr3t", "0ther", "t0ken"))
    assert set(settings.secrets) == {"joe", "s3cr3t", "0ther", "t0ken"}


def test_a_secret_is_compared_whole() -> None:
    secret = Secret("gehéim")
    assert secret.matches("gehéim")
    assert secret.matches("gehéim".encode())
    assert not secret.matches("gehéi")
    assert not secret.matches(b"\xff")
    assert secret != "gehéim"
    assert len({secret, Secret("gehéim")}) == 1


def test_the_reference_page_is_what_the_settings_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.support.configuration_page"


def test_settings_are_frozen() -> None:
    settings: Settings = read_settings(NATS)
    with pytest.raises(AttributeError):
        settings.port = 1  # type: ignore[misc] # that it is refused is the point
