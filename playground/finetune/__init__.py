"""Fine-tuning without a server: reading a job's results.csv, judging its curves, and what training would cost."""
