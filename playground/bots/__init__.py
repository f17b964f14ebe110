"""Presets as bots. Nothing here knows a page.

telegram.py     the bot: long polling, one queue a chat, what is left after a restart
updates.py      what Telegram says happened → what is to be answered, or nothing
replies.py      what the bot says by itself: commands, notices, failures in kind words
asking.py       a preset, the chat so far and a text → the request
answering.py    one question to its answer: memory, budget, run
sending.py      an answer in Telegram's parts, each sent once, whatever Telegram says meanwhile
splitting.py    a text in parts of 4,096 UTF-16 units
state.py        what a restart must know: updates, parts sent, memory, what was spent
budget.py       a day's limit in dollars or tokens
"""
