"""Other people's speed tests, installed for the benchmark only, each run in a lab and read into the same row."""
