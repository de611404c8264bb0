"""Reports: judge what the probes measured, and keep and render what was judged."""
