"""What surrounds a training run: progress, checks, forecasts, records and their reports."""
