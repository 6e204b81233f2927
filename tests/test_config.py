"""Settings: where they come from, which of them wins, and what is said about a wrong one."""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memchat.app import open_engine
from memchat.config import SETTING_NAMES, AgentProfile, MemoryMode, Settings, closest_match, load_settings
from memchat.core.types import CATEGORIES
from memchat.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """memchat's home, empty."""
    home = tmp_path / "home"
    home.mkdir()
    return home


def load(folder: Path, environ: dict[str, str] | None = None, **overrides: object) -> Settings:
    return load_settings({"MEMCHAT_HOME": str(folder), **(environ or {})}, **overrides)


def write(folder: Path, text: str) -> None:
    (folder / "config.toml").write_text(text, encoding="utf-8")


# Where settings come from.


def test_without_any_setting_the_defaults_hold(folder: Path) -> None:
    """The user is the one who is logged in."""
    settings = load(folder)
    assert settings == Settings(home=folder, user=settings.user)
    assert settings.user
    assert (settings.top_k, settings.memory_tokens, settings.redact, settings.model) == (5, 700, True, None)


def test_file_environment_and_command_line_win_in_this_order(folder: Path) -> None:
    """And the origin of each value is known."""
    write(folder, 'user = "file"\nmodel = "file"\ntop_k = 3\n')
    settings = load(folder, {"MEMCHAT_USER": "env", "MEMCHAT_MODEL": "env"}, model="line", top_k=None)
    assert (settings.user, settings.model, settings.top_k) == ("env", "line", 3)
    assert settings.origins == {"user": "MEMCHAT_USER", "model": "command line", "top_k": "config.toml"}


def test_every_setting_can_come_from_the_environment_and_from_the_file(folder: Path) -> None:
    """Under its own name."""
    given_ = dict.fromkeys(SETTING_NAMES, "x")
    given_ |= dict.fromkeys(("top_k", "memory_tokens", "retries", "index_from"), "7")
    given_ |= {"context_tokens": "4096", "timeout_s": "2.5", "redact": "off", "excerpts": "off", "memory": "private"}
    given_ |= {"thinking": "hidden", "toolbar": "off", "vi": "on", "extraction_form": "compact", "log_format": "json"}
    settings = load(folder, {f"MEMCHAT_{name.upper()}": value for name, value in given_.items()})
    write(folder, "".join(f'{name} = "{value}"\n' for name, value in given_.items()))
    from_file = load(folder)
    no_text = {"redact": "False", "excerpts": "False", "toolbar": "False", "vi": "True"}
    for name in SETTING_NAMES:
        assert str(getattr(settings, name)) == no_text.get(name, given_[name])
        assert getattr(from_file, name) == getattr(settings, name)


def test_an_empty_variable_is_no_setting(folder: Path) -> None:
    """As with `MEMCHAT_MODEL= memchat chat`."""
    assert load(folder, {"MEMCHAT_MODEL": "", "MEMCHAT_TOP_K": ""}).model is None


def test_paths_stand_in_the_home(folder: Path) -> None:
    """All data is in one folder, which a tilde may name."""
    settings = load(folder)
    paths = (Path(open_engine(settings).location), settings.config_file)
    assert {path.parent for path in paths} == {folder}
    assert load_settings({"MEMCHAT_HOME": "~/there"}).home == Path.home() / "there"
    assert load_settings({}).home.is_absolute()


# The .env files.


@pytest.fixture
def clean_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A current folder of its own, no MEMCHAT variable set, and the environment put back afterwards."""
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("MEMCHAT_")]:
        del os.environ[name]
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    yield here
    os.environ.clear()
    os.environ.update(before)


def test_the_folders_env_file_wins_over_the_homes_and_the_environment_over_both(
    clean_environment: Path, folder: Path
) -> None:
    """And provider keys in it are set for the provider's library."""
    os.environ["MEMCHAT_HOME"] = str(folder)
    (clean_environment / ".env").write_text("MEMCHAT_MODEL=here\nMEMCHAT_AGENT=here\n")
    (folder / ".env").write_text("MEMCHAT_MODEL=home\nMEMCHAT_TOP_K=9\nMEMCHAT_USER=home\nSOME_API_KEY=x\n")
    os.environ["MEMCHAT_USER"] = "environment"
    settings = load_settings()
    assert (settings.model, settings.agent, settings.top_k, settings.user) == ("here", "here", 9, "environment")
    assert os.environ["SOME_API_KEY"] == "x"


def test_the_folders_env_file_may_name_the_home(clean_environment: Path, folder: Path) -> None:
    """With the settings that lie there."""
    (clean_environment / ".env").write_text(f"MEMCHAT_HOME={folder}\n")
    write(folder, 'model = "from the home"\n')
    (folder / ".env").write_text("MEMCHAT_AGENT=too\n")
    settings = load_settings()
    assert (settings.home, settings.model, settings.agent) == (folder, "from the home", "too")


def test_an_env_file_that_cannot_be_read_is_named(clean_environment: Path, folder: Path) -> None:
    """Bytes that are no text are no traceback."""
    os.environ["MEMCHAT_HOME"] = str(folder)
    (folder / ".env").write_bytes(b"MEMCHAT_MODEL=\xff\xfe\n")
    with pytest.raises(ConfigError, match=r"home.\.env cannot be read"):
        load_settings()


# What is wrong.

WRONG = [
    ("top_k", "0", "at least 1"),
    ("top_k", "many", "whole number"),
    ("top_k", "2.5", "whole number"),
    ("memory_tokens", "-1", "at least 0"),
    ("context_tokens", "100", "at least 256"),
    ("timeout_s", "0", "between 0 and 86400"),
    ("timeout_s", "nan", "between 0 and 86400"),
    ("timeout_s", "soon", "number of seconds"),
    ("retries", "-1", "at least 0"),
    ("redact", "maybe", "on or off"),
    ("memory", "maybe", "on, private or off"),
    ("thinking", "loud", "shown, folded or hidden"),
]


@pytest.mark.parametrize(("name", "value", "reason"), WRONG)
def test_a_value_that_cannot_be_used_is_named_with_its_place(folder: Path, name: str, value: str, reason: str) -> None:
    """From the environment and from the file alike, the latter with its line."""
    with pytest.raises(ConfigError, match=reason) as caught:
        load(folder, {f"MEMCHAT_{name.upper()}": value})
    assert f"MEMCHAT_{name.upper()}" in caught.value.message
    write(folder, f'# a comment\nuser = "al"\n{name} = "{value}"\n')
    with pytest.raises(ConfigError, match=reason) as caught:
        load(folder)
    assert "config.toml, line 3" in caught.value.message


@pytest.mark.parametrize("word", ["1", "on", "TRUE", " yes "])
def test_a_switch_understands_the_usual_words(folder: Path, word: str) -> None:
    """Either way."""
    assert load(folder, {"MEMCHAT_REDACT": word}).redact is True
    assert load(folder, {"MEMCHAT_REDACT": {"1": "0", "on": "off", "TRUE": "False"}.get(word, "no")}).redact is False


def test_memory_is_on_private_or_off(folder: Path) -> None:
    """Off recalls nothing, private only learns nothing; a switch's usual words will do."""
    states = [load(folder, {"MEMCHAT_MEMORY": word}).memory for word in ("on", "Private", "off", "yes", "0")]
    assert states == ["on", "private", "off", "on", "off"]
    write(folder, "memory = false\n")
    assert load(folder).memory is MemoryMode.OFF
    assert load(folder, memory=MemoryMode.PRIVATE).origins["memory"] == "command line"


def test_a_home_that_is_a_file_is_told_as_such(folder: Path) -> None:
    """Itself, or what it would lie in."""
    file = folder / "file"
    file.touch()
    for home in (file, file / "below" / "it"):
        with pytest.raises(ConfigError, match=r"file is not a folder\.") as caught:
            load_settings({"MEMCHAT_HOME": str(home)})
        assert "MEMCHAT_HOME" in (caught.value.hint or "")


def test_a_misspelt_setting_gets_the_right_name_as_a_hint(folder: Path) -> None:
    """In the spelling of its place; far from any name, where the list stands."""
    with pytest.raises(ConfigError, match="MEMCHAT_MODLE") as caught:
        load(folder, {"MEMCHAT_MODLE": "x"})
    assert caught.value.hint == "Did you mean MEMCHAT_MODEL?"
    with pytest.raises(ConfigError) as caught:
        load(folder, {"MEMCHAT_QQQQ": "x"})
    assert caught.value.hint == "memchat config lists all settings."
    write(folder, "topk = 5\n")
    with pytest.raises(ConfigError, match="line 1: there is no setting 'topk'") as caught:
        load(folder)
    assert caught.value.hint == "Did you mean top_k?"


@pytest.mark.parametrize("text", ["user = ", "[", "user = 5", "agents = 5", "[agents]\nbot = 5", "\x00"])
def test_a_file_that_makes_no_sense_is_named(folder: Path, text: str) -> None:
    """Never a traceback of the TOML reader."""
    write(folder, text)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        load(folder)


def test_a_file_that_cannot_be_read_is_named(folder: Path) -> None:
    """A folder of that name, or bytes that are no text."""
    (folder / "config.toml").write_bytes(b"user = '\xff'")
    with pytest.raises(ConfigError, match="cannot be read"):
        load(folder)
    (folder / "config.toml").unlink()
    (folder / "config.toml").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        load(folder)


def test_an_empty_user_is_refused(folder: Path) -> None:
    """Nobody's memory is not everybody's."""
    with pytest.raises(ConfigError, match="user name is empty"):
        load(folder, user="  ")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_files_of_windows_editors_are_read(clean_environment: Path, folder: Path, encoding: str) -> None:
    """A mark in front, two bytes a letter, line ends of their own; in `.env` as in `config.toml`."""
    (folder / "config.toml").write_bytes('top_k = 4\r\nsystem = "Grüße"\r\n'.encode(encoding))
    (folder / ".env").write_bytes("MEMCHAT_USER=Jürgen\r\n".encode(encoding))
    os.environ["MEMCHAT_HOME"] = str(folder)
    settings = load_settings()
    assert (settings.top_k, settings.system, settings.user) == (4, "Grüße", "Jürgen")


def test_a_home_that_is_nobodys_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """No traceback where `~` leads nowhere: a name that is nobody's, or a user without an entry and a HOME."""
    with pytest.raises(ConfigError, match="MEMCHAT_HOME names a home folder that does not exist"):
        load_settings({"MEMCHAT_HOME": "~no-such-user/x"})
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])
    with pytest.raises(ConfigError, match="no home folder") as raised:
        load_settings({})
    assert "MEMCHAT_HOME" in (raised.value.hint or "")


def test_a_deleted_working_folder_is_no_obstacle(
    clean_environment: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no `.env` to read in it; only a home that is relative to it cannot be found."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    os.environ["MEMCHAT_HOME"] = str(folder)
    assert load_settings().home == folder
    os.environ["MEMCHAT_HOME"] = "data"
    with pytest.raises(ConfigError, match="MEMCHAT_HOME is relative to the working folder, which was deleted"):
        load_settings()


@given(st.text())
def test_any_file_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """With our own error, whatever it holds."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "config.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with suppress(ConfigError):
        assert load(folder).home == folder


# Agents.

BOT = """
[agents.support_bot]
system = "You help customers."
instructions = "Extract only useful customer-support facts."
model = "offline"
categories = ["billing", "shipping"]
metadata = {shop = "north", vip = true, level = 3}
top_k = 8
learn = true
"""


def test_an_agents_profile_is_read_whole(folder: Path) -> None:
    """Every field of it."""
    write(folder, BOT)
    assert load(folder).profile("support_bot") == AgentProfile(
        "support_bot",
        system="You help customers.",
        instructions="Extract only useful customer-support facts.",
        model="offline",
        categories=("billing", "shipping"),
        metadata={"shop": "north", "vip": True, "level": 3},
        top_k=8,
        learn=True,
    )


def test_an_agent_without_a_profile_is_a_plain_name(folder: Path) -> None:
    """And no agent has none."""
    settings = load(folder)
    assert settings.profile(None) is None
    assert settings.profile("bot") == AgentProfile("bot")
    assert AgentProfile("bot").categories == CATEGORIES


WRONG_AGENTS = [
    ("sytem = 'x'", "no setting 'sytem'"),
    ("top_k = 0", "at least 1"),
    ("learn = 'maybe'", "on or off"),
    ("categories = []", "list of words"),
    ("categories = 'work'", "list of words"),
    ("categories = [1]", "list of words"),
    ("metadata = {a = [1]}", "table of plain values"),
    ("metadata = 5", "table of plain values"),
    ("metadata = {a = nan}", "finite"),
    ("metadata = {a = inf}", "finite"),
    ("system = 5", "must be text"),
]


@pytest.mark.parametrize(("line", "reason"), WRONG_AGENTS)
def test_a_wrong_profile_is_named_with_its_line(folder: Path, line: str, reason: str) -> None:
    """And with the agent's name."""
    write(folder, f"[agents.bot]\n{line}\n")
    with pytest.raises(ConfigError, match=reason) as caught:
        load(folder)
    assert "line 2, [agents.bot]" in caught.value.message


def test_the_line_is_that_of_the_key_in_its_own_table(folder: Path) -> None:
    """Blank lines count, and a key of the same name further up is another one."""
    write(folder, 'user = "al"\n\n\n  top_k = "many"\n')
    with pytest.raises(ConfigError, match=r"line 4\b"):
        load(folder)
    write(folder, 'top_k = 3\n\n[agents.kit]\nmodel = "x"\n[agents."bot"]\nmodel = "x"\n\ntop_k = 0\n')
    with pytest.raises(ConfigError, match=r"line 8, \[agents.bot\]"):
        load(folder)


def test_the_nearest_word_is_found_or_none() -> None:
    """Close by, whatever its case; nothing for what is far from all."""
    assert closest_match("MODLE", SETTING_NAMES) == "model"
    assert closest_match("xyzzy", SETTING_NAMES) is None
