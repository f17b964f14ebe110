"""Training files: read, prepared, converted, checked and split. Plain functions; no server is asked.

tables.py       bytes and a file's name → columns of text (tables_json.py, tables_xlsx.py)
prepare.py      the rules of OpenAI's `prepare_data`, what each found, and the files that come of them (rules.py)
chat_format.py  prompt and completion ↔ chat messages;  chat_check.py  is a chat file fit for training?
statistics.py   tokens, turns and lengths;  splitting.py  training and validation;  duplicates.py  what occurs twice
"""
