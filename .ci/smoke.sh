#!/usr/bin/env bash
# What a person does first, with the installed program alone: no checkout, no key, an empty home.
set -euo pipefail
unset OPENAI_API_KEY ANTHROPIC_API_KEY GEMINI_API_KEY || true

memchat --version
printf "I'm vegetarian and I live in Berlin.\n" | memchat chat --user alice
memchat memories list --user alice --json | python3 -m json.tool >/dev/null
answer=$(printf 'Can you suggest a restaurant near me for tonight?\n' | memchat chat --user alice)
printf '%s\n' "$answer"
grep -qi vegetarian <<<"$answer"
grep -q Berlin <<<"$answer"
memchat forget --all --user alice --yes
test "$(memchat memories list --user alice --json | tr -d '[:space:]')" = "[]"
python3 - <<'PYTHON'
import memchat
assert "site-packages" in memchat.__file__, memchat.__file__
PYTHON
echo "the installed program works"
