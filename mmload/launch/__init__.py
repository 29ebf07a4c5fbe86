"""Starts the processes of a run, watches them, and turns what they wrote down into a run folder.

A plain process: no gevent, no aiohttp. Not aware of how a request is sent or scored. Nothing is imported
here: ``run`` calls up the other processes before the launcher itself has loaded what it needs.
"""
