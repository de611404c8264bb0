"""A client without a browser: the session socket, the media connection, and a scripted person who takes a test.

It speaks the protocol of `readiness/docs/protocol.md` and imports nothing of the server. The package itself loads
nothing: `service`, `session` and `person` need aiohttp, `media` needs aiortc as well.
"""
