"""The one error tree. Each error carries a message that is safe and useful to show.

PlaygroundError                 something a person can act on
├── InvalidRequest              a value we refuse before sending (`param` names it)
│   └── ContextExceeded         the prompt and the answer do not fit the model
├── ConfigurationError          the environment or `.env` cannot be used as it is
├── EndpointError               a model server refused or failed (`status`, `code`, `param`)
│   ├── BadRequest              400, 413, 422: the server refused a value
│   ├── AuthenticationFailed    401: the key is missing, wrong or revoked
│   ├── PermissionDenied        403
│   ├── NotFound                404: no such model or address
│   ├── RateLimited             429 (`retry_after` in seconds where the server says)
│   │   └── QuotaExceeded       429 with code `insufficient_quota`: waiting does not help
│   │       └── LimitReached    a day's or a month's limit that was set here
│   ├── ServerFailed            5xx
│   ├── ConnectionFailed        refused, unreachable, dropped
│   ├── TimedOut                no answer, or none for too long
│   └── BadStream               the answer broke off or could not be read
├── EngineError                 the embedded engine did not start or died
├── LibraryError                a model could not be fetched, checked or deleted
└── StoreError                  the database could not be read or written
"""

from __future__ import annotations

from playground.words import Language, Said, texts


class PlaygroundError(Exception):
    """Something went wrong that a person can act on.

    `message` says what happened, `hint` what to do next, in English. Neither may ever hold a key or a prompt. One that
    is given as a Said has its text in every language; `kind` (the class's name) is what the page calls it by.
    """

    def __init__(self, message: str | Said, *, hint: str | Said = "") -> None:
        self._said = (message, hint)
        self.message, self.hint = self.texts("en")
        super().__init__(self.message)

    def texts(self, language: Language) -> tuple[str, str]:
        """The message and the hint in that language, where they are known in it."""
        message, hint = (said.text(language) if isinstance(said, Said) else said for said in self._said)
        return message, hint

    @property
    def said(self) -> str | Said:
        """The message as a reason inside another sentence."""
        return self._said[0]

    @property
    def translated(self) -> bool:
        """Whether the message is known in every language, and not only what this error is called."""
        return isinstance(self._said[0], Said)

    @property
    def kind(self) -> str:
        return type(self).__name__

    @property
    def key(self) -> str:
        """The key of its message's text, such as `error.no_rows`; empty where it has none."""
        return self._said[0].key if isinstance(self._said[0], Said) else ""

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class InvalidRequest(PlaygroundError):
    """A value that is refused before anything is sent."""

    def __init__(self, message: str | Said, *, param: str | None = None, hint: str | Said = "") -> None:
        super().__init__(message, hint=hint)
        self.param = param


def refused(key: str, *, param: str | None = None, hint: str = "", **args: str | int | float | Said) -> InvalidRequest:
    """The error whose message is the text `error.<key>`, and whose hint, where there is one, `error_hint.<key>`;
    `hint` is another's key, where several errors share one.
    """
    todo = f"error_hint.{hint or key}"
    said = Said(todo, args) if todo in texts("en") else ""
    return InvalidRequest(Said(f"error.{key}", args), param=param, hint=said)


class ContextExceeded(InvalidRequest):
    """The prompt and the answer asked for do not fit into the model's context."""


class ConfigurationError(PlaygroundError):
    """The environment or `.env` cannot be used as it is."""


class EndpointError(PlaygroundError):
    """A model server refused a request or failed at it."""

    def __init__(
        self,
        message: str | Said,
        *,
        hint: str | Said = "",
        status: int | None = None,
        code: str | None = None,
        param: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after


class BadRequest(EndpointError):
    """400, 413 or 422: the server refused a value; `param` names it where the server says so."""


class AuthenticationFailed(EndpointError):
    """401: the key is missing, wrong or revoked."""


class PermissionDenied(EndpointError):
    """403: the key may not do this."""


class NotFound(EndpointError):
    """404: no such model, or the base URL is not an OpenAI-compatible server."""


class RateLimited(EndpointError):
    """429: too many requests or tokens in a short time; `retry_after` is in seconds."""


class QuotaExceeded(RateLimited):
    """429 with code `insufficient_quota`: the account has no credit, and waiting does not help."""


class LimitReached(QuotaExceeded):
    """A day's or a month's limit of this Playground is reached, or its host has stopped whoever asked."""


class ServerFailed(EndpointError):
    """5xx: the server failed."""


class ConnectionFailed(EndpointError):
    """The connection was refused, unreachable or dropped."""


class TimedOut(EndpointError):
    """The server did not answer, or stopped answering."""


class ServerBusy(EndpointError):
    """Too many wait for this server already, or the app is about to end: nothing was sent."""


class BadStream(EndpointError):
    """The answer broke off before its end, or could not be read."""


class EngineError(PlaygroundError):
    """The embedded engine did not start or died."""


class LibraryError(PlaygroundError):
    """A model could not be fetched, checked or deleted."""


def library_failed(key: str, *, hint: str = "", **args: str | int | float | Said) -> LibraryError:
    """The error whose message is the text `error.<key>`, and its hint as `refused` finds it."""
    todo = f"error_hint.{hint or key}"
    return LibraryError(Said(f"error.{key}", args), hint=Said(todo, args) if todo in texts("en") else "")


class StoreError(PlaygroundError):
    """The database could not be read or written."""
