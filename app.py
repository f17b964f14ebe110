"""The entry point: settings → parts → page → launch. `python app.py --help` says what can be set here."""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import replace

from playground import settings
from playground.deps import open_deps
from playground.errors import PlaygroundError


def main() -> int:
    parser = argparse.ArgumentParser(description="A playground for language models, in the browser.")
    parser.add_argument("--host", help="address to listen on (GRADIO_SERVER_NAME)")
    parser.add_argument("--port", type=int, help="port to listen on (GRADIO_SERVER_PORT)")
    parser.add_argument("--share", action="store_true", help="a public link; needs PLAYGROUND_PASSWORD")
    parser.add_argument("--open-browser", action="store_true", help="open the page in a browser")
    args = parser.parse_args()
    try:
        chosen = settings.load()
        chosen = replace(chosen, host=args.host or chosen.host, port=chosen.port if args.port is None else args.port)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that what must be closed is
        deps = open_deps(chosen)  # the engine gets ready while the page's libraries load
        from playground.ui import launch_app

        page, address = launch_app(deps, share=args.share, open_browser=args.open_browser)
        sys.stdout.write(f"Playground is at {address} (Ctrl+C ends it)\n")
        sys.stdout.flush()
        page.block_thread()
    except PlaygroundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
