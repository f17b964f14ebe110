"""Fine-tuning: training files, what training costs, jobs, and what a job's results.csv says.

tables.py       bytes and a file's name → columns of text (tables_json.py, tables_xlsx.py; column.py, json_stream.py)
prepare.py      the rules of OpenAI's `prepare_data`, what each found, and the files that come of them (rules.py)
chat_format.py  prompt and completion ↔ chat messages
line_check.py   is a file fit for training? Line by line, by the rules of chat_check.py or of preference_check.py
statistics.py   tokens, turns and lengths;  splitting.py  training and validation;  duplicates.py  what occurs twice
jobs.py         a job, its events and checkpoints as data; follow.py follows one to its end, through dropped connections
started.py      a job started on its server;  finished.py  what it left there;  example.py  the example that comes along
estimate.py     what training and later requests cost, with the arithmetic
results.py      a job's results.csv (results_read.py, results_reduce.py, results_verdict.py);  report.py  as a page
                (report_chart.py, report_scale.py)
"""
