"""Tickets that a change of declared exceptions concerns are judged again, in small chunks.

A change may concern every ticket there is. It is saved as a row of work; the worker takes a few
hundred tickets in each transaction, so no change locks much, waits long, or starts over.
"""
