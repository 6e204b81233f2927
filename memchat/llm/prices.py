"""Price a model's tokens, from LiteLLM's table."""

from memchat.core.types import OFFLINE


def cost_usd(model: str, prompt_tokens: int, completion_tokens: int) -> float | None:
    """Return the price in US dollars; None if it is unknown, which is not the same as free."""
    if model == OFFLINE:
        return 0.0
    from memchat.llm.litellm_setup import litellm

    module = litellm()
    try:
        prompt, completion = module.cost_per_token(
            model=model, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens
        )
    except (module.exceptions.ModelNotMappedError, module.BadRequestError):
        return None
    return float(prompt + completion)
