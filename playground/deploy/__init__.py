"""A preset, or what a sweep has found, as a folder of Python that runs by itself.

frozen.py    what is asked, and of whom: request.json
cases.py     regression cases: cases.json
cost.py      what a request has cost and taken, by the history or by an estimate
readme.py    README.md, in English or Spanish
bundle.py    all files together; as a folder or a zip

The code of a bundle is constant (data/deploy); whatever a person has written is data in JSON.
"""
