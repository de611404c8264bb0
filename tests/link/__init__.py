"""Links of our own making, which know the truth: what a measurement of ours says is held against them.

A `Lab` is two network namespaces, ``client`` (the patient's side, 10.98.0.1) and ``server`` (10.98.0.2), joined by one
process (`emulator`) that reads every IP packet of one side from a TUN device and writes it to the other side when
`model.Channel` says that it comes out. The process writes down each packet: when it went in and came out or why it
did not, its size, its ports and its first bytes. That log, and not what any tool reports, is the truth.

    with Lab(Link(up=Direction(rate_mbps=5, delay_ms=20, loss_pct=1), down=Direction(rate_mbps=10)), seed=7) as lab:
        server = lab.serve(tmp_path)
        browser = await lab.chromium(playwright)
        ...
        lab.change(slower)
        up = lab.log("up").select(protocol=UDP, min_size=200)
        print(up.loss_pct, up.extra_delay_p95_ms, up.carried_mbps)

Emulated, apart for each direction, in the order in which a packet meets it:

1. blocked protocols (UDP or TCP, both directions);
2. random loss, alone or with bursts (Gilbert and Elliott's two states, stepped once a packet); a packet that is lost
   here takes no room in the queue;
3. a first-in first-out queue with drop-tail, drained at the rate; its depth is counted in ms at that rate, and a packet
   never waits longer, its own transmission included. An empty queue takes any packet. `bucket_bytes` pass at once
   before the rate applies (a token bucket that fills at the rate: "power boost");
4. delay and jitter (uniform, added to each packet), never out of order: with packets closer than the jitter the
   later ones catch up with the slow one before them, so the delay leans towards the upper end, as on a real radio.

TCP uses CUBIC on both sides, as most machines do, and not this machine's default; `Lab(..., congestion="bbr")` asks
for another.

Sizes count the IP and UDP or TCP heads, and nothing below them. Times are CLOCK_MONOTONIC, in seconds: the same clock
as ``time.monotonic()`` and ``time.perf_counter()`` of every process on this machine, in any namespace.

Not emulated: reordering, duplicates, damaged packets; fair or active queues (CoDel, FQ, ECN); slots of radios (delay
and loss that depend on the load of others); a line speed above the rate, which is infinite; framing below IP; NAT, and
firewalls that look deeper than the protocol number; IPv6. Packets that were taken in keep their time when the link
changes. The same seed gives the same fates to the same sequence of packets, but no two runs of a browser send the same.
Packets to other addresses than the far side's are dropped and counted apart: browsers look for name servers.

The emulator's own lateness is in the log (`PacketLog.late_s`); a run in which it was late is void, not bad. Measured
on two virtual cores, with none, one or both of them busy: a packet comes out 0.01 to 0.03 ms late in the median; one in
a hundred is 0.05 to 0.2 ms late, or 1 to 3 ms where the host takes the cores away (11 ms at worst). Programs see 0.1 ms
more than the link's delay each way. Rates hold to 0.01 %. It costs 4 % of a core at 250 packets a second and 75 % at
50 Mbit/s each way; 500 Mbit/s one way is the most it carried.
Needs root (or sudo, see `tests.running`), ``ip`` and ``/dev/net/tun``; `lab.lab_unavailable` says what is missing, and
the tests are then skipped and named at the end of the run.
"""
