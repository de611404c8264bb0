"""Reports: judges measurements, and stores and renders the results."""
