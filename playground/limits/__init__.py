"""What may be spent, and by whom: limits that hold however many ask at once. Read in this order:

rules.py       PLAYGROUND_LIMITS as data: caps in dollars, tokens and requests; bounds on what one request may ask
meter.py       an account's calls: bounded, set aside at the most they may take, booked at what they took
metered.py     the client of an account: each call passes its meter; what belongs to the key's owner is the host's alone
"""

from playground.limits.rules import SHARED, Limits, limits_of, parse

__all__ = ["SHARED", "Limits", "limits_of", "parse"]
