"""The highest rate at which answers are still good: how it is searched for, and what was found.

Choosing steps, reading levels and the answer are pure; only ``conduct`` drives anything.
"""
