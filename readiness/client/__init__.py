"""A client without a browser: the session socket, the media connection, and a scripted person who takes a test.

What it sends is written up in `readiness/docs/protocol.md`. It imports nothing of the server. Importing the package
loads nothing: `service`, `session` and `person` need aiohttp, `media` needs aiortc as well.
"""
