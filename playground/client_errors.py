"""What a server's failure is called here, and what to do about it. Plain values in: no library's types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Literal, TypeVar

from playground import errors
from playground.engine_words import recognised
from playground.redact import redact
from playground.settings import OWN, key_variable
from playground.types import Endpoint
from playground.words import Said

E = TypeVar("E", bound=errors.EndpointError)
Thing = Literal["job", "file", "batch"]

CANNOT = "cannot"
"""The code of an error that says: what was asked about is there, but the server has no way to do that with it."""
CLOSED = "training_not_available"
NO_SUCH_ROUTE = (404, 405, 501)
"""How servers say that they have no such thing at all."""
LONGEST_QUOTE = 400
CONTINUE = Said("error_hint.server_continue")
QUOTA_CODES = ("insufficient_quota", "billing_hard_limit_reached", "billing_not_active")
CONTEXT_SIGNS = ("context_length_exceeded", "exceed_context_size", "maximum context length")
"""How OpenAI, llama.cpp and vLLM say it: a code, a type, and only in words."""

#: An error in the middle of a stream has no status of its own; its code or type says which it would have been.
_STATUS_OF = {
    "invalid_request_error": 400,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "model_not_found": 404,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
}


def from_body(
    endpoint: Endpoint,
    body: object,
    *,
    status: int | None = None,
    retry_after: float | None = None,
    keys: Iterable[str] = (),
) -> errors.EndpointError:
    """The error that a server's error object (or text) stands for. `status` None: it came in the middle of a stream."""
    about = body if isinstance(body, dict) else {}
    said = _said(body, keys)
    code, kind = (_word(about.get(name), keys) for name in ("code", "type"))
    param = _word(about.get("param") or _place(about.get("detail")), keys)
    in_band = status is None
    if status is None:
        status = int(code) if code and re.fullmatch(r"[45]\d\d", code) else _STATUS_OF.get(code or "", 0)
        status = status or _STATUS_OF.get(kind or "", 500)
    if any(sign in f"{code} {kind} {said}".lower() for sign in CONTEXT_SIGNS):
        code = "context_length_exceeded"
    elif kind in QUOTA_CODES:
        code = kind
    elif code and code.isdigit():  # llama.cpp and vLLM repeat the status there
        code = None
    if in_band and status == 500:
        message = _quoted(_message("cut", endpoint), said)
        return errors.ServerFailed(message, hint=_hint("failed"), code=code, param=param)
    return from_status(endpoint, status=status, said=said, code=code, param=param, retry_after=retry_after)


def from_status(
    endpoint: Endpoint,
    *,
    status: int,
    said: str = "",
    code: str | None = None,
    param: str | None = None,
    retry_after: float | None = None,
) -> errors.EndpointError:
    """The error for an HTTP status. `said` is the server's own message, already redacted."""
    if status == 403 and code == CLOSED:
        return _closed_door(endpoint, said, param)
    kind, message, hint = _words(endpoint, status=status, code=code, param=param)
    if retry_after and retry_after >= 1 and status >= 429:
        message = Said("error.server_wait", {"what": message, "seconds": f"{retry_after:.0f}"})
    if said and status != 401:  # a 401's own words often repeat the key: they are not shown
        known = recognised(said) if endpoint.kind == "engine" else None
        message = _quoted(message, known or said)
        # The engine's own words say what to do about a value.
        hint = "" if known and kind is errors.BadRequest else hint
    return kind(message, hint=hint, status=status, code=code, param=param, retry_after=retry_after)


def _quoted(message: Said, said: str | Said) -> Said:
    """The message, and after it what the server says itself; nothing where that is empty."""
    if not said:
        return message
    return Said("error.server_says", {"what": message, "said": _closed(said) if isinstance(said, str) else said})


def _closed_door(endpoint: Endpoint, said: str, param: str | None) -> errors.PermissionDenied:
    """No training for this account any more, and since when OpenAI has none."""
    dates = json.loads(files("playground").joinpath("data", "training.json").read_text(encoding="utf-8"))
    quoted = Said("error_more.says", {"said": _closed(said)}) if said else ""
    since = {"new": dates["closed_to_new"], "all": dates["closed_to_all"]}
    args = {"who": _name(endpoint, "Named"), "quoted": quoted, **since}
    message, hint = Said("error.training_closed", args), Said("error_hint.training_closed")
    return errors.PermissionDenied(message, hint=hint, status=403, code=CLOSED, param=param)


def _message(key: str, endpoint: Endpoint, **args: str | int | float) -> Said:
    """The text `error.server_<key>`: {Who} is the server at a sentence's beginning, {who} inside one."""
    return Said(f"error.server_{key}", {"Who": _name(endpoint, "Named"), "who": _name(endpoint, "named"), **args})


def _name(endpoint: Endpoint, form: Literal["Named", "named"]) -> Said | str:
    if endpoint.kind == "openai":
        return "OpenAI"
    if endpoint.kind == "engine":
        return Said("server.Engine" if form == "Named" else "server.engine")
    return Said(f"server.{form}", {"name": endpoint.name})


def _hint(key: str, **args: str | float | Said) -> Said:
    return Said(f"error_hint.server_{key}", args)


def _closed(said: str) -> str:
    return said if said[-1] in ".!?…" else f"{said}."


def _words(
    endpoint: Endpoint, *, status: int, code: str | None, param: str | None
) -> tuple[type[errors.EndpointError], Said, Said | str]:
    def about(kind: type[E], key: str, hint: str | Said = "") -> tuple[type[E], Said, Said | str]:
        args: dict[str, str | int] = {"status": status, "param": param or ""}
        return kind, _message(key, endpoint, **args), hint if isinstance(hint, Said) else _hint(hint or key)

    match status:
        case 401:
            key = "wants_key" if endpoint.api_key is None else "bad_key"
            return about(errors.AuthenticationFailed, key, _key_hint(endpoint))
        case 403:
            return about(errors.PermissionDenied, "forbids")
        case 404 if code == "model_not_found" or param == "model":
            return about(errors.NotFound, "no_model")
        case 404:
            return about(errors.NotFound, "unknown", _hint("unknown", address=_address_hint(endpoint)))
        case 408:
            return about(errors.TimedOut, "gave_up", "again")
        case 413:
            return about(errors.BadRequest, "too_large")
        case 429 if code in QUOTA_CODES:
            return about(errors.QuotaExceeded, "no_credit")
        case 429:
            return about(errors.RateLimited, "busy")
        case _ if status >= 500:
            return about(errors.ServerFailed, "failed")
        case _ if code == "context_length_exceeded":
            return about(errors.BadRequest, "context")
        case 400 | 422 if (param or "").partition(".")[0] == "method":
            return about(errors.BadRequest, "method")
        case _ if status < 400:
            return about(errors.NotFound, "redirects")
        case _ if param == "model":
            return about(errors.BadRequest, "model_refused")
    return about(errors.BadRequest, "value_refused" if param else "refused", "refused")


def connection(endpoint: Endpoint, *, reached: bool = False, after_text: bool = False) -> errors.ConnectionFailed:
    """`reached`: the server took the connection and then dropped it."""
    if after_text:
        return errors.ConnectionFailed(_message("connection_cut", endpoint), hint=CONTINUE)
    hints = {"engine": _hint("engine_starts"), "openai": _hint("internet")}
    hint = hints.get(endpoint.kind) or _hint("running", url=redact(endpoint.base_url))
    return errors.ConnectionFailed(_message("closed" if reached else "unreachable", endpoint), hint=hint)


def bad_certificate(endpoint: Endpoint) -> errors.ConnectionFailed:
    return errors.ConnectionFailed(_message("certificate", endpoint), hint=_hint("certificate"))


def timed_out(endpoint: Endpoint, seconds: float) -> errors.TimedOut:
    return errors.TimedOut(_message("silent", endpoint, seconds=seconds), hint=_hint("silent"))


def paced(endpoint: Endpoint, seconds: float, *, waits: bool = False) -> errors.RateLimited:
    """What would be refused is not sent: the server has said what it lets through. `waits`: it will be, after that."""
    hint = Said("error_hint.limit_minute") if waits else _hint("pace", seconds=seconds)
    return errors.RateLimited(_message("pace", endpoint), hint=hint, retry_after=seconds)


def truncated(endpoint: Endpoint) -> errors.BadStream:
    return errors.BadStream(_message("truncated", endpoint), hint=CONTINUE)


def endless(endpoint: Endpoint) -> errors.BadStream:
    """An answer beyond anything that a model writes: its server is broken, or means harm."""
    return errors.BadStream(_message("endless", endpoint))


def unreadable(endpoint: Endpoint, *, after_text: bool = False) -> errors.BadStream:
    return errors.BadStream(_message("unreadable", endpoint), hint=CONTINUE if after_text else _address_hint(endpoint))


def not_an_api(endpoint: Endpoint) -> errors.BadStream:
    """A web page or another text where an answer should be: the base URL is a site's, not its API's."""
    return errors.BadStream(_message("no_api", endpoint), hint=_address_hint(endpoint))


def bad_key(endpoint: Endpoint) -> errors.AuthenticationFailed:
    return errors.AuthenticationFailed(_message("key_characters", endpoint), hint=_key_hint(endpoint))


def bad_address(endpoint: Endpoint) -> errors.NotFound:
    return errors.NotFound(_message("address", endpoint), hint=_hint("address"))


def no_such_action(endpoint: Endpoint, verb: Literal["pause", "resume"], *, status: int | None) -> errors.NotFound:
    """The job is there, but the server has no way to do that with it."""
    message = _message(f"no_{verb}", endpoint)
    return errors.NotFound(message, hint=_hint("job_goes_on"), status=status, code=CANNOT)


def not_there(endpoint: Endpoint, what: Thing, id: str, error: errors.NotFound) -> errors.NotFound:
    """A 404 that is about one thing, and not about the whole address."""
    message = _message(f"no_{what}", endpoint, id=id)
    return errors.NotFound(message, hint=_hint("elsewhere"), status=error.status, code=error.code, param=error.param)


def no_batches(endpoint: Endpoint, *, status: int | None) -> errors.NotFound:
    return errors.NotFound(
        _message("no_batches", endpoint), hint=_hint("no_batches"), status=status, code=CANNOT, param="batch"
    )


def no_export(endpoint: Endpoint, *, status: int | None) -> errors.NotFound:
    return errors.NotFound(_message("no_export", endpoint), hint=_hint("no_export"), status=status, code=CANNOT)


def bad_text() -> errors.BadRequest:
    return errors.BadRequest(Said("error.server_half_character"), hint=_hint("half_character"))


def _key_hint(endpoint: Endpoint) -> Said:
    if endpoint.kind == "engine":
        return _hint("engine_key")
    if endpoint.name.startswith(OWN):
        return _hint("own_key")
    return _hint("key", variable=key_variable(endpoint.name))


def _address_hint(endpoint: Endpoint) -> Said:
    if endpoint.kind == "engine":
        return _hint("restart")
    if endpoint.base_url.rstrip("/").endswith("/v1"):
        return _hint("base_url")
    return _hint("v1", url=redact(endpoint.base_url))


def _said(body: object, keys: Iterable[str]) -> str:
    """The server's own message in whichever field it has one: redacted, on one line and not endless."""
    said: object = body
    if isinstance(body, dict):
        said = body.get("message") or body.get("detail") or ""
    if isinstance(said, (dict, list)):  # FastAPI's list of what is wrong
        said = json.dumps(said, ensure_ascii=False)
    text = said if isinstance(said, str) else ""
    if text.lstrip()[:1] == "<":  # a proxy's web page says nothing to a person
        return ""
    # Redacted before it is cut, or half a key would be left at the end.
    return " ".join(redact(text[:100_000], keys).split())[:LONGEST_QUOTE]


def _place(detail: object) -> object:
    """Which value FastAPI's list of what is wrong begins with: `method.type`."""
    first = detail[0] if isinstance(detail, list) and detail else None
    loc = first.get("loc") if isinstance(first, dict) else None
    names = [str(name) for name in loc if name != "body"] if isinstance(loc, list) else []
    return ".".join(names) or None


def _word(value: object, keys: Iterable[str]) -> str | None:
    return redact(str(value), keys)[:80] if isinstance(value, (str, int)) and not isinstance(value, bool) else None
