"""What a server's failure is called here, and what to do about it. Plain values in: no library's types."""

from __future__ import annotations

from playground import errors
from playground.types import Endpoint


def from_status(
    endpoint: Endpoint,
    *,
    status: int,
    said: str,
    code: str | None,
    param: str | None,
    retry_after: float | None = None,
) -> errors.EndpointError:
    """The error for an HTTP status. `said` is the server's own message, already redacted."""
    who = name(endpoint)
    quoted = f" It says: {said}" if said else ""
    kind, message, hint = _words(endpoint, who, status=status, quoted=quoted, code=code, retry_after=retry_after)
    return kind(message, hint=hint, status=status, code=code, param=param, retry_after=retry_after)


def _words(
    endpoint: Endpoint, who: str, *, status: int, quoted: str, code: str | None, retry_after: float | None
) -> tuple[type[errors.EndpointError], str, str]:
    if status == 401:
        # The server's own words often repeat the key: they are not shown.
        return errors.AuthenticationFailed, f"{who} does not accept the key.", _key_hint(endpoint)
    if status == 403:
        if code == "training_not_available":
            return (
                errors.PermissionDenied,
                f"{who} no longer trains models for this account.{quoted}",
                ("Fine-tune on this machine instead, or on another server."),
            )
        return errors.PermissionDenied, f"{who} does not allow this.{quoted}", "Check what the key may do."
    if status == 404:
        return (
            errors.NotFound,
            f"{who} does not know this model or address.{quoted}",
            ("Choose a model from the list. If the list is empty too, check that the base URL ends in /v1."),
        )
    if status == 429 and code in ("insufficient_quota", "billing_hard_limit_reached"):
        return (
            errors.QuotaExceeded,
            f"The account at {who} has no credit left.{quoted}",
            ("Waiting does not help: add credit, or use the model on this machine."),
        )
    if status == 429:
        wait = f" It asks to wait {retry_after:.0f} s." if retry_after else ""
        return (
            errors.RateLimited,
            f"{who} has had too many requests.{wait}{quoted}",
            "Wait a little, then submit again.",
        )
    if status >= 500:
        return (
            errors.ServerFailed,
            f"{who} failed (HTTP {status}).{quoted}",
            "Submit again; if it stays, try another model.",
        )
    if code == "context_length_exceeded":
        return (
            errors.BadRequest,
            f"The prompt and the maximum length do not fit the model's context.{quoted}",
            ("Shorten the prompt or lower the maximum length."),
        )
    return errors.BadRequest, f"{who} refused the request (HTTP {status}).{quoted}", "Change or unset what it names."


def connection(endpoint: Endpoint, *, after_text: bool) -> errors.ConnectionFailed:
    who = name(endpoint)
    if after_text:
        return errors.ConnectionFailed(
            f"The connection to {who} broke off.", hint="Submit again to continue from here."
        )
    if endpoint.kind == "engine":
        hint = "It is started again by itself: submit in a few seconds."
    else:
        hint = f"Is the server running, and is {endpoint.base_url} its address?"
    return errors.ConnectionFailed(f"{who} cannot be reached.", hint=hint)


def timed_out(endpoint: Endpoint, seconds: float) -> errors.TimedOut:
    return errors.TimedOut(
        f"{name(endpoint)} sent nothing for {seconds:g} s.", hint="Submit again, or raise PLAYGROUND_TIMEOUT in .env."
    )


def truncated(endpoint: Endpoint) -> errors.BadStream:
    return errors.BadStream(
        f"The answer of {name(endpoint)} ended before it was finished.", hint="Submit again to continue from here."
    )


def unreadable(endpoint: Endpoint) -> errors.BadStream:
    return errors.BadStream(
        f"The answer of {name(endpoint)} cannot be read.",
        hint="Submit again. If it stays, check that the base URL is an OpenAI-compatible server's and ends in /v1.",
    )


def name(endpoint: Endpoint) -> str:
    """How a message calls the server."""
    return {"engine": "The model on this machine", "openai": "OpenAI"}.get(
        endpoint.kind, f"The server {endpoint.name!r}"
    )


def _key_hint(endpoint: Endpoint) -> str:
    if endpoint.kind == "engine":
        return "Restart the app: its engine has another key."
    variable = "OPENAI_API_KEY" if endpoint.name in ("openai", "server") else f"{endpoint.name.upper()}_API_KEY"
    return f"Check {variable} in .env or the environment, then restart."
