"""The room that checks itself: runs on the room's own PC, without a server and without the server's packages."""
