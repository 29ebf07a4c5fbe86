"""The practice target: a multimodal pipeline with known truth, as a process of its own.

It shares no wire, timing or scoring code with the client that examines it, and is not aware of that client.
"""
