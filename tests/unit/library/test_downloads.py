"""Models fetched from a hub: whole, resumed, checked, or refused in words with nothing half done in the list."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from playground.errors import InvalidRequest, LibraryError
from playground.library import Download, Library
from playground.library.downloads import Meter
from playground.library.transfer import Patience
from tests.fakes import tiny_models
from tests.fakes.hub import COMMIT, FakeHub, Repository
from tests.unit.library.conftest import FILE, ID, REPO, SOON, SOURCE

Open = Callable[..., Library]


def ended(library: Library, source: str = SOURCE, **options: object) -> Download:
    """The download from beginning to end."""
    begun = library.pull(source, **options)  # type: ignore[arg-type]
    return library.wait(begun.id, timeout=60)


def failure(download: Download) -> str:
    """What it failed with, which is said in both languages with something to do."""
    assert download.phase == "failed", download
    assert isinstance(download.error, LibraryError)
    english, spanish = download.error.texts("en"), download.error.texts("es")
    assert english[0] != spanish[0]
    assert english[1]
    assert spanish[1]
    return f"{download.error}"


def left(library: Library) -> list[str]:
    """What lies in the folder, locks apart."""
    found = [path for path in library.folder.rglob("*") if path.is_file() and path.suffix != ".lock"]
    return sorted(str(path.relative_to(library.folder)) for path in found)


# --- a whole one ---


def test_a_model_comes_from_the_hub_and_is_told_of(library: Library, served: FakeHub, weights: bytes) -> None:
    done = ended(library)
    assert (done.phase, done.error, done.done, done.total) == ("done", None, len(weights), len(weights))
    (model,) = library.installed()
    assert model.path.read_bytes() == weights
    assert (model.id, model.source, model.architecture, model.bytes) == (ID, SOURCE, "llama", len(weights))
    assert model.sha256 == served.repositories[REPO].files[FILE].sha256
    assert left(library) == [f"{ID}.gguf", f"{ID}.json"]


def test_what_was_described_is_what_is_fetched_and_storage_gets_no_token(open_library: Open, served: FakeHub) -> None:
    library = open_library(token="hf_known")
    assert ended(library).phase == "done"
    assert {asked.headers["authorization"] for asked in served.requests} == {"Bearer hf_known"}
    assert served.gets[0].path.startswith(f"/{REPO}/resolve/{COMMIT}/")
    assert all("authorization" not in asked.headers for asked in served.storage.requests)


def test_without_a_token_none_is_sent_to_another_hub(library: Library, served: FakeHub) -> None:
    assert ended(library).phase == "done"
    assert all("authorization" not in asked.headers for asked in served.requests)


def test_a_small_file_that_is_in_git_itself_is_checked_by_gits_own_name(
    library: Library, hub: FakeHub, weights: bytes
) -> None:
    hub.add(REPO, FILE, weights, lfs=False)
    assert ended(library).phase == "done"


def test_progress_goes_from_checking_to_done_and_never_back(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("hold:300000")
    begun = library.pull(SOURCE)
    assert begun.phase == "checking"
    seen = library.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    assert (seen.phase, seen.total) == ("downloading", len(served.repositories[REPO].files[FILE].data))
    served.storage.gate.set()
    assert library.wait(ID, timeout=60).phase == "done"


# --- paused, cut, resumed ---


def test_a_paused_download_goes_on_where_it_was(library: Library, served: FakeHub, weights: bytes) -> None:
    served.storage.enqueue("hold:300000")
    library.pull(SOURCE)
    library.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    paused = library.pause(ID)
    assert (paused.phase, paused.resumable, paused.error) == ("paused", True, None)
    assert library.installed() == ()
    had = paused.done
    served.storage.gate.set()
    library.resume(ID)
    assert library.wait(ID, timeout=60).phase == "done"
    assert served.storage.requests[-1].headers["range"] == f"bytes={had}-"
    assert library.installed()[0].path.read_bytes() == weights


def test_pause_is_heard_while_the_server_is_silent(open_library: Open, served: FakeHub) -> None:
    library = open_library(patience=Patience(silence=3600, tries=0))
    served.storage.enqueue("stall:300000")
    library.pull(SOURCE)
    library.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    assert library.pause(ID).phase == "paused"
    assert library.cancel(ID).phase == "cancelled"
    assert left(library) == []


def test_another_start_of_the_app_goes_on_with_what_there_is(
    open_library: Open, served: FakeHub, weights: bytes
) -> None:
    first = open_library()
    served.storage.enqueue("hold:500000")
    first.pull(SOURCE)
    first.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    first.close()
    served.storage.gate.set()
    second = open_library()
    (half,) = second.downloads()
    assert (half.id, half.phase, half.resumable, half.source) == (ID, "paused", True, SOURCE)
    assert 0 < half.done < len(weights)
    second.resume(ID)
    assert second.wait(ID, timeout=60).phase == "done"
    assert served.storage.requests[-1].headers["range"] == f"bytes={half.done}-"
    assert second.installed()[0].path.read_bytes() == weights


def test_a_line_that_is_cut_is_taken_up_again_by_itself(library: Library, served: FakeHub, weights: bytes) -> None:
    served.storage.enqueue("cut:300000", "503", "cut:200000", "ok")
    assert ended(library).phase == "done"
    ranges = [asked.headers.get("range") for asked in served.storage.requests]
    assert ranges == [None, "bytes=300000-", "bytes=300000-", "bytes=500000-"]
    assert library.installed()[0].path.read_bytes() == weights


def test_a_line_that_is_cut_again_and_again_is_told_and_what_came_is_kept(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("cut:300000", *["cut:0"] * 3)
    failed = ended(library)
    assert "broke off again and again" in failure(failed)
    assert failed.resumable
    assert library.installed() == ()
    library.resume(ID)
    assert library.wait(ID, timeout=60).phase == "done"
    assert served.storage.requests[-1].headers["range"] == "bytes=300000-"


def test_a_server_that_falls_silent_is_given_up(open_library: Open, served: FakeHub) -> None:
    library = open_library(patience=Patience(silence=0.3, tries=1, wait=0.01))
    served.storage.enqueue("stall:300000", "stall:0", "stall:0")
    failed = ended(library)
    assert "sends nothing more" in failure(failed)
    assert failed.resumable
    assert failed.done >= 262_144


def test_a_file_that_changed_in_the_meantime_is_fetched_from_its_beginning(
    library: Library, served: FakeHub, tmp_path: Path
) -> None:
    served.storage.enqueue("hold:300000")
    library.pull(SOURCE)
    library.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    library.pause(ID)
    served.storage.gate.set()
    other = tiny_models.write(tmp_path / "other.gguf", seed=7, size=200_000).read_bytes()
    served.add(REPO, FILE, other)
    library.resume(ID)
    assert library.wait(ID, timeout=60).phase == "done"
    assert "range" not in served.storage.requests[-1].headers
    assert library.installed()[0].path.read_bytes() == other


@pytest.mark.parametrize("fault", ["whole", "again"])
def test_a_server_that_gives_no_part_gives_the_whole(
    library: Library, served: FakeHub, weights: bytes, fault: str
) -> None:
    served.storage.enqueue("cut:300000", fault, "ok")
    assert ended(library).phase == "done"
    assert library.installed()[0].path.read_bytes() == weights


def test_a_cancelled_download_leaves_nothing_and_can_begin_anew(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("hold:300000")
    library.pull(SOURCE)
    library.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    assert library.cancel(ID).phase == "cancelled"
    assert left(library) == []
    with pytest.raises(InvalidRequest, match="cannot go on"):
        library.resume(ID)
    served.storage.gate.set()
    assert ended(library).phase == "done"


def test_a_paused_download_can_be_cancelled_and_dismissed(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("hold:300000")
    library.pull(SOURCE)
    library.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    library.pause(ID)
    library.cancel(ID)
    assert left(library) == []
    library.dismiss(ID)
    assert library.downloads() == ()


# --- the same file twice ---


def test_a_second_download_of_the_same_file_joins_the_first(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("hold:300000")
    library.pull(SOURCE)
    library.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    assert library.pull(SOURCE).done >= 262_144
    assert len(library.downloads()) == 1
    served.storage.gate.set()
    assert library.wait(ID, timeout=60).phase == "done"
    assert len(served.storage.requests) == 1


def test_another_file_of_the_same_name_is_refused_while_the_first_comes(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("hold:300000")
    library.pull(SOURCE)
    with pytest.raises(InvalidRequest, match=f"A model {ID} is being fetched, from {SOURCE}"):
        library.pull(f"someone/else:{FILE}")


def test_two_processes_do_not_write_one_file(open_library: Open, served: FakeHub) -> None:
    first, second = open_library(), open_library()
    served.storage.enqueue("hold:300000")
    first.pull(SOURCE)
    first.wait(ID, until=lambda state: state.done >= 262_144, timeout=60)
    assert "Another window or command is fetching" in failure(ended(second))
    # Nor is it told that there is no such model.
    with pytest.raises(LibraryError, match="Another window or command is fetching"):
        second.remove(ID)
    third = open_library()
    assert third.downloads() == ()
    served.storage.gate.set()
    assert first.wait(ID, timeout=60).phase == "done"


def test_a_half_that_another_process_has_ended_is_no_longer_told(open_library: Open, served: FakeHub) -> None:
    first, second = open_library(), open_library()
    served.storage.enqueue("cut:300000", "404")
    ended(first)
    assert [half.phase for half in second.downloads()] == ["paused"]
    served.storage.gate.set()
    first.resume(ID)
    first.wait(ID, timeout=60)
    assert second.downloads() == ()


def test_a_wrong_repository_does_not_keep_the_name_from_the_right_one(library: Library, served: FakeHub) -> None:
    assert "no repository" in failure(ended(library, f"someone/else:{FILE}"))
    assert ended(library).phase == "done"
    assert library.installed()[0].source == SOURCE


def test_one_that_was_cancelled_before_the_hub_said_a_word_can_begin_anew(open_library: Open, served: FakeHub) -> None:
    library = open_library(patience=Patience(silence=4, tries=0))
    served.head = "silent"
    library.pull(SOURCE)
    assert library.cancel(ID).phase == "cancelled"
    library.dismiss(ID)
    served.head = ""
    assert ended(library).phase == "done"
    assert left(library) == [f"{ID}.gguf", f"{ID}.json"]


# --- refused by the hub ---


def test_a_repository_that_is_not_there_is_told(library: Library, served: FakeHub) -> None:
    said = failure(ended(library, "owner/none:m.gguf"))
    assert "no repository owner/none" in said
    assert "HF_TOKEN" in said
    assert library.downloads()[0].resumable


@pytest.mark.parametrize("source", ["owner/none:m.gguf", f"{REPO}:none.gguf", f"{REPO}@none:{FILE}"])
def test_what_does_not_exist_is_not_taken_for_half_done_by_another_start_of_the_app(
    open_library: Open, served: FakeHub, source: str
) -> None:
    library = open_library()
    assert failure(ended(library, source))
    assert left(library) == []
    assert open_library().downloads() == ()
    # Here it can be tried again: a repository may be made meanwhile.
    (failed,) = library.downloads()
    served.add("owner/none", "m.gguf", served.repositories[REPO].files[FILE].data)
    library.resume(failed.id)
    assert library.wait(failed.id, timeout=60).phase == ("done" if "owner/none" in source else "failed")


def test_a_private_repository_opens_with_a_token(open_library: Open, served: FakeHub) -> None:
    served.repositories[REPO].private = True
    assert "or it is private" in failure(ended(open_library()))
    assert ended(open_library(token="hf_known")).phase == "done"


def test_a_file_that_is_not_there_is_told_with_where_to_look(library: Library, served: FakeHub) -> None:
    said = failure(ended(library, f"{REPO}:other.gguf"))
    assert f"{REPO} has no file other.gguf" in said
    assert f"{served.url}/{REPO}/tree/main" in said


def test_a_revision_that_is_not_there_is_told(library: Library, served: FakeHub) -> None:
    assert f"{REPO} has no revision v9" in failure(ended(library, f"{REPO}@v9:{FILE}"))


def test_a_gated_repository_says_where_its_terms_are(open_library: Open, hub: FakeHub, weights: bytes) -> None:
    hub.add(REPO, FILE, weights, gated=True)
    said = failure(ended(open_library()))
    assert "have accepted its terms" in said
    assert f"{hub.url}/{REPO}" in said
    assert "may not read" in failure(ended(open_library(token="hf_known")))
    hub.admitted.add(REPO)
    assert ended(open_library(token="hf_known")).phase == "done"


def test_a_wrong_token_is_told_and_never_repeated(open_library: Open, served: FakeHub) -> None:
    said = failure(ended(open_library(token="hf_canary")))
    assert "does not accept HF_TOKEN" in said
    assert "canary" not in said


@pytest.mark.parametrize("status", ["500", "503", "429"])
def test_a_hub_in_trouble_is_told(library: Library, served: FakeHub, status: str) -> None:
    served.head = status
    assert f"status {status}" in failure(ended(library))


@pytest.mark.parametrize("head", ["strange", "to:http://login.example/"])
def test_a_server_that_is_no_hub_is_told(library: Library, served: FakeHub, head: str) -> None:
    served.head = head
    assert "does not answer as the hub does" in failure(ended(library))


def test_storage_that_asks_for_a_login_is_no_model(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("html")
    assert "does not answer as the hub does" in failure(ended(library))
    assert library.installed() == ()


# --- no net ---


def test_offline_by_choice_nothing_is_asked_and_what_is_possible_is_said(open_library: Open, served: FakeHub) -> None:
    library = open_library(offline=True)
    said = failure(ended(library))
    assert "HF_HUB_OFFLINE" in said
    assert "by its path" in said
    assert served.requests == []
    assert str(library.offline()) == said


def test_without_a_net_it_is_said_soon_and_goes_on_later(
    open_library: Open, served: FakeHub, tmp_path: Path, free_port: int
) -> None:
    from playground.library.hub import Hub

    away = Library(tmp_path / "models", hub=Hub(endpoint=f"http://127.0.0.1:{free_port}"), patience=SOON)
    failed = ended(away)
    said = failure(failed)
    assert f"127.0.0.1:{free_port} cannot be reached" in said
    assert "Models that are here go on working" in said
    assert failed.resumable
    back = open_library()
    back.resume(ID)
    assert back.wait(ID, timeout=60).phase == "done"


def test_a_hub_that_says_nothing_is_given_up(open_library: Open, served: FakeHub) -> None:
    served.head = "silent"
    assert "sends nothing more" in failure(ended(open_library(patience=Patience(silence=0.3, tries=0))))


# --- what has come is not what it should be ---


def test_another_checksum_is_refused_and_deleted(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("flip")
    failed = ended(library)
    assert "its checksum is another" in failure(failed)
    assert left(library) == []
    # Another try begins anew.
    assert failed.resumable
    assert library.resume(ID).error is None
    assert library.wait(ID, timeout=60).phase == "done"


def test_a_file_longer_than_it_was_said_to_be_is_refused(library: Library, served: FakeHub) -> None:
    served.storage.enqueue("longer")
    assert "does not answer as the hub does" in failure(ended(library))
    assert library.installed() == ()


def spoilt(path: Path, **changes: object) -> bytes:
    return tiny_models.write(path / "spoilt.gguf", **changes).read_bytes()  # type: ignore[arg-type]


def hostile(count: int, tensors: int = 1) -> bytes:
    """A header that says it has so many entries, and has none."""
    return b"GGUF" + (3).to_bytes(4, "little") + tensors.to_bytes(8, "little") + count.to_bytes(8, "little")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: b"<html>", "is not a GGUF file"),
        (lambda _: b"", "is not a GGUF file"),
        (lambda _: b"GGUF", "version"),
        (lambda _: b"GGUF" + (9).to_bytes(4, "little") + bytes(100), "version"),
        (lambda _: hostile(1 << 60), "damaged"),
        (lambda _: hostile(50_000), "damaged"),
        (lambda _: hostile(0), "damaged"),
        (lambda _: hostile(1) + (1 << 29).to_bytes(8, "little"), "damaged"),
        (lambda path: spoilt(path)[:-100], "damaged"),
        (lambda path: spoilt(path)[:300], "damaged"),
        (lambda path: spoilt(path, metadata={"split.count": 3}), "one of 3 parts"),
        (lambda path: spoilt(path, metadata={"general.type": "adapter"}), "an adapter"),
        (lambda path: spoilt(path, metadata={"general.type": "imatrix"}), "of the kind imatrix"),
        (lambda path: spoilt(path, architecture="clip"), "sees images"),
    ],
)
def test_what_is_no_whole_model_is_refused_whatever_its_checksum(
    library: Library, hub: FakeHub, tmp_path: Path, make: Callable[[Path], bytes], said: str
) -> None:
    hub.add(REPO, FILE, make(tmp_path))
    failed = ended(library)
    assert said in failure(failed)
    assert failed.resumable == ("Fetch it again" in failure(failed))
    assert left(library) == []


# --- the disk ---


def test_a_model_larger_than_the_disk_is_refused_with_the_numbers_before_a_byte_comes(
    library: Library, served: FakeHub
) -> None:
    served.repositories[REPO].files[FILE].said_size = 10**18
    served.storage.enqueue("large")
    failed = ended(library)
    said = failure(failed)
    assert "needs 1,000,000,000.20 GB on disk" in said
    assert "are free in" in said
    assert (failed.done, left(library)) == (0, [f".partial/{ID}.json"])


def test_a_disk_that_fills_up_on_the_way_is_told(library: Library, served: FakeHub) -> None:
    # The system's own full disk stands where the bytes would go.
    (library.folder / ".partial").mkdir(parents=True)
    (library.folder / ".partial" / f"{ID}.part").symlink_to("/dev/full")
    plan = {"title": FILE, "source": SOURCE, "version": served.repositories[REPO].files[FILE].sha256, "about": {}}
    (library.folder / ".partial" / f"{ID}.json").write_text(json.dumps(plan))
    library.resume(ID)
    failed = library.wait(ID, timeout=60)
    said = failure(failed)
    assert "is full" in said
    assert failed.resumable


def test_a_folder_that_cannot_be_made_is_told(hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    library = Library(tmp_path / "file" / "models", patience=SOON)
    mine = tiny_models.write(tmp_path / "mine.gguf")
    assert "cannot be written" in failure(ended(library, str(mine)))


# --- licences, and the curated list ---


def test_terms_are_accepted_before_anything_is_asked(library: Library, hub: FakeHub) -> None:
    for source in ("llama-3.2-1b-instruct", "bartowski/Llama-3.2-1B-Instruct-GGUF:Llama-3.2-1B-Instruct-Q4_K_M.gguf"):
        with pytest.raises(InvalidRequest) as refusal:
            library.pull(source)
        assert "Llama 3.2 Community License" in refusal.value.message
        assert "https://www.llama.com/llama3_2/license/" in refusal.value.hint
    assert hub.requests == []


def test_accepted_terms_are_kept_beside_the_model(library: Library, hub: FakeHub, weights: bytes) -> None:
    hub.add("ggml-org/gemma-3-1b-it-GGUF", "gemma-3-1b-it-Q4_K_M.gguf", weights)
    # With its revision it is what is there, and not what the list has looked at: its checksum is the hub's.
    done = ended(library, "ggml-org/gemma-3-1b-it-GGUF@main:gemma-3-1b-it-Q4_K_M.gguf", accept=True)
    assert done.phase == "done"
    (model,) = library.installed()
    assert (model.id, model.title, model.licence) == ("gemma-3-1b-it", "Gemma 3 1B (Q4_K_M)", "Gemma Terms of Use")
    assert [offer.id for offer in library.offers() if offer.installed] == ["gemma-3-1b-it"]


def test_an_offer_whose_file_was_replaced_is_not_taken_for_the_one_on_the_list(
    library: Library, hub: FakeHub, weights: bytes
) -> None:
    hub.add("Qwen/Qwen3-0.6B-GGUF", "Qwen3-0.6B-Q8_0.gguf", weights)
    said = failure(ended(library, "qwen3-0.6b"))
    assert "no longer the one that was looked at" in said
    assert hub.storage.requests == []
    assert ended(library, "Qwen/Qwen3-0.6B-GGUF@main:Qwen3-0.6B-Q8_0.gguf").phase == "done"


@pytest.mark.parametrize(
    ("card", "licence", "languages"),
    [
        ({"license": "mit", "language": ["en", "es"]}, "mit", ("en", "es")),
        ({"license": "other", "license_name": "house-rules", "language": "es"}, "house-rules", ("es",)),
        ({"license": ["a", 3], "language": {"a": 1}, "license_link": "javascript:alert(1)"}, None, ()),
        ({}, None, ()),
    ],
)
def test_what_a_repositorys_card_says_is_kept_beside_the_model(
    library: Library, served: FakeHub, card: dict[str, object], licence: str | None, languages: tuple[str, ...]
) -> None:
    served.repositories[REPO].card = card
    assert ended(library).phase == "done"
    (model,) = library.installed()
    assert (model.licence, model.languages) == (licence, languages)
    assert model.licence_url in (None, f"{served.url}/{REPO}")


# --- speed ---


def test_speed_is_of_the_last_seconds_and_falls_when_nothing_comes() -> None:
    now = [0.0]
    meter = Meter(lambda: now[0])
    assert meter.speed() is None
    for second in range(20):
        now[0] = float(second)
        meter.add(second * 1_000)
    assert meter.speed() == pytest.approx(1_000)
    now[0] = 40.0
    assert (meter.speed() or 0) < 400
    meter.add(0)  # it began again
    assert meter.speed() is None


def test_an_empty_repository_of_the_fake_has_no_file(library: Library, hub: FakeHub) -> None:
    hub.repositories["owner/empty"] = Repository()
    assert "has no file m.gguf" in failure(ended(library, "owner/empty:m.gguf"))
