"""The web process: pages, API, session socket and live board. Never imports aiortc."""
