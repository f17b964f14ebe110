"""OpenAI's /v1/batches: many requests in one file, answered while nobody else asks.

records.py   batches as they are written down: batch.json, and what has been answered so far
lines.py     the input file, checked line by line
runner.py    one batch at a time, one request at a time, behind everybody who waits for an answer
routes.py    the addresses
"""
