"""Who may use the page where it is shared, and as whom. It imports nothing of the page. Read in this order:

session.py     what a cookie says: an account, its role, until when; signed, so that no process need remember it
passwords.py   the file of users: names, and passwords as scrypt has them
sharing.py     what is shared until when, its pass-phrase, the key of its sessions: one for all processes over a store
entry.py       a name and a password → a session; how often may be tried
"""

from playground.access.entry import HOST_LINK, Entry, TooOften, host_link, open_entry
from playground.access.session import Role, Session, read, sign
from playground.access.sharing import Sharing, share

__all__ = [
    "HOST_LINK",
    "Entry",
    "Role",
    "Session",
    "Sharing",
    "TooOften",
    "host_link",
    "open_entry",
    "read",
    "share",
    "sign",
]
