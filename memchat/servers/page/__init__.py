"""The page to look after memories: server-rendered HTML, no script, no request to any other host."""
