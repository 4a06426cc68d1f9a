"""How near explanations come to the answer of very many model calls, beside the lime package.

The networks are called in process: a score is the same however it came, and a million of them are
needed. They are kept on disk by content, so a second run, or one that was cut off, goes on.
"""
