"""One turn of a conversation, and the learner behind it."""
