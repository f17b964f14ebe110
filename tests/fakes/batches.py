"""OpenAI's batches for the fake server, over the files of `training`, with what goes wrong with them.

server.batches.on = True                      else there is no /v1/batches at all
server.batches.hold = True                    nothing moves by being asked for; else each look is one stage further
server.batches.paid["7"]                      how often the request with this custom_id was answered
server.batches.most_waiting = 10              of more requests than these at once it refuses a batch
server.batches.line("7", 500, 429)            what its next answers are instead, one a batch
server.batches.next("expire", "no_errors")    what happens to the next batches, one each, `+` joins several:
    fail:CODE, fail_line:N   its file is refused, whole or at that line       lost_create  made, then HTTP 500
    expire                   half of it is not asked in time                  no_output, no_errors  a file is gone
    backwards                its lines come in another order                  strange   doubled, unknown, broken lines
    bad_first                a call has a line that failed before the one that answers it
    cancel                   somebody cancels it                              bare      without request_counts
"""

from __future__ import annotations

import json
from collections import Counter, deque
from typing import TYPE_CHECKING, Any

from tests.fakes import payloads
from tests.fakes.faults import refuse
from tests.fakes.training import BEGAN, Answer, _refused, _said

if TYPE_CHECKING:
    from tests.fakes.server import FakeServer

BATCHES = "/v1/batches"
ENDED = ("completed", "failed", "expired", "cancelled")
STAGES = ("validating", "in_progress", "finalizing", "completed")


class Batches:
    def __init__(self, server: FakeServer) -> None:
        self._server = server
        self.on = self.hold = False
        self.most_bytes = 200_000_000
        self.most_waiting = 50_000
        self.cancelled_late = 400
        self.made: dict[str, dict[str, Any]] = {}
        self.paid: Counter[str] = Counter()
        self._faults: deque[str] = deque()
        self._of: dict[str, list[str]] = {}
        self._lines: dict[str, deque[int]] = {}

    def next(self, *faults: str) -> None:
        self._faults.extend(faults)

    def line(self, name: str, *statuses: int) -> None:
        self._lines[name] = deque(statuses)

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer | None:
        """The answer to a request for batches; None where it is for something else, or there are none."""
        if not self.on:
            return None
        if (method, path) == ("POST", "/v1/files") and len(body or b"") > self.most_bytes:
            return Answer(413, payloads.HTML, None, "text/html")
        match method, path.removeprefix("/v1").strip("/").split("/"):
            case "POST", ["batches"]:
                return self._create(body)
            case "GET", ["batches"]:
                return self._server.training._page(list(self.made.values()), query, 20)
            case "GET", ["batches", name] if name in self.made:
                said = _said(self.made[name])
                if not self.hold:
                    self.advance(name)
                return said
            case "POST", ["batches", name, "cancel"] if name in self.made:
                return self._cancel(name)
            case _, ["batches", *_]:
                no = refuse(404, "No batch found with that id.", code="batch_not_found")
                return Answer(no.status, no.body)
        return None

    def requests(self, name: str) -> list[dict[str, Any]]:
        """The lines of a batch's input file."""
        _, content = self._server.training.files[self.made[name]["input_file_id"]]
        return [json.loads(line) for line in content.splitlines()]

    def _create(self, body: dict[str, Any]) -> Answer:
        file = self._server.training.files.get(body.get("input_file_id", ""))
        if file is None or file[0]["purpose"] != "batch":
            return _refused("Invalid input_file_id.", "input_file_id")
        name = f"batch_{len(self.made) + 1}"
        self._of[name] = self._faults.popleft().split("+") if self._faults else []
        self.made[name] = {
            "id": name,
            "object": "batch",
            "endpoint": body["endpoint"],
            "errors": None,
            "input_file_id": body["input_file_id"],
            "completion_window": body["completion_window"],
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": BEGAN + len(self.made),
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": body.get("metadata"),
        }
        lines = self.requests(name)
        assert len({line["custom_id"] for line in lines}) == len(lines)
        assert len({line["body"]["model"] for line in lines}) == 1
        assert {line["url"] for line in lines} == {body["endpoint"]}
        if "bare" in self._of[name]:
            del self.made[name]["request_counts"]
        if "lost_create" in self._of[name]:
            no = refuse(500, "The server had an error.", kind="server_error")
            return Answer(no.status, no.body)
        return _said(self.made[name])

    def _cancel(self, name: str) -> Answer:
        batch = self.made[name]
        if batch["status"] in ENDED:
            no = refuse(self.cancelled_late, f"Cannot cancel a batch with status '{batch['status']}'.")
            return Answer(no.status, no.body)
        batch["status"] = "cancelling"
        return _said(batch)

    def advance(self, name: str) -> None:
        """One stage further."""
        batch, faults = self.made[name], self._of[name]
        refusals = [each for each in faults if each.startswith("fail")]
        if batch["status"] == "validating" and self._waiting() > self.most_waiting:
            refusals = ["fail:token_limit_exceeded"]
        if batch["status"] in ENDED:
            return
        if batch["status"] == "cancelling":
            self._finish(name, "cancelled", share=2)
        elif refusals and batch["status"] == "validating":
            kind, _, what = refusals[0].partition(":")
            about = {"code": what, "line": None} if kind == "fail" else {"code": "invalid_request", "line": int(what)}
            batch["errors"] = {"object": "list", "data": [{**about, "message": "This is wrong.", "param": None}]}
            batch["status"] = "failed"
        elif "cancel" in faults:
            self._finish(name, "cancelled", share=2)
        elif "expire" in faults and batch["status"] == "in_progress":
            self._finish(name, "expired", share=2)
        elif batch["status"] == "finalizing":
            self._finish(name, "completed", share=1)
        else:
            batch["status"] = STAGES[STAGES.index(batch["status"]) + 1]
            if "request_counts" in batch:
                batch["request_counts"] = {"total": len(self.requests(name)), "completed": 1, "failed": 0}

    def _waiting(self) -> int:
        """Requests of all batches that have not ended."""
        return sum(len(self.requests(name)) for name, batch in self.made.items() if batch["status"] not in ENDED)

    def _finish(self, name: str, status: str, *, share: int) -> None:
        """Answer the first of `share` parts of the lines; the others were not asked."""
        batch, faults, lines = self.made[name], self._of[name], self.requests(name)
        asked = lines[: -(-len(lines) // share)]
        good, bad = [], []
        for line in asked:
            said = self._answered(line)
            (good if said["response"]["status_code"] == 200 else bad).append(said)
        for line in lines[len(asked) :]:
            code = "batch_expired" if status == "expired" else "batch_cancelled"
            error = {"code": code, "message": "This request was not executed."}
            bad.append({"id": "x", "custom_id": line["custom_id"], "response": None, "error": error})
        for kind, found, gone in (("output", good, "no_output"), ("error", bad, "no_errors")):
            if found:
                batch[f"{kind}_file_id"] = self._file(f"{name}_{kind}.jsonl", found, faults)
                if gone in faults:
                    del self._server.training.files[batch[f"{kind}_file_id"]]
        batch["status"] = status
        if "request_counts" in batch:
            batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}

    def _answered(self, line: dict[str, Any]) -> dict[str, Any]:
        statuses = self._lines.get(line["custom_id"])
        status = statuses.popleft() if statuses else 200
        self.paid[line["custom_id"]] += status == 200
        chat = line["url"].endswith("chat/completions")
        body: Any = payloads.whole(chat=chat, tokens=self._server.tokens, n=1, logprobs=None)
        if status != 200:
            body = payloads.error(f"Refused with {status}.", kind="server_error" if status >= 500 else "invalid")
        response = {"status_code": status, "request_id": "req-1", "body": body}
        return {"id": "batch_req_1", "custom_id": line["custom_id"], "response": response, "error": None}

    def _file(self, name: str, lines: list[dict[str, Any]], faults: list[str]) -> str:
        lines = lines[::-1] if "backwards" in faults else lines
        raw = [payloads.encode(line) for line in lines]
        if "strange" in faults:
            unknown = payloads.encode({**lines[0], "custom_id": "99999"})
            other = payloads.encode({**lines[0], "custom_id": "somebody's"})
            raw = [raw[0], *raw, unknown, other, b"{half a li", b"[]", b""]
        if "bad_first" in faults:
            failed = {"status_code": 500, "request_id": "req-0", "body": payloads.error("No.", kind="server_error")}
            raw = [payloads.encode({**lines[0], "response": failed}), *raw]
        id: str = self._server.training._keep(name, b"\n".join(raw) + b"\n", "batch_output")["id"]
        return id
