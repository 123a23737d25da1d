"""Pure values: what is inspected, what was decided and why. No I/O, no threads, no drivers.

Read in the order of the flow: `truth`, `frame`, `exits`, `verdict`, `disposition`, `recipe`, then what is told to
others: `alarm`, `audit`, `events`, and `errors`.
"""
