"""A web page to manage memories: server-rendered HTML without scripts or requests to other hosts."""
