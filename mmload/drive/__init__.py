"""The gevent room: Locust's master and workers, lanes, the pump and the timestamped transport.

Everything here runs in processes that Locust has monkey-patched. Not aware of scores, prices or
reports. A process of this room only sends, stamps and records.
"""
