"""What the parts of the page and the command line are handed: made once, passed in, held by nothing global."""

from __future__ import annotations

import asyncio
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from playground import pricing
from playground.chat_tokens import count_chat
from playground.engine_process import EngineProcess
from playground.errors import PlaygroundError, refused
from playground.library import Library
from playground.limits import Limits, limits_of
from playground.listing import Found, Listing, ask
from playground.neighbours import Neighbourhood
from playground.neighbours.kept import FILE
from playground.own_keys import offered, with_key
from playground.redact import forget_keys
from playground.settings import Settings
from playground.store import Store
from playground.tokens import Counter, TokenCount
from playground.turns import Turns
from playground.types import Endpoint, ModelInfo, Usage

if TYPE_CHECKING:
    from playground.client import Client
    from playground.client.client import Observer
    from playground.evaluate.opened import Opened
    from playground.evaluate.underway import Underway
    from playground.finetune.trained import Trained
    from playground.limits.meter import Meter

LONGEST_TRAINING = 10_000_000
"""Bytes of a training file that is read again for its separator and its ending."""
COUNTED = 1_000_000
"""Characters that are counted; a longer text fits no model of a quarter million tokens, and is guessed at four each."""
REMEMBERED = 500
"""Accounts whose parts are held; those of others are made again when they ask."""


@dataclass
class Deps:
    """The parts that are shared, and of a visitor what is theirs alone."""

    settings: Settings
    endpoints: tuple[Endpoint, ...]
    store: Store
    counter: Counter
    engine: EngineProcess | None = None
    neighbourhood: Neighbourhood = field(default_factory=Neighbourhood)
    limits: Limits = field(default_factory=Limits)
    turns: Turns = field(default_factory=Turns)
    #: Told of each answer at its end; set before the first is asked for.
    observer: Observer | None = None
    listing: Listing = field(default_factory=Listing)
    #: By name, the servers that a visitor asks with a key of their own.
    own: dict[str, Endpoint] = field(default_factory=dict)
    _trained: dict[tuple[str, str], asyncio.Task[Trained | PlaygroundError | None]] = field(default_factory=dict)
    #: The host's parts, where these are a visitor's.
    host: Deps | None = None
    _visiting: OrderedDict[str, Deps] = field(default_factory=OrderedDict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def of(self, account: str) -> Deps:
        """The parts as an account has them: a store and sweeps of its own. Servers and models are everybody's."""
        host = self.host or self
        if account == host.store.account:
            return host
        with self._guard:
            if account not in self._visiting:
                theirs: dict[str, Any] = {"listing": Listing(beside=host.listing), "own": {}, "_trained": {}}
                self._visiting[account] = replace(host, store=host.store.of(account), host=host, **theirs)
                self._forget_idle()
            self._visiting.move_to_end(account)
            return self._visiting[account]

    def _forget_idle(self) -> None:
        """What is forgotten of an account is only what was read last: one with a key of its own is still there."""
        beyond = max(0, len(self._visiting) - REMEMBERED)
        idle = [account for account, deps in self._visiting.items() if not deps.busy and not deps.own]
        for account in idle[:beyond]:
            del self._visiting[account]

    @property
    def busy(self) -> bool:
        """Whether a sweep of these parts is under way."""
        return "underway" in self.__dict__ and self.underway.busy

    @cached_property
    def client(self) -> Client:
        """The servers. Made when it is first asked for: the SDK takes half a second to import, and the page can be up
        before that."""
        from playground.client import Client
        from playground.limits.metered import Metered

        if self.host is not None:
            return Metered(self.host.client, self._meter(self.host.client), own=self.own)
        made = Client(self.endpoints, timeout=self.settings.timeout, turns=self.turns, observer=self.observer)
        return Metered(made, self._meter(made)) if self.limits.caps or self.settings.shared else made

    def _meter(self, client: Client) -> Meter:
        from playground.limits.meter import Meter

        return Meter(self.store, self.limits, self.counter, info_of=self._info, kind_of=client.kind_of)

    def _info(self, endpoint: str, model: str) -> ModelInfo:
        """What is known of a model, also of one that no server lists."""
        found = (info for info in self.models if info.endpoint == endpoint and info.id == model)
        return next(found, ModelInfo(id=model, endpoint=endpoint))

    @cached_property
    def library(self) -> Library:
        """The models on this machine. Nothing is looked up before something is asked for."""
        if self.host is not None:
            return self.host.library
        return Library.by(self.settings, engine=self.engine.delete_model if self.engine is not None else None)

    @cached_property
    def underway(self) -> Underway:
        """The sweeps that the page has begun."""
        from playground.evaluate.underway import Underway

        return Underway(self._work_out)

    def _work_out(self, sweep: str) -> None:
        """An evaluation's figures, before anybody opens it: of ten thousand answers they take seconds, and are kept."""
        from playground.evaluate.comparison import compare
        from playground.evaluate.table import is_evaluation

        found = self.opened.results(sweep)
        if is_evaluation(found.sweep.spec):
            _ = compare(found).columns

    @cached_property
    def opened(self) -> Opened:
        """The results of sweeps that the page looked at last."""
        from playground.evaluate.opened import Opened

        return Opened(self.store)

    @property
    def servers(self) -> Mapping[str, Endpoint]:
        """The servers by name, without making the client for it."""
        if self.host is not None:
            return {**self.host.servers, **self.own}
        made = "client" in self.__dict__
        return self.client.endpoints if made else {endpoint.name: endpoint for endpoint in self.endpoints}

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key this process knows, for the log's redaction."""
        found = [e.api_key for e in self.settings.endpoints if e.api_key]
        if self.engine:
            found.append(self.engine.endpoint.api_key or "")
        said = self.settings
        secret = (said.password, said.host_password, said.hub_token, said.telegram_key, said.metrics_token)
        found += [own.api_key for each in self.everyone for own in list(each.own.values()) if own.api_key]
        return tuple(filter(None, [*found, *secret]))

    async def engine_ready(self, say: Callable[[str], None] | None = None) -> None:
        """Wait until the engine answers, where there is one. Raises EngineError."""
        if self.engine is not None and self.engine.state.phase != "ready":
            await self.engine.start(say)

    @property
    def models(self) -> list[ModelInfo]:
        """The models of all servers, as they were listed last."""
        return self.listing.models

    @property
    def failures(self) -> Mapping[str, PlaygroundError]:
        """By endpoint, why its models could not be listed."""
        return self.listing.failures

    def training_file(self, ref: str) -> str | None:
        """The file that a fine-tuned model, `endpoint/model`, was trained on."""
        return self.listing.training_file(ref)

    async def list_models(self, say: Callable[[str], None] | None = None) -> list[ModelInfo]:
        """Ask every server at once; one that fails costs only its own models, and `failures` says why.

        `say` hears of the engine's start.
        """
        if self.host is not None:
            await asyncio.gather(self.host.list_models(say), *(self.relist(name) for name in self.own))
            return self.models
        await asyncio.to_thread(self._import)
        names = list(self.client.endpoints)
        answers = await asyncio.gather(*(self._models(name, say) for name in names))
        self.listing.replace(dict(zip(names, answers, strict=True)))
        return self.models

    async def relist(self, name: str) -> None:
        """Ask one server again; what the others have listed stays, in its place."""
        if self.host is not None and name not in self.own:
            await self.host.relist(name)
            return
        found = await self._models(name, None)
        if name in self.servers:  # a key may have been taken away meanwhile
            self.listing.put(name, found)

    def _import(self) -> None:
        """The SDK and the prices: a second of imports that would hold the page's loop up at its first visitor."""
        _ = self.client
        pricing.price_as(self.settings.price_as, Usage(prompt_tokens=0, completion_tokens=0))

    async def _models(self, name: str, say: Callable[[str], None] | None) -> Found:
        try:
            if self.engine is not None and name == self.engine.endpoint.name:
                await self.engine_ready(say)
        except PlaygroundError as error:
            return Found(failure=error)
        return await ask(self.client, name, self.neighbourhood)

    async def add_neighbour(self, url: str) -> Endpoint:
        """The server that was found at `url` joins the others, with its models. Raises PlaygroundError."""
        await asyncio.to_thread(self._import)
        made = await asyncio.to_thread(self.neighbourhood.add, url, dict(self.client.endpoints))
        if made.name not in self.client.endpoints:
            self.client.add(made)
        self.listing.remove(made.name)
        await self.relist(made.name)
        return made

    async def remove_neighbour(self, name: str) -> None:
        """A server that was added leaves, with its models. Raises PlaygroundError."""
        await asyncio.to_thread(self.neighbourhood.remove, name)
        self.client.remove(name)
        self.listing.remove(name)

    @property
    def offered_keys(self) -> tuple[str, ...]:
        """The servers that whoever asks may bring a key for."""
        allowed = self.host is not None and self.settings.own_keys
        return tuple(offered(self.host.servers)) if self.host is not None and allowed else ()

    async def bring_key(self, server: Any, key: Any) -> Endpoint:
        """From now on and for this visit, the server can be asked with that key, too.

        Raises PlaygroundError where it is not offered, or where the server does not take the key.
        """
        if self.host is None or not self.settings.own_keys:
            raise refused("own_key_server", param="server")
        made = with_key(self.host.servers, server, key)
        await asyncio.to_thread(self._import)
        self.forget_keys(made.name)
        self.own[made.name] = made
        found = await self._models(made.name, None)
        if found.failure is not None:
            self.forget_keys(made.name)
            raise found.failure
        if made.name in self.own:
            self.listing.put(made.name, found)
        return made

    def forget_keys_of(self, account: str) -> None:
        with self._guard:
            known = self._visiting.get(account)
        if known is not None and known.own:
            known.forget_keys()

    def forget_keys(self, *names: str) -> None:
        """A visitor's own keys, all of them where none is named. What is asked with one breaks off."""
        for name in [name for name in self.own if name in names or not names]:
            self.client.drop(name)
            self.listing.remove(name)
        forget_keys()

    async def trained_on(self, endpoint: str, file: str, *, again: bool = False) -> Trained | None:
        """What the pairs of a training file have in common; None where it holds none.

        Raises PlaygroundError where its server does not hand it over. Each file is asked for once; one that was not
        handed over is asked for `again` where that is wanted.
        """
        if self.host is not None and endpoint not in self.own:
            return await self.host.trained_on(endpoint, file, again=again)
        key = endpoint, file
        task = self._trained.get(key)
        if task is None or (again and task.done() and isinstance(task.result(), PlaygroundError)):
            task = self._trained[key] = asyncio.create_task(self._read_training(endpoint, file))
        found = await asyncio.shield(task)
        if isinstance(found, PlaygroundError):
            raise found.with_traceback(None)
        return found

    async def _read_training(self, endpoint: str, file: str) -> Trained | PlaygroundError | None:
        from playground.finetune.trained import trained_on

        try:
            data = await self.client.file_content(endpoint, file)
        except PlaygroundError as error:
            return error
        return await asyncio.to_thread(trained_on, data) if len(data) <= LONGEST_TRAINING else None

    async def count(self, text: str, info: ModelInfo) -> TokenCount:
        """Tokens of `text` by the model's own tokenizer: tiktoken for OpenAI's, the server's for others."""
        kind = self.client.kind_of(info.endpoint)
        if len(text) > COUNTED:
            return TokenCount(len(text) // 4, None, exact=False)
        if kind == "openai":
            return await asyncio.to_thread(self.counter.count, text, info.id)
        # GPT-2's way of splitting never crosses a space: only what changed is asked again. Of others we do not know it.
        splittable = info.meta.get("tokenizer_model") == "gpt2"
        tokenize = partial(self.client.tokenize, info.endpoint, model=info.id)
        return await self.counter.count_with(tokenize, text, key=info.ref, splittable=splittable)

    async def count_chat(self, body: Mapping[str, Any], info: ModelInfo) -> TokenCount:
        """Tokens that a chat request's messages and tools make: by the server's own template where it tells, else by
        the cookbook's rules, which are an estimate."""
        kind = self.client.kind_of(info.endpoint)
        characters = sum(len(str(message.get("content") or "")) for message in body["messages"])
        if characters > COUNTED:
            return TokenCount(characters // 4, None, exact=False)
        if kind != "openai" and not body.get("tools"):
            tokens = await self.client.tokenize_chat(info.endpoint, {**body, "model": info.id})
            if tokens is not None:
                return TokenCount(tokens, info.ref, exact=True)
        said = await asyncio.to_thread(count_chat, self.counter, body, info.id)
        return TokenCount(said.tokens, said.encoding, exact=False)

    async def count_request(self, written: Mapping[str, Any], tools: Any, info: ModelInfo) -> TokenCount:
        """Tokens of what a tab holds: a prompt, or messages with their functions."""
        if "prompt" in written:
            return await self.count(written["prompt"], info)
        return await self.count_chat({**written, **({"tools": tools} if tools else {})}, info)

    @property
    def everyone(self) -> tuple[Deps, ...]:
        """These parts, and those of all who visit."""
        return self, *self._visiting.values()

    async def aclose(self) -> None:
        for each in self.everyone:
            if "underway" in each.__dict__:
                await each.underway.close()
        if "library" in self.__dict__:
            await asyncio.to_thread(self.library.close)
        if "client" in self.__dict__:
            await self.client.aclose()
        if self.engine is not None:
            await asyncio.to_thread(self.engine.close)
        await asyncio.to_thread(self.store.close)


def open_deps(settings: Settings) -> Deps:
    """The parts by the settings; the engine gets ready while the rest goes on. Raises PlaygroundError."""
    limits = limits_of(settings)
    store = Store.open(settings)
    engine = None
    endpoints = list(settings.endpoints)
    if settings.engine:
        engine = EngineProcess(
            model_path=settings.model_path,
            log_path=settings.data_dir / "engine.log",
            data_dir=settings.data_dir / "engine",
            models_dir=settings.data_dir / "models",
            model_memory=settings.model_memory,
        )
        engine.launch()
        endpoints.insert(0, engine.endpoint)
    neighbourhood = Neighbourhood(settings.data_dir / FILE)
    return Deps(
        settings=settings,
        limits=limits,
        turns=Turns(at_once=settings.at_once),
        endpoints=(*endpoints, *neighbourhood.join(endpoints)),
        store=store,
        counter=Counter(),
        engine=engine,
        neighbourhood=neighbourhood,
    )
