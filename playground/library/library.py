"""The models on this machine, behind one class. Everything blocks for a moment at most but `wait`, `check` and `end`s
of downloads, which take as long as a disk does; downloads run in threads of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from playground.errors import PlaygroundError, library_failed, refused
from playground.library import offers as curated
from playground.library.downloads import Job, Plan
from playground.library.folder import Folder, named
from playground.library.hub import Hub, online
from playground.library.records import Download, Installed, Offer
from playground.library.sources import LocalFile, Source, parse, slug
from playground.library.transfer import Patience
from playground.settings import Settings

RESERVED = ("smollm2-135m-instruct",)
"""Ids that the engine gives models of its own."""


class Library:
    """One folder of models. `engine(id)` asks a running engine to delete a model: True where it did, False where there
    is no engine that knows it; it raises a PlaygroundError where the model is in use."""

    def __init__(
        self,
        folder: Path,
        *,
        hub: Hub | None = None,
        patience: Patience | None = None,
        engine: Callable[[str], bool] | None = None,
    ) -> None:
        self.folder = folder
        self.hub = hub or Hub()
        self._folder = Folder(folder)
        self._patience = patience or Patience()
        self._engine = engine
        self._jobs: dict[str, Job] = {}
        self._leaving: dict[str, Job] = {}  # dismissed, but perhaps not ended yet
        self._guard = threading.RLock()  # of the jobs; a job's own thread never takes it
        self._changes = threading.Condition()

    @classmethod
    def by(cls, settings: Settings, *, engine: Callable[[str], bool] | None = None) -> Library:
        """The library of the data folder."""
        hub = Hub(endpoint=settings.hub_url, token=settings.hub_token, offline=settings.hub_offline)
        return cls(settings.data_dir / "models", hub=hub, engine=engine)

    # --- what there is ---

    def offers(self) -> tuple[Offer, ...]:
        """The curated list, small to larger, with what is here marked."""
        return curated.offers(model.id for model in self.installed())

    def installed(self) -> tuple[Installed, ...]:
        """Every whole model of the folder, whoever put it there."""
        return tuple(self._folder.installed())

    def downloads(self) -> tuple[Download, ...]:
        """Those under way, those that can go on (also of an earlier run of the app), and how the others of this run
        ended, until they are dismissed."""
        self._find_halves()
        with self._guard:
            return tuple(job.snapshot() for job in self._jobs.values())

    def offline(self) -> PlaygroundError | None:
        """Why nothing can be fetched from the net, where that is known without asking it."""
        try:
            online(self.hub)
        except PlaygroundError as error:
            return error
        return None

    # --- what is done ---

    def pull(self, source: str, *, accept: bool = False, name: str | None = None) -> Download:
        """Begin to fetch what `source` means: an offer's id, or what sources.py reads; `accept`s its licence.

        One that is under way or half done already is joined. Raises InvalidRequest for what is refused at once; what
        goes wrong later is the download's `error`.
        """
        plan = self._planned(source.strip(), accept=accept, name=name)
        self._find_halves()
        with self._guard:
            job = self._jobs.get(plan.id)
            if job is None or not self._joins(plan, job):
                self._refuse_present(plan)
                earlier = job or self._leaving.pop(plan.id, None)
                job = self._jobs[plan.id] = self._job(plan, after=earlier)
        job.start()
        return job.snapshot()

    def _joins(self, plan: Plan, job: Job) -> bool:
        """Whether that download is this one. Raises InvalidRequest where it is another that has brought something."""
        state = job.snapshot()
        if state.source == plan.source.text:
            return not state.ended or state.resumable
        if not state.ended or (state.resumable and state.done):
            what = {"model": plan.id, "source": state.source}
            raise refused("library_other_coming", param="source", hint="library_other_here", **what)
        return False

    def pause(self, id: str) -> Download:
        """Keep what has come and stop. Nothing happens to one that is not under way."""
        job = self._known(id)
        if job.snapshot().active:
            job.end("paused")
        return job.snapshot()

    def resume(self, id: str) -> Download:
        """Go on with a paused or failed one."""
        job = self._known(id)
        state = job.snapshot()
        if not state.active:
            if not state.resumable:
                raise refused("library_not_paused", param="model", model=id)
            job.start()
        return job.snapshot()

    def cancel(self, id: str) -> Download:
        """Stop, and delete what has come."""
        job = self._known(id)
        if job.snapshot().phase != "done":
            job.end("cancelled")
        return job.snapshot()

    def dismiss(self, id: str) -> None:
        """Leave one that has ended out of `downloads`; what a failed one had brought is deleted."""
        job = self._known(id)
        state = job.snapshot()
        if state.ended:
            if state.phase == "failed":
                job.end("cancelled")
            with self._guard:
                self._leaving[id] = self._jobs.pop(id, job)

    def remove(self, id: str) -> None:
        """Delete a model. A running engine is asked first: it knows whether the model is in use."""
        if id in RESERVED:
            raise refused("library_default", param="model", name=id)
        if not self._folder.has(named(id)):
            if id in self._folder.plans() and self._folder.busy(id):
                raise library_failed("library_elsewhere", model=id)
            raise refused("library_no_model", param="model", model=id)
        if self._engine is not None and self._engine(id) and not self._folder.has(id):
            self._folder.about(id).unlink(missing_ok=True)
        else:
            self._folder.remove(id)
        with self._guard:
            job = self._jobs.get(id)
            if job is not None and job.snapshot().phase == "done":
                del self._jobs[id]

    def wait(
        self, id: str, *, timeout: float | None = None, until: Callable[[Download], bool] | None = None
    ) -> Download:
        """Block until `until(download)`, by default until nothing happens any more; at most `timeout` seconds."""
        job = self._known(id)
        holds = until or (lambda state: not state.active)
        with self._changes:
            self._changes.wait_for(lambda: holds(job.snapshot()), timeout)
        return job.snapshot()

    def close(self) -> None:
        """Pause everything: another start of the app goes on."""
        for job in tuple(self._jobs.values()):
            if job.snapshot().active:
                job.end("paused")

    # --- inside ---

    def _planned(self, text: str, *, accept: bool, name: str | None) -> Plan:
        offer = curated.find(text) or None
        source = parse(offer.source if offer else text)
        pinned = offer.sha256 if offer else None
        offer = offer or curated.find(source.text)
        if isinstance(source, LocalFile) and not source.path.is_file():
            raise refused("library_no_path", param="source", path=str(source.path))
        if offer is not None and offer.licence.must_accept and not accept:
            licence = offer.licence
            args = {"title": offer.title, "licence": licence.name, "url": licence.url}
            raise refused("library_licence", param="accept", **args)
        id = named(name) if name else offer.id if offer else slug(source.name)
        if id in RESERVED:
            raise refused("library_default", param="name", name=id)
        total = offer.bytes if offer else None
        return Plan(id=id, title=_title(offer, source), source=source, pinned=pinned, total=total, about=_about(offer))

    def _refuse_present(self, plan: Plan) -> None:
        if self._folder.has(plan.id):
            here = self._folder.describe(plan.id)
            if here.source in (None, plan.source.text):
                raise refused("library_here", param="source", model=plan.id)
            raise refused("library_other_here", param="source", model=plan.id, source=here.source or "")

    def _find_halves(self) -> None:
        """What an earlier run of the app has left half done. What another process is at, or has ended, is not ours."""
        plans = self._folder.plans()
        with self._guard:
            for id, job in tuple(self._jobs.items()):
                if job.snapshot().phase == "paused" and (id not in plans or self._folder.busy(id)) and not job.thread:
                    del self._jobs[id]
        for id, said in plans.items():
            with self._guard:
                if id in self._jobs or self._folder.busy(id):
                    continue
                try:
                    source = parse(said["source"])
                except PlaygroundError:
                    continue
                about = said.get("about")
                plan = Plan(
                    id=id,
                    title=str(said.get("title") or id),
                    source=source,
                    pinned=said.get("pinned"),
                    version=said.get("version"),
                    total=said["total"] if type(said.get("total")) is int else None,
                    about=about if isinstance(about, dict) else {},
                )
                self._jobs[id] = self._job(plan, paused=True)

    def _job(self, plan: Plan, *, paused: bool = False, after: Job | None = None) -> Job:
        return Job(plan, self._folder, self.hub, self._patience, self._say, paused=paused, after=after)

    def _known(self, id: str) -> Job:
        self._find_halves()
        with self._guard:
            job = self._jobs.get(id)
        if job is None:
            raise refused("library_no_download", param="model", model=id[:100])
        return job

    def _say(self) -> None:
        with self._changes:
            self._changes.notify_all()


def _title(offer: Offer | None, source: Source) -> str:
    return offer.title if offer else source.name


def _about(offer: Offer | None) -> dict[str, object]:
    """What the list says of a model, to be kept beside it."""
    if offer is None:
        return {}
    said: dict[str, object] = {"licence": offer.licence.name, "licence_url": offer.licence.url}
    return {**said, "languages": list(offer.languages)}
