"""Models from any https address: whole, resumed, or refused; and no redirect to another host."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session

from playground.library import Download, Library
from tests.fakes.hub import FakeFiles
from tests.unit.library.conftest import SOON

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="a certificate is made with openssl")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate of this machine, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    key, crt, both = folder / "key.pem", folder / "crt.pem", folder / "both.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    made += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(crt)]
    subprocess.run(made, check=True, capture_output=True)
    both.write_text(key.read_text() + crt.read_text())
    return both


@pytest.fixture
def files(certificate: Path) -> Iterator[FakeFiles]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with FakeFiles(context) as server:
        yield server


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """SSL_CERT_FILE names that certificate, as a person does whose company has its own."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    close_session()
    yield
    close_session()


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "models", patience=SOON)


def ended(library: Library, source: str) -> Download:
    return library.wait(library.pull(source).id, timeout=60)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("fault", ["ok", "nolength"])
def test_a_model_comes_from_an_address(library: Library, files: FakeFiles, weights: bytes, fault: str) -> None:
    files.files["/my models/Mine.gguf"] = weights
    files.enqueue(fault)
    done = ended(library, f"{files.url}/my%20models/Mine.gguf")
    assert (done.phase, done.error) == ("done", None)
    assert [model.id for model in library.installed()] == ["mine"]
    assert library.installed()[0].path.read_bytes() == weights


@pytest.mark.usefixtures("trusted")
def test_it_is_resumed_from_the_same_content_only(
    library: Library, files: FakeFiles, weights: bytes, tmp_path: Path
) -> None:
    files.files["/m.gguf"] = weights
    files.enqueue("cut:300000", "ok")
    assert ended(library, f"{files.url}/m.gguf").phase == "done"
    last = files.requests[-1].headers
    assert last["range"] == "bytes=300000-"
    assert last["if-range"].startswith('"')


@pytest.mark.usefixtures("trusted")
def test_a_pause_is_heard_under_tls_and_the_content_may_change_meanwhile(
    library: Library, files: FakeFiles, weights: bytes
) -> None:
    files.files["/m.gguf"] = weights
    files.enqueue("hold:300000")
    library.pull(f"{files.url}/m.gguf")
    library.wait("m", until=lambda state: state.done >= 262_144, timeout=60)
    assert library.pause("m").phase == "paused"
    files.gate.set()
    other = files.files["/m.gguf"] = weights[:-4] + bytes(4)
    again = Library(library.folder, patience=SOON)
    again.resume("m")
    assert again.wait("m", timeout=60).phase == "done"
    assert again.installed()[0].path.read_bytes() == other


@pytest.mark.usefixtures("trusted")
def test_without_a_validator_it_begins_again(library: Library, files: FakeFiles, weights: bytes) -> None:
    files.files["/m.gguf"] = weights
    files.validator = False
    files.enqueue("cut:300000", "ok")
    assert ended(library, f"{files.url}/m.gguf").phase == "done"
    assert "range" not in files.requests[-1].headers
    assert library.installed()[0].path.read_bytes() == weights


@pytest.mark.usefixtures("trusted")
def test_a_checksum_that_is_given_is_held_to(library: Library, files: FakeFiles, weights: bytes) -> None:
    files.files["/m.gguf"] = weights
    wrong = ended(library, f"{files.url}/m.gguf#sha256={'0' * 64}")
    assert "its checksum is another" in str(wrong.error)
    right = ended(library, f"{files.url}/m.gguf#sha256={hashlib.sha256(weights).hexdigest()}")
    assert right.phase == "done"


@pytest.mark.usefixtures("trusted")
def test_a_short_file_is_no_whole_model(library: Library, files: FakeFiles, weights: bytes) -> None:
    files.files["/m.gguf"] = weights
    files.enqueue("short")
    assert "cut short" in str(ended(library, f"{files.url}/m.gguf").error)
    assert library.installed() == ()


@pytest.mark.usefixtures("trusted")
def test_a_page_in_place_of_a_file_is_no_model(library: Library, files: FakeFiles, weights: bytes) -> None:
    files.files["/m.gguf"] = weights
    files.enqueue("html")
    assert "is not a GGUF file" in str(ended(library, f"{files.url}/m.gguf").error)


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("to:https://elsewhere.example/m.gguf", "sends us on to elsewhere.example"),
        ("to:http://127.0.0.1:1/m.gguf", "sends us on to 127.0.0.1:1"),
        ("to:file:///etc/passwd", "sends us on to ?"),
        ("to:", "sends us round in circles"),
        ("404", "There is no file at this address"),
        ("403", "does not hand the file out"),
        ("418", "status 418"),
    ],
)
def test_an_address_that_does_not_give_a_file_is_told(
    library: Library, files: FakeFiles, weights: bytes, fault: str, said: str
) -> None:
    files.files["/m.gguf"] = weights
    files.enqueue(*[fault] * 10)
    failed = ended(library, f"{files.url}/m.gguf")
    assert said in str(failed.error)
    assert library.installed() == ()


@pytest.mark.usefixtures("trusted")
def test_a_redirect_on_the_same_host_is_followed(library: Library, files: FakeFiles, weights: bytes) -> None:
    files.files["/real.gguf"] = weights
    files.enqueue(f"to:{files.url}/real.gguf", "ok")
    assert ended(library, f"{files.url}/m.gguf").phase == "done"


def test_a_certificate_that_is_not_known_is_refused(library: Library, files: FakeFiles, weights: bytes) -> None:
    files.files["/m.gguf"] = weights
    failed = ended(library, f"{files.url}/m.gguf")
    assert "its certificate is not valid here" in str(failed.error)
    assert files.requests == []
