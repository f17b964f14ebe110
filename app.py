"""The entry point: settings → parts → page → launch. `python app.py --help` says what can be set here."""

from __future__ import annotations

import signal
import sys

from playground import operations, settings, starting
from playground.deps import open_deps
from playground.errors import PlaygroundError


def main() -> int:
    args = starting.arguments().parse_args()
    try:
        chosen = starting.chosen(settings.load(), args)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what must be closed is
        operations.allow_many_connections()
        deps = open_deps(chosen)  # the engine gets ready while the page's libraries load
        from playground.ui import launch_app

        entry = starting.entry(deps)
        page, address = launch_app(deps, share=args.share, open_browser=args.open_browser, entry=entry)
        sys.stdout.writelines(starting.told(deps, entry, address, page.local_url or address, link=args.share))
        sys.stdout.flush()
        operations.end(deps, grace=operations.wait_until_told(grace=chosen.grace))
        page.close(verbose=False)
    except PlaygroundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:  # said twice, or before there was anything to end
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
