"""The picker's list: what fine-tunes are called, which group a model is in, and what is said of it."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

import pytest

from playground import catalog
from playground.picker import LONGEST, FineTune, Group, Item, from_jobs, groups, item, parse_fine_tune, price
from playground.types import Endpoint, EndpointKind, ModelInfo

TODAY = date(2026, 11, 15)
ENDPOINTS = {
    "engine": Endpoint(name="engine", base_url="http://127.0.0.1:1/v1", kind="engine"),
    "openai": Endpoint(name="openai", base_url="https://api.openai.com/v1", kind="openai"),
    "mine": Endpoint(name="mine", base_url="http://localhost:8000/v1", kind="compatible"),
}


def model(name: str, endpoint: str = "openai", **fields: Any) -> ModelInfo:
    return ModelInfo(id=name, endpoint=endpoint, **fields)


def listed(*models: ModelInfo, today: date = TODAY) -> dict[str, list[str]]:
    """The ids of each group but the retired ones, which are always there for OpenAI."""
    found = groups(models, ENDPOINTS, today=today)
    return {group.key: [each.id for each in group.items] for group in found if group.key != "retired"}


def about(name: str, kind: EndpointKind = "openai", *, today: date = TODAY, **fields: Any) -> Item:
    return item(model(name, **fields), kind, today=today)


def retired(*models: ModelInfo, today: date = TODAY) -> dict[str, Item]:
    last = groups(models, ENDPOINTS, today=today)[-1]
    assert last.key == "retired"
    return {each.id: each for each in last.items}


# --- what a fine-tune's name says ---


@pytest.mark.parametrize(
    ("name", "base", "step"),
    [
        ("ft:gpt-4o-mini-2024-07-18:acme:tags:Ab1", "gpt-4o-mini-2024-07-18", None),
        ("ft:gpt-3.5-turbo-0613:acme::Ab1", "gpt-3.5-turbo-0613", None),
        ("ft:davinci-002::tags:Ab1", "davinci-002", None),
        ("ft:gpt-4.1:acme:tags:Ab1:ckpt-step-88", "gpt-4.1", 88),
        ("ft:gpt-4.1:acme::Ab1:ckpt-step-0", "gpt-4.1", 0),
        ("ft:gpt-4.1:acme::Ab1:ckpt-step-999999999", "gpt-4.1", 999_999_999),
        ("davinci:ft-acme-2023-01-30-12-00-00", "davinci", None),
        ("curie:ft-acme:tags-2022-12-01-08-30-00", "curie", None),
    ],
)
def test_a_fine_tune_says_what_it_was_made_from(name: str, base: str, step: int | None) -> None:
    assert parse_fine_tune(name) == FineTune(base=base, step=step)


@pytest.mark.parametrize(
    "name",
    [
        *("gpt-4o", "", ":", "ft", "ft:", "ft:gpt-4o", "ft:gpt-4o:acme", "ft:gpt-4o:acme:tags", "ft:gpt-4o:acme:tags:"),
        *("ft::acme:tags:Ab1", "ft:gpt-4o:a:b:c:d", "ft:gpt-4o:a:b:c:ckpt-step-", "ft:gpt-4o:a:b:c:ckpt-step--1"),
        *("ft:gpt-4o:a:b:c:ckpt-step-1234567890", "FT:gpt-4o:a:b:c", "davinci:ft-", ":ft-acme", "ft-acme", "a:b:c"),
        *("llama3.2:1b", "hf.co/org/model:Q4_K_M", "soft:gpt-4o:a:b:c", ":" * 10_000, "ft:" * 10_000),
    ],
)
def test_any_other_name_is_no_fine_tunes(name: str) -> None:
    assert parse_fine_tune(name) is None


# --- groups and their order ---


def test_each_model_is_in_the_group_of_what_it_can_do() -> None:
    found = listed(
        model("gpt-5"),
        model("davinci-002"),
        model("ft:gpt-4.1:acme:tags:Ab1"),
        model("smollm2", "engine"),
        model("llama3.2:1b", "mine"),
    )
    assert found == {
        "both": ["smollm2", "llama3.2:1b"],
        "chat": ["gpt-5"],
        "completion": ["davinci-002"],
        "fine_tunes": ["ft:gpt-4.1:acme:tags:Ab1"],
    }
    assert list(found) == ["both", "chat", "completion", "fine_tunes"]


def test_groups_without_models_are_not_there() -> None:
    assert list(listed(model("gpt-5"))) == ["chat"]
    assert groups([], {}, today=TODAY) == []


def test_one_s_own_server_has_no_retired_models() -> None:
    own = {"mine": ENDPOINTS["mine"]}
    assert groups([model("gpt-4", "mine")], own, today=TODAY) == [
        Group("both", (item(model("gpt-4", "mine"), "compatible", today=TODAY),))
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_newest_are_first_and_those_without_a_date_last_by_name(seed: int) -> None:
    ages = {"gpt-6-sol": 30, "gpt-5": 20, "gpt-4o": 10, "gpt-4.1": None, "gpt-5.2": None}
    models = [model(name, created=created) for name, created in ages.items()]
    random.Random(seed).shuffle(models)
    assert listed(*models) == {"chat": ["gpt-6-sol", "gpt-5", "gpt-4o", "gpt-4.1", "gpt-5.2"]}


@pytest.mark.parametrize("seed", range(5))
def test_checkpoints_stand_under_their_model_by_step(seed: int) -> None:
    old, new = "ft:gpt-4.1:acme:old:Ab1", "ft:gpt-4.1:acme:new:Cd2"
    ages = {
        **{f"{old}:ckpt-step-9": 11, f"{old}:ckpt-step-80": 12, f"{old}:ckpt-step-100": 13, old: 14},
        **{new: 20, f"{new}:ckpt-step-5": 21},
    }
    models = [model(name, created=created) for name, created in ages.items()]
    random.Random(seed).shuffle(models)
    assert listed(*models)["fine_tunes"] == [
        *(new, f"{new}:ckpt-step-5"),
        *(old, f"{old}:ckpt-step-9", f"{old}:ckpt-step-80", f"{old}:ckpt-step-100"),
    ]


def test_a_checkpoint_of_step_0_is_still_under_its_model() -> None:
    name = "ft:gpt-4.1:acme::Ab1"
    found = listed(model(f"{name}:ckpt-step-0", created=2), model(name, created=1))
    assert found == {"fine_tunes": [name, f"{name}:ckpt-step-0"]}


def test_checkpoints_whose_model_is_gone_still_stand_together() -> None:
    names = [f"ft:gpt-4.1:acme::Ab1:ckpt-step-{step}" for step in (20, 3, 100)]
    assert [each[-3:] for each in listed(*map(model, names))["fine_tunes"]] == ["p-3", "-20", "100"]


def test_equal_names_on_two_servers_are_two_fine_tunes() -> None:
    name = "ft:gpt-4.1:acme::Ab1"
    found = listed(model(name), model(f"{name}:ckpt-step-1"), model(name, "mine"), model(f"{name}:ckpt-step-1", "mine"))
    assert found["fine_tunes"] == [name, f"{name}:ckpt-step-1"] * 2


@pytest.mark.parametrize(
    "name",
    [
        *("text-embedding-3-large", "whisper-1", "tts-1-hd", "dall-e-3", "gpt-image-1", "omni-moderation-latest"),
        *("gpt-4o-realtime-preview", "gpt-4o-mini-transcribe", "gpt-4o-mini-tts", "sora-2", "text-search-ada-doc-001"),
        *(
            "gpt-4o-audio-preview",
            "gpt-realtime",
            "text-similarity-ada-001",
            "text-davinci-edit-001",
            "computer-use-preview",
        ),
    ],
)
def test_openai_s_models_that_write_no_text_are_not_offered(name: str) -> None:
    assert listed(model(name)) == {}
    assert listed(model(name, "mine")) == {"both": [name]}


@pytest.mark.parametrize("name", ["gpt-4o-search-preview", "gpt-4o-mini-search-preview-2025-03-11", "gpt-5-search-api"])
def test_models_that_search_the_web_write_text(name: str) -> None:
    assert listed(model(name)) == {"chat": [name]}


@pytest.mark.parametrize(
    "name",
    [
        "ft:gpt-4.1:research-lab::Ab1",
        "ft:gpt-4.1:acme:image-captions:Ab1",
        "ft:gpt-4.1:acme:realtime-moderation:Ab1:ckpt-step-3",
        "davinci:ft-tts-inc-2023-01-30-12-00-00",
    ],
)
def test_a_fine_tune_is_offered_whatever_its_owner_called_it(name: str) -> None:
    assert listed(model(name)) == {"fine_tunes": [name]}


def test_a_model_that_is_listed_twice_is_offered_once() -> None:
    assert listed(model("gpt-5"), model("gpt-5", created=1)) == {"chat": ["gpt-5"]}


# --- what is said of a model ---


def test_a_fine_tune_is_described_by_its_base() -> None:
    made = about("ft:gpt-4o-2024-08-06:acme:tags:Ab1:ckpt-step-7")
    assert (made.base, made.step) == ("gpt-4o-2024-08-06", 7)
    assert (made.kind, made.context, made.shutdown, made.retired) == ("chat", 128_000, "2027-01-14", False)
    assert made.ref == "openai/ft:gpt-4o-2024-08-06:acme:tags:Ab1:ckpt-step-7"


@pytest.mark.parametrize(
    ("name", "kind", "can"),
    [
        ("davinci-002", "openai", "completion"),
        ("ft:babbage-002:acme::Ab1", "openai", "completion"),
        ("curie:ft-acme-2022-12-01-08-30-00", "openai", "completion"),
        ("ft:gpt-4.1:acme::Ab1", "openai", "chat"),
        ("gpt-9", "openai", "chat"),
        ("davinci-002", "compatible", "both"),
        ("gpt-5", "compatible", "both"),
        ("smollm2", "engine", "both"),
    ],
)
def test_servers_other_than_openai_take_both_kinds_of_request(name: str, kind: EndpointKind, can: str) -> None:
    made = about(name, kind)
    assert made.kind == can
    assert made.local is (kind == "engine")


def test_what_the_server_says_of_its_context_counts() -> None:
    assert about("gpt-5", context_length=9_000).context == 9_000
    assert about("gpt-5").context == 400_000
    assert about("nobody-knows", "compatible").context is None


# --- shutdown ---


@pytest.mark.parametrize(
    ("today", "gone"), [(date(2026, 10, 22), False), (date(2026, 10, 23), True), (date(2026, 10, 24), True)]
)
def test_a_model_is_retired_from_the_day_it_is_shut_down(today: date, gone: bool) -> None:
    made = about("gpt-4", today=today)
    assert (made.shutdown, made.retired, made.replacement) == ("2026-10-23", gone, "gpt-5")


@pytest.mark.parametrize("said", ["2027-05-06", "2027-05-06T00:00:00Z", "2027-05-06 12:00"])
def test_the_server_s_own_date_counts_more_than_the_table_s(said: str) -> None:
    made = about("gpt-4", shutdown_date=said)
    assert (made.shutdown, made.retired) == ("2027-05-06", False)


@pytest.mark.parametrize(
    "said", ["", "soon", "2026-13-45", "9999999999", "<b>2026-01-01</b>", "2026-1-1", "x" * 100_000]
)
def test_a_date_that_is_none_is_not_shown(said: str) -> None:
    assert about("gpt-4", shutdown_date=said).shutdown == "2026-10-23"
    made = about("llama", "compatible", shutdown_date=said)
    assert (made.shutdown, made.retired) == (None, False)


def test_other_servers_run_models_that_openai_has_shut_down() -> None:
    made = about("davinci-002", "compatible")
    assert (made.shutdown, made.retired, made.replacement) == (None, False, None)


def test_models_that_openai_no_longer_lists_are_shown_as_retired() -> None:
    gone = retired(model("gpt-5"))
    assert {"text-davinci-003", "davinci-002", "gpt-3.5-turbo-instruct", "gpt-4"} <= set(gone)
    assert "gpt-4o" not in gone
    assert all(each.retired and each.endpoint == "openai" for each in gone.values())
    assert {each.id for each in retired(today=date(2026, 9, 27)).values()} & {"davinci-002", "gpt-4"} == set()


def test_a_retired_model_that_is_still_listed_stays_in_its_group() -> None:
    assert listed(model("gpt-4")) == {"chat": ["gpt-4"]}
    assert "gpt-4" not in retired(model("gpt-4"))


def test_a_retired_model_names_what_follows_in_the_end() -> None:
    assert about("text-davinci-003", today=date(2026, 9, 27)).replacement == "gpt-3.5-turbo-instruct"
    assert about("text-davinci-003", today=date(2026, 9, 28)).replacement == "gpt-5-mini"
    assert retired()["curie"].replacement == "gpt-5-mini"
    assert about("curie:ft-acme-2022-12-01-08-30-00").replacement == "gpt-5-mini"


def test_what_takes_a_retired_model_s_place_is_not_retired_itself() -> None:
    for each in retired().values():
        assert each.replacement is not None
        assert each.replacement in catalog.facts()
        assert not about(each.replacement).retired


# --- prices ---


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ft:davinci-002:acme::Ab1", "$12 in · $12 out / 1M"),
        ("ft:gpt-4o-mini-2024-07-18:acme::Ab1", "$0.3 in · $1.2 out / 1M"),
        ("davinci:ft-acme-2023-01-30-12-00-00", "$120 in · $120 out / 1M"),
        ("gpt-5", "$1.25 in · $10 out / 1M"),
        ("gpt-5-nano", "$0.05 in · $0.4 out / 1M"),
        ("ft:nobody-knows:acme::Ab1", ""),
        ("nobody-knows", ""),
    ],
)
def test_a_price_is_that_of_a_million_tokens(name: str, text: str) -> None:
    assert price(name, "openai") == about(name).price == text


@pytest.mark.parametrize("kind", ["engine", "compatible"])
def test_one_s_own_server_has_no_price(kind: EndpointKind) -> None:
    assert about("gpt-5", kind).price == ""


# --- the models that jobs made ---


def job(**fields: Any) -> dict[str, Any]:
    name = "ft:gpt-4.1:acme::Ab1"
    return {"id": "ftjob-1", "status": "succeeded", "fine_tuned_model": name, "finished_at": 1_700_000_000, **fields}


def test_a_job_that_succeeded_gives_a_model() -> None:
    assert from_jobs("openai", [job()]) == [model("ft:gpt-4.1:acme::Ab1", created=1_700_000_000)]


@pytest.mark.parametrize("status", ["running", "failed", "cancelled", "queued", "", None, 1, ["succeeded"]])
def test_a_job_that_has_not_succeeded_gives_none(status: Any) -> None:
    assert from_jobs("openai", [job(status=status)]) == []


@pytest.mark.parametrize("name", [None, "", 0, 7, [], {}, ["ft:a"], True])
def test_a_job_without_a_model_s_name_gives_none(name: Any) -> None:
    assert from_jobs("openai", [job(fine_tuned_model=name), {}, {"status": "succeeded"}]) == []


@pytest.mark.parametrize("at", [None, True, "yesterday", 1.5, [], {}])
def test_a_job_s_odd_date_is_none(at: Any) -> None:
    assert from_jobs("openai", [job(finished_at=at)]) == [model("ft:gpt-4.1:acme::Ab1")]


# --- hostile lists ---

ODD = [
    *("", " ", "\n", "a\nb", "a\x00b", "\ud800", "\u202egpt-5", "\u200b", "x" * (LONGEST + 1), "x" * 1_000_000),
    *("<img src=x onerror=alert(1)>", "../../etc/passwd", "{{model}}", "🦜", "ft:", ":ft-", ":", "/", "gpt-5/", "٣"),
    *("ft:" + ":" * 100, "ft:a:b:c:d:ckpt-step-٣", "a:ckpt-step-1", "ft:a:b:c:ckpt-step-1:ckpt-step-2", "constructor"),
]


@pytest.mark.parametrize("endpoint", ["openai", "mine", "engine"])
@pytest.mark.parametrize("name", ODD, ids=range(len(ODD)))
def test_an_odd_name_is_shown_as_it_is_or_not_at_all(name: str, endpoint: str) -> None:
    shown = [each for ids in listed(model(name, endpoint)).values() for each in ids]
    assert shown == ([name] if name.strip() and len(name) <= LONGEST and name.isprintable() else [])


def test_models_of_a_server_that_is_not_there_are_not_offered() -> None:
    assert listed(model("gpt-5", "elsewhere"), model("gpt-5", "")) == {}


def test_a_list_of_10_000_odd_models_is_sorted_all_the_same() -> None:
    dice = random.Random(7)
    ages = [None, 0, -1, 1, 10**400, -(10**400)]
    dates = [None, "", "2026-01-01", "soon", "9" * 1_000]
    models = [
        model(
            f"{dice.choice(ODD)[:250]}{number if number % 3 else ''}",
            dice.choice([*ENDPOINTS, "elsewhere"]),
            created=dice.choice(ages),
            shutdown_date=dice.choice(dates),
            context_length=dice.choice([None, 0, -5, 10**30]),
            meta={"context_length": dice.choice([None, "many", [], True, 2.5])},
        )
        for number in range(10_000)
    ]
    found = groups(models, ENDPOINTS, today=TODAY)
    refs = [each.ref for group in found for each in group.items]
    assert len(refs) == len(set(refs)) > 1_000
    assert all(ref.isprintable() and len(ref) <= LONGEST + 10 for ref in refs)
    assert groups(models[::-1], ENDPOINTS, today=TODAY)[-1] == found[-1]


def test_10_000_checkpoints_of_one_model_stay_in_order() -> None:
    names = [f"ft:gpt-4.1:acme::Ab1:ckpt-step-{step}" for step in range(10_000)]
    shuffled = names.copy()
    random.Random(7).shuffle(shuffled)
    assert listed(*(model(name, "mine") for name in shuffled))["fine_tunes"] == names
