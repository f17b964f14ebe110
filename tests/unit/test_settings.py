"""Reading the environment and `.env`."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.errors import ConfigurationError
from playground.settings import OPENAI_URL, Settings, key_variable, load

KEY = "sk-canary-0123456789"


def read(dotenv: Path | None = None, **env: str) -> Settings:
    return load(env, dotenv=dotenv)


def test_without_anything_set_there_is_no_server_and_the_engine_starts() -> None:
    settings = read()
    assert settings.endpoints == ()
    assert settings.engine
    assert (settings.host, settings.port, settings.timeout) == ("127.0.0.1", 0, 60.0)


def test_a_key_alone_means_openai_and_no_engine() -> None:
    settings = read(OPENAI_API_KEY=KEY)
    assert [(e.name, e.base_url, e.kind, e.api_key) for e in settings.endpoints] == [
        ("openai", OPENAI_URL, "openai", KEY)
    ]
    assert not settings.engine


def test_a_base_url_gets_the_key_that_was_named_with_it() -> None:
    (server,) = read(OPENAI_BASE_URL="http://localhost:8000/v1/", OPENAI_API_KEY=KEY).endpoints
    assert (server.base_url, server.kind, server.api_key) == ("http://localhost:8000/v1", "compatible", KEY)


def test_a_base_url_needs_no_key() -> None:
    (server,) = read(OPENAI_BASE_URL="http://localhost:8000/v1").endpoints
    assert server.api_key is None


def test_the_key_of_openai_is_never_paired_with_a_named_server() -> None:
    settings = read(
        OPENAI_API_KEY=KEY,
        PLAYGROUND_ENDPOINTS="lab=http://lab.example/v1, other-one=https://other.example/v1",
        LAB_API_KEY="lab-key",
    )
    keys = {endpoint.name: endpoint.api_key for endpoint in settings.endpoints}
    assert keys == {"openai": KEY, "lab": "lab-key", "other-one": None}


def test_a_named_servers_dash_is_an_underscore_in_its_keys_name() -> None:
    (server,) = read(PLAYGROUND_ENDPOINTS="my-lab=http://lab.example/v1", MY_LAB_API_KEY="k").endpoints
    assert server.api_key == "k"


@pytest.mark.parametrize(
    ("switch", "key", "starts"),
    [
        ("auto", "", True),
        ("auto", KEY, False),
        ("on", KEY, True),
        ("on", "", True),
        ("off", "", False),
        ("off", KEY, False),
        ("", KEY, False),
    ],
)
def test_the_engine_starts_by_its_switch_and_on_auto_when_no_server_is_named(
    switch: str, key: str, starts: bool
) -> None:
    assert read(PLAYGROUND_ENGINE=switch, OPENAI_API_KEY=key).engine is starts


def test_an_unknown_engine_switch_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="PLAYGROUND_ENGINE"):
        read(PLAYGROUND_ENGINE="maybe")


def test_visitors_own_keys_are_on_or_off_and_nothing_else() -> None:
    assert (read().own_keys, read(PLAYGROUND_OWN_KEYS="off").own_keys) == (True, False)
    with pytest.raises(ConfigurationError, match="PLAYGROUND_OWN_KEYS"):
        read(PLAYGROUND_OWN_KEYS="maybe")


def test_no_server_is_called_as_a_visitors_own_is() -> None:
    with pytest.raises(ConfigurationError, match="PLAYGROUND_ENDPOINTS"):
        read(PLAYGROUND_ENDPOINTS="own-openai=https://x.example/v1")
    assert key_variable("own-openai") == key_variable("openai") == "OPENAI_API_KEY"
    assert key_variable("own-groq") == "GROQ_API_KEY"


@pytest.mark.parametrize(
    "key",
    [f"{KEY}\nX-Evil: 1", f"{KEY}\r{KEY}", f"\u201c{KEY}\u201d", f"{KEY} {KEY}", f"{KEY}\x00", f"{KEY}ñ"],
    ids=["line break", "inner carriage return", "smart quotes", "space", "NUL", "letter"],
)
@pytest.mark.parametrize("variable", ["OPENAI_API_KEY", "LAB_API_KEY"])
def test_a_key_that_no_header_can_carry_is_refused_without_repeating_it(variable: str, key: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as caught:
        read(**{variable: key}, PLAYGROUND_ENDPOINTS="lab=http://lab.example/v1")
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {caught.value.__context__!r}"
    assert "canary" not in shown


def test_quotes_and_white_space_around_a_key_are_cut_off() -> None:
    (server,) = read(OPENAI_API_KEY=f' "{KEY}"\n').endpoints
    assert server.api_key == KEY


def test_keys_do_not_show_when_settings_are_printed() -> None:
    settings = read(
        OPENAI_API_KEY=KEY, PLAYGROUND_PASSWORD="pass-canary", DATABASE_URL="postgresql://u:db-canary@host/name"
    )
    assert "canary" not in repr(settings)


@pytest.mark.parametrize("name", ["local", "Übel", "9lives", "a b", ""])
def test_a_servers_name_that_cannot_be_used_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="PLAYGROUND_ENDPOINTS"):
        read(PLAYGROUND_ENDPOINTS=f"{name}=http://lab.example/v1")


def test_a_servers_name_used_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="PLAYGROUND_ENDPOINTS"):
        read(PLAYGROUND_ENDPOINTS="lab=http://one.example/v1,lab=http://two.example/v1")


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host/v1", "http://", f"https://user:{KEY}@host/v1"])
@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "PLAYGROUND_ENDPOINTS"])
def test_what_is_no_address_is_refused_without_repeating_it(variable: str, url: str) -> None:
    with pytest.raises(ConfigurationError, match=variable) as caught:
        read(**{variable: url if variable == "OPENAI_BASE_URL" else f"lab={url}"})
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "good", "bad"),
    [
        ("PLAYGROUND_TIMEOUT", ["1", "3600", "2.5"], ["0.99", "3601", "nan", "inf", "-1", "soon"]),
        ("GRADIO_SERVER_PORT", ["0", "65535"], ["65536", "-1", "nan", "http"]),
    ],
)
def test_numbers_have_bounds(variable: str, good: list[str], bad: list[str]) -> None:
    for text in good:
        read(**{variable: text})
    for text in bad:
        with pytest.raises(ConfigurationError, match=variable):
            read(**{variable: text})


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PLAYGROUND_PRICE_AS=from-file\nGRADIO_SERVER_NAME=0.0.0.0\n")
    settings = read(file, PLAYGROUND_PRICE_AS="from-environment")
    assert (settings.price_as, settings.host) == ("from-environment", "0.0.0.0")


def test_the_example_file_can_be_used_as_it_is() -> None:
    example = Path(__file__).parents[2] / ".env.example"
    assert read(example) == read()


def test_allowed_hosts_are_a_list_in_lower_case() -> None:
    assert read(PLAYGROUND_ALLOWED_HOSTS="Play.Example.org, ,b.example").allowed_hosts == (
        "play.example.org",
        "b.example",
    )


@pytest.mark.parametrize(
    ("text", "size"),
    [("auto", None), ("", None), ("4GB", 4_000_000_000), ("1.5 gb", 1_500_000_000), ("800M", 800_000_000), ("7", 7)],
)
def test_memory_for_models_is_a_size_or_what_is_free(text: str, size: int | None) -> None:
    assert read(PLAYGROUND_MODEL_MEMORY=text).model_memory == size


@pytest.mark.parametrize("text", ["much", "-1GB", "0", "4TB", "4 GB 2", "1e9", "nan"])
def test_what_is_no_size_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(ConfigurationError, match="PLAYGROUND_MODEL_MEMORY"):
        read(PLAYGROUND_MODEL_MEMORY=text)


def test_the_hub_is_read_from_its_own_variables() -> None:
    plain = load({}, dotenv=None)
    assert (plain.hub_url, plain.hub_token, plain.hub_offline) == ("https://huggingface.co", None, False)
    said = {"HF_ENDPOINT": "http://mirror.example/", "HF_TOKEN": '"hf_x"', "HF_HUB_OFFLINE": "yes"}
    settings = load(said, dotenv=None)
    assert (settings.hub_url, settings.hub_token, settings.hub_offline) == ("http://mirror.example", "hf_x", True)
    assert "hf_x" not in repr(settings)


@pytest.mark.parametrize(("name", "value"), [("HF_ENDPOINT", "mirror"), ("HF_TOKEN", "hf x")])
def test_a_hub_that_cannot_be_is_refused_by_the_variables_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load({name: value}, dotenv=None)
