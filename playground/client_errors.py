"""What a server's failure is called here, and what to do about it. Plain values in: no library's types."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.resources import files
from typing import Any, TypeVar

from playground import errors
from playground.engine_words import recognised
from playground.redact import redact
from playground.types import Endpoint
from playground.words import Said

E = TypeVar("E", bound=errors.EndpointError)

CANNOT = "cannot"
"""The code of an error that says: what was asked about is there, but the server has no way to do that with it."""
CLOSED = "training_not_available"
NO_SUCH_ROUTE = (404, 405, 501)
"""How servers say that they have no such thing at all."""
LONGEST_QUOTE = 400
CONTINUE = "Submit again to continue from here."
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
        quoted = f" It says: {_closed(said)}" if said else ""
        hint = "Try again; if it stays, try another model or server."
        return _error(
            errors.ServerFailed, f"{name(endpoint)} broke the answer off.{quoted}", hint, code=code, param=param
        )
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
    # A 401's own words often repeat the key: they are not shown.
    quoted = f" It says: {_closed(said)}" if said and status != 401 else ""
    if retry_after and retry_after >= 1 and status >= 429:
        quoted = f" It asks to wait {retry_after:.0f} s.{quoted}"
    if status == 403 and code == CLOSED:
        return _closed_door(endpoint, said, param)
    kind, message, hint = _words(endpoint, status=status, code=code, param=param)
    known = recognised(said) if endpoint.kind == "engine" and status != 401 else None
    if known:
        args: dict[str, str | int | float | Said] = {"what": message[0].upper() + message[1:], "said": known}
        told, todo = Said("error.engine_says", args), Said("error_hint.engine_says", {"hint": hint})
        return kind(told, hint=todo, status=status, code=code, param=param, retry_after=retry_after)
    return _error(kind, message + quoted, hint, status=status, code=code, param=param, retry_after=retry_after)


def _closed_door(endpoint: Endpoint, said: str, param: str | None) -> errors.PermissionDenied:
    """No training for this account any more, and since when OpenAI has none."""
    dates = json.loads(files("playground").joinpath("data", "training.json").read_text(encoding="utf-8"))
    who = "OpenAI" if endpoint.kind == "openai" else Said("error_more.server", {"name": endpoint.name})
    quoted = Said("error_more.says", {"said": _closed(said)}) if said else ""
    args = {"who": who, "new": dates["closed_to_new"], "all": dates["closed_to_all"], "quoted": quoted}
    message, hint = Said("error.training_closed", args), Said("error_hint.training_closed")
    return errors.PermissionDenied(message, hint=hint, status=403, code=CLOSED, param=param)


def _error(kind: type[E], message: str, hint: str, **about: Any) -> E:
    return kind(message[0].upper() + message[1:], hint=hint, **about)


def _closed(said: str) -> str:
    return said if said[-1] in ".!?…" else f"{said}."


def _words(
    endpoint: Endpoint, *, status: int, code: str | None, param: str | None
) -> tuple[type[errors.EndpointError], str, str]:
    who = name(endpoint)
    match status:
        case 401 if endpoint.api_key is None:
            return errors.AuthenticationFailed, f"{who} wants a key.", _key_hint(endpoint)
        case 401:
            return errors.AuthenticationFailed, f"{who} does not accept the key.", _key_hint(endpoint)
        case 403:
            return errors.PermissionDenied, f"{who} does not allow this.", "Check what the key may do."
        case 404 if code == "model_not_found" or param == "model":
            return errors.NotFound, f"{who} does not have this model.", "Choose a model from the list."
        case 404:
            hint = f"Choose a model from the list. {_address_hint(endpoint)}"
            return errors.NotFound, f"{who} does not know this address or model.", hint
        case 408:
            return errors.TimedOut, f"{who} gave up waiting for the request.", "Submit again."
        case 413:
            return errors.BadRequest, f"The request is too large for {who}.", "Shorten the prompt."
        case 429 if code in QUOTA_CODES:
            hint = "Waiting does not help: add credit, or use the model on this machine."
            return errors.QuotaExceeded, f"The account at {who} has no credit left.", hint
        case 429:
            return errors.RateLimited, f"{who} has had too many requests.", "Wait a little, then submit again."
        case _ if status >= 500:
            hint = "Try again; if it stays, try another model or server."
            return errors.ServerFailed, f"{who} failed (HTTP {status}).", hint
        case _ if code == "context_length_exceeded":
            hint = "Shorten the prompt or lower the maximum length."
            return errors.BadRequest, "The prompt and the maximum length do not fit the model's context.", hint
        case 400 | 422 if (param or "").partition(".")[0] == "method":
            hint = "Train with another method, or another base."
            return errors.BadRequest, f"{who} does not train this model by this method.", hint
        case _ if status < 400:
            hint = "Redirects are not followed, so that the key goes nowhere else: set the final address as base URL."
            return errors.NotFound, f"{who} sends elsewhere (HTTP {status}).", hint
    what = f"{who} refused the value of {param}." if param else f"{who} refused the request (HTTP {status})."
    return errors.BadRequest, what, "Change or unset what it names."


def connection(endpoint: Endpoint, *, reached: bool = False, after_text: bool = False) -> errors.ConnectionFailed:
    """`reached`: the server took the connection and then dropped it."""
    who = name(endpoint)
    if after_text:
        return _error(errors.ConnectionFailed, f"the connection to {who} broke off.", CONTINUE)
    if endpoint.kind == "engine":
        hint = "It is started again by itself: submit in a few seconds."
    elif endpoint.kind == "openai":
        hint = "Check this machine's connection to the internet."
    else:
        hint = f"Is the server running, and is {redact(endpoint.base_url)} its address?"
    what = "closed the connection without an answer" if reached else "cannot be reached"
    return _error(errors.ConnectionFailed, f"{who} {what}.", hint)


def bad_certificate(endpoint: Endpoint) -> errors.ConnectionFailed:
    hint = "Check the address and this machine's certificates and clock."
    return _error(errors.ConnectionFailed, f"{name(endpoint)} shows a certificate that cannot be trusted.", hint)


def timed_out(endpoint: Endpoint, seconds: float) -> errors.TimedOut:
    hint = "Submit again, or raise PLAYGROUND_TIMEOUT in .env."
    return _error(errors.TimedOut, f"{name(endpoint)} sent nothing for {seconds:g} s.", hint)


def truncated(endpoint: Endpoint) -> errors.BadStream:
    return _error(errors.BadStream, f"the answer of {name(endpoint)} ended before it was finished.", CONTINUE)


def unreadable(endpoint: Endpoint, *, after_text: bool = False) -> errors.BadStream:
    hint = CONTINUE if after_text else _address_hint(endpoint)
    return _error(errors.BadStream, f"the answer of {name(endpoint)} cannot be read.", hint)


def not_an_api(endpoint: Endpoint) -> errors.BadStream:
    """A web page or another text where an answer should be: the base URL is a site's, not its API's."""
    message = f"{name(endpoint)} answered with something else than an API does."
    return _error(errors.BadStream, message, _address_hint(endpoint))


def bad_key(endpoint: Endpoint) -> errors.AuthenticationFailed:
    what = "a character that no key has (a space, a line break, a typographic quote)"
    return _error(errors.AuthenticationFailed, f"the key for {name(endpoint)} holds {what}.", _key_hint(endpoint))


def bad_address(endpoint: Endpoint) -> errors.NotFound:
    hint = "Write it like http://localhost:8000/v1."
    return _error(errors.NotFound, f"the address of {name(endpoint)} cannot be used.", hint)


def no_such_action(endpoint: Endpoint, what: str, *, status: int | None) -> errors.NotFound:
    """The thing is there, but the server has no way to do `what` with it."""
    hint = "The job goes on as it is: wait for its end, or cancel it."
    return _error(errors.NotFound, f"{name(endpoint)} has no way to {what}.", hint, status=status, code=CANNOT)


def no_export(endpoint: Endpoint, *, status: int | None) -> errors.NotFound:
    hint = "Only a model that was trained on this machine can be had as a file."
    return _error(errors.NotFound, f"{name(endpoint)} does not hand models out.", hint, status=status, code=CANNOT)


def bad_text() -> errors.BadRequest:
    hint = "Delete what shows as � or a box, or paste the text again."
    return _error(errors.BadRequest, "the text holds half a character, which cannot be sent.", hint)


def name(endpoint: Endpoint) -> str:
    """How a message calls the server, inside a sentence."""
    known = {"engine": "the model on this machine", "openai": "OpenAI"}
    return known.get(endpoint.kind, f"the server {endpoint.name!r}")


def _key_hint(endpoint: Endpoint) -> str:
    if endpoint.kind == "engine":
        return "Restart the app: its engine has another key."
    own = re.sub(r"\W", "_", endpoint.name).upper() + "_API_KEY"
    variable = "OPENAI_API_KEY" if endpoint.name in ("openai", "server") else own
    return f"Check {variable} in .env or the environment, then restart."


def _address_hint(endpoint: Endpoint) -> str:
    if endpoint.kind == "engine":
        return "Restart the app."
    if endpoint.base_url.rstrip("/").endswith("/v1"):
        return "Check the base URL: is it an OpenAI-compatible server's?"
    return f"Does the base URL end in /v1? It is {redact(endpoint.base_url)}."


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
