"""What the hub says of a file, through huggingface_hub: where it is, how long, and its checksum."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from playground.errors import LibraryError, library_failed
from playground.library.network import host_of, network_failure
from playground.library.sources import HubFile
from playground.library.transfer import Broken, Patience, Remote

DEFAULT_ENDPOINT = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class Hub:
    """HF_ENDPOINT, HF_TOKEN and HF_HUB_OFFLINE, which `.env` may hold too. Without a token here, the one that
    `hf auth login` has left is used."""

    endpoint: str = DEFAULT_ENDPOINT
    token: str | None = field(default=None, repr=False)
    offline: bool = False

    def page(self, repo: str) -> str:
        return f"{self.endpoint}/{repo}"


def find(source: HubFile, hub: Hub, patience: Patience) -> Remote:
    """The file as the hub has it now. Raises LibraryError, and Broken where another try may help."""
    online(hub)
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    with _mapped(source, hub):
        token = _token(hub)
        url = hf_hub_url(source.repo, source.file, revision=source.revision, endpoint=hub.endpoint)
        timeout = min(patience.silence, 10.0)
        said = get_hf_file_metadata(url, token=token or False, timeout=timeout, endpoint=hub.endpoint)
        if said.commit_hash is None:
            raise library_failed("library_no_hub", host=host_of(hub.endpoint))
        # The commit's own address: what is fetched is what was just described. Xet's protocol is left out: the hub
        # serves every file over plain https, too, by a redirect to its storage.
        pinned = hf_hub_url(source.repo, source.file, revision=said.commit_hash, endpoint=hub.endpoint)
    etag = said.etag or ""
    return Remote(
        url=pinned,
        headers={"authorization": f"Bearer {token}"} if token else {},
        total=said.size,
        version=etag or None,
        sha256=etag.lower() if re.fullmatch(r"[0-9a-fA-F]{64}", etag) else None,
        git_sha1=etag.lower() if re.fullmatch(r"[0-9a-fA-F]{40}", etag) else None,
        roams=True,
    )


def described(source: HubFile, hub: Hub, patience: Patience) -> dict[str, Any]:
    """What the repository's card says of licence and languages, as it stands beside a model; {} where it says nothing,
    or is not to be had: nobody waits for it twice, and no download fails for it."""
    import httpx2
    from huggingface_hub import HfApi, errors

    api = HfApi(endpoint=hub.endpoint, token=_token(hub) or False)
    try:
        card: Any = api.model_info(source.repo, timeout=min(patience.silence, 10.0)).card_data
    except (httpx2.HTTPError, errors.HfHubHTTPError, OSError, ValueError, KeyError, TypeError):
        return {}
    said = card.to_dict() if card is not None else {}
    name = said.get("license_name") if said.get("license") == "other" else said.get("license")
    languages = said.get("language")
    listed = languages if isinstance(languages, list) else [languages]
    codes = [each for each in listed[:200] if isinstance(each, str) and re.fullmatch(r"[a-zA-Z-]{2,12}", each)]
    link = said.get("license_link")
    return {
        "licence": name[:100] if isinstance(name, str) else None,
        "licence_url": link[:500] if isinstance(link, str) and link.startswith("https://") else hub.page(source.repo),
        "languages": codes,
    }


def _token(hub: Hub) -> str | None:
    """A mirror at an address of its own gets the token that was given for it, and never the one of a login."""
    from huggingface_hub import get_token

    return hub.token or (get_token() if hub.endpoint == DEFAULT_ENDPOINT else None)


def online(hub: Hub) -> None:
    """Raises LibraryError where nothing is to be fetched from the net."""
    if hub.offline:
        raise library_failed("library_offline")


@contextmanager
def _mapped(source: HubFile, hub: Hub) -> Iterator[None]:
    """huggingface_hub's exceptions in our words."""
    import httpx2
    from huggingface_hub import errors

    host = host_of(hub.endpoint)
    try:
        yield
    except errors.OfflineModeIsEnabled:
        raise library_failed("library_offline") from None
    except errors.HfHubHTTPError as error:
        raise _refusal(error, source, hub) from None
    except errors.HFValidationError:
        raise library_failed("library_no_repository", repo=source.repo, host=host) from None
    except (httpx2.HTTPError, httpx2.InvalidURL, ConnectionError) as error:
        raise Broken(network_failure(error, host)) from None


def _refusal(error: Exception, source: HubFile, hub: Hub) -> LibraryError:
    from huggingface_hub import errors

    status: int = getattr(getattr(error, "response", None), "status_code", 0)
    host, page = host_of(hub.endpoint), hub.page(source.repo)
    if isinstance(error, errors.GatedRepoError):
        key = "library_gated" if status == 401 else "library_not_admitted"
        return library_failed(key, repo=source.repo, url=page)
    if status == 401 and hub.token:
        return library_failed("library_token", host=host)
    if isinstance(error, errors.RepositoryNotFoundError) or status == 401:
        return library_failed("library_no_repository", repo=source.repo, host=host)
    if isinstance(error, errors.RevisionNotFoundError):
        return library_failed(
            "library_no_revision", hint="library_other_file", repo=source.repo, revision=source.revision
        )
    if isinstance(error, errors.RemoteEntryNotFoundError) or status == 404:
        files = f"{page}/tree/{quote(source.revision, safe='')}"
        return library_failed("library_no_hub_file", repo=source.repo, file=source.file, url=files)
    if status == 403:
        return library_failed("library_not_admitted", repo=source.repo, url=page)
    return library_failed("library_status", host=host, status=status)
