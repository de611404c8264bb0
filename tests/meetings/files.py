"""Files as hospitals might send them, and as nobody should."""

from __future__ import annotations

CSV = """\
meeting;starts;minutes;title;leader;leader_mail;role;label;language;mail;phone;together
A1;2027-03-29 10:00;30;Kontroll;Lars;lars@hospital.example;patient;A. H.;nb;anna@post.example;;
A1;;;;;;interpreter;"Tolk; polsk";en;;+47 911 11 111;
A2;30.03.2027 09:15;;Gruppe;Lars;lars@hospital.example;meeting_room;Rom 12;;;;4
;2027-04-01T08:00;;;;;patient;P. P.;;;90000000;
"""
CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Test//EN
BEGIN:VTIMEZONE
TZID:Europe/Oslo
BEGIN:STANDARD
DTSTART:19701025T030000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:19700329T020000
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
UID:one@hospital.example
DTSTART;TZID=Europe/Oslo:20270328T013000
DTEND;TZID=Europe/Oslo:20270328T033000
SUMMARY:Kontroll
LOCATION:https://whereby.com/rom-12
ORGANIZER;CN=Lars L.:mailto:lars@hospital.example
ATTENDEE;CN=A. H.:mailto:anna@post.example
ATTENDEE;CN=Kari:MAILTO:kari@hospital.example
ATTENDEE;CN=Rom 12;CUTYPE=ROOM:mailto:rom12@hospital.example
ATTENDEE;CN=Lars L.:mailto:lars@hospital.example
END:VEVENT
BEGIN:VEVENT
UID:two@hospital.example
DTSTART:20270401T080000Z
DURATION:PT20M
SUMMARY:Samtale
ATTENDEE:mailto:per@post.example
END:VEVENT
END:VCALENDAR
"""
