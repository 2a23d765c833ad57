"""OpenPPTP for programs that embed it; openpptp/__init__.py is its face, docs/library.md its page.

Nothing here touches what belongs to the process: its signals, its log, its environment, its privileges.
"""
