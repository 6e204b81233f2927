"""One turn of a conversation: recall, prompt, reply."""
