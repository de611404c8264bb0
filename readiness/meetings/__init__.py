"""Meetings, their participants and their links."""
