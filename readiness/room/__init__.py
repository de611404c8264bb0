"""The room that checks itself: runs on the room's own PC, with or without a server, and never with its packages."""
