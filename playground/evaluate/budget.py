"""A cap in dollars that holds: what a call may cost at most is set aside before it is sent, what it did cost is booked.

Spent and set aside together never pass the cap, whatever the answers turn out to be. Where the next call does not fit,
it waits for those under way, whose answers are shorter than they might have been as a rule; then it is over.
"""

from __future__ import annotations

import asyncio
from decimal import Decimal

NOTHING = Decimal(0)


class Budget:
    """`cap` None: there is none, and nothing is set aside."""

    def __init__(self, cap: Decimal | None, spent: Decimal = NOTHING) -> None:
        self.cap, self.spent, self.reserved = cap, spent, NOTHING
        self._turn = asyncio.Lock()
        self._settled = asyncio.Event()

    async def reserve(self, worst: Decimal) -> bool:
        """Set `worst` aside, as soon as it fits; False where it never will. In the order in which it was asked."""
        if self.cap is None:
            return True
        async with self._turn:
            while self.spent + self.reserved + worst > self.cap:
                if not self.reserved:
                    return False
                self._settled.clear()
                await self._settled.wait()
            self.reserved += worst
            return True

    def settle(self, worst: Decimal, cost: Decimal) -> None:
        """The call that `worst` was set aside for has cost `cost`."""
        self.spent += cost
        if self.cap is not None:
            self.reserved -= worst
            self._settled.set()


def at_most(estimated: bool, *, worst: Decimal, cost: Decimal | None) -> Decimal:
    """What an answer is booked at: its cost; where the server told no usage and it was estimated, the worst."""
    if cost is None:
        return NOTHING
    return max(cost, worst) if estimated else cost
