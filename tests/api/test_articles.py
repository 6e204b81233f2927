"""The Python of three published introductions to mem0, with the import line changed, run over a scripted provider.

Names and order of the calls are the articles'; what they print is looked at here instead.
"""

import json
import logging
from collections.abc import Iterator
from datetime import datetime

import pytest
from dotenv import load_dotenv
from litellm import completion
from openai import OpenAI

from memchat import Memory
from tests.api.scripted_memory import Script, extractions, inputs, word_vectors
from tests.scripted_server import Reply, ScriptedServer

STORY = Script(
    {
        "My order #4821 still has not arrived": "User's order #4821 has not arrived.",
        "I contacted support last week and got no update": "User contacted support last week without an update.",
        "Order #4821 arrived today": "User's order #4821 arrived.",
        "SaaS product in Laravel": "User is building a SaaS product in Laravel.",
        "I'm vegetarian": "User is vegetarian.",
        "I live in Berlin": "User lives in Berlin.",
        "I just moved to Amsterdam": "User lives in Amsterdam.",
    },
    replacing={"Order #4821 arrived today": "has not arrived", "I just moved to Amsterdam": "lives in Berlin"},
    cues={
        "I'm vegetarian": ["choosing a restaurant", "cooking together"],
        "I live in Berlin": ["finding a restaurant nearby", "what to do tonight"],
        "I just moved to Amsterdam": ["finding a restaurant nearby", "what to do tonight"],
    },
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ScriptedServer]:
    """A provider that knows the articles' stories, in the place of OpenAI."""
    with ScriptedServer(STORY, embed=word_vectors) as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


class TestSupportBot:
    """An e-commerce support workflow, stateless and with memory, through LiteLLM."""

    def test_it_runs_and_yields_what_the_article_prints(self, server: ScriptedServer) -> None:  # noqa: PLR0915
        """Facts without the coffee, an answer from memory, a changed status, and everything deleted."""
        load_dotenv()

        def ask_model(messages: list[dict[str, str]]) -> str:
            response = completion(model="openai/gpt-4o-mini", messages=messages)
            return str(response.choices[0].message.content)

        memory = Memory.from_config(
            {
                "llm": {
                    "provider": "openai",
                    "config": {"model": "gpt-4o-mini"},
                },
            }
        )

        SYSTEM_PROMPT = (  # noqa: N806
            "You are a helpful e-commerce customer support agent. Be polite, concise, and practical."
        )

        def ask_stateless_bot(question: str) -> str:
            messages = [
                {"role": "system", "content": SYSTEM_PROMPT},
                {"role": "user", "content": question},
            ]
            return ask_model(messages)

        initial_message = (
            "My order #4821 still has not arrived. "
            "I contacted support last week and got no update. "
            "Also, I was checking this while making coffee this morning."  # irrelevant detail
        )
        assert ask_stateless_bot(initial_message) == "You told me: "

        follow_up = "Hi, any update on my delayed order?"
        assert ask_stateless_bot(follow_up) == "You told me: "

        customer_id = "cust_4821"
        order_id = "4821"
        issue_type = "shipping"
        sentiment = "frustrated"
        memory_extraction_prompt = "Extract only useful customer-support facts. Ignore unimportant information."

        add_result = memory.add(
            messages=[{"role": "user", "content": initial_message}],
            user_id=customer_id,
            metadata={
                "issue_type": issue_type,
                "sentiment": sentiment,
                "order_id": order_id,
            },
            prompt=memory_extraction_prompt,
        )
        assert [(item["memory"], item["event"]) for item in add_result["results"]] == [
            ("User's order #4821 has not arrived.", "ADD"),
            ("User contacted support last week without an update.", "ADD"),
        ]
        assert all(set(item) == {"id", "memory", "event"} for item in add_result["results"])
        first_call = extractions(server.requests)[0]
        assert first_call["temperature"] == 0
        assert memory_extraction_prompt in first_call["messages"][0]["content"]
        assert inputs(first_call)["user"] == initial_message

        def retrieve_customer_memories(question: str, customer_id: str) -> dict:  # type: ignore[type-arg]
            return memory.search(
                query=question,
                filters={"user_id": customer_id},
                top_k=3,
            )

        found = [item["memory"] for item in retrieve_customer_memories(follow_up, customer_id)["results"]]
        assert "User's order #4821 has not arrived." in found

        def format_memories(search_result: dict) -> str:  # type: ignore[type-arg]
            memories = search_result["results"]
            if not memories:
                return "No relevant memories found."
            return "\n".join(f"- {item['memory']}" for item in memories)

        assert "- User's order #4821" in format_memories(retrieve_customer_memories(follow_up, customer_id))
        assert format_memories(retrieve_customer_memories(follow_up, "cust_9")) == "No relevant memories found."

        def ask_memory_aware_bot(question: str, customer_id: str) -> str:
            customer_memories = format_memories(retrieve_customer_memories(question, customer_id))
            messages = [
                {
                    "role": "system",
                    "content": (f"{SYSTEM_PROMPT}\n\nRelevant customer memories:\n{customer_memories}"),
                },
                {"role": "user", "content": question},
            ]
            return ask_model(messages)

        assert "order #4821 has not arrived" in ask_memory_aware_bot(follow_up, customer_id)

        status_update_result = memory.add(
            messages=[{"role": "user", "content": "Order #4821 arrived today."}],
            user_id=customer_id,
            metadata={"order_id": order_id, "issue_type": issue_type},
        )
        (update,) = status_update_result["results"]
        assert (update["memory"], update["event"]) == ("User's order #4821 arrived.", "ADD")
        known = inputs(extractions(server.requests)[1])["known"]
        assert sorted(entry["n"] for entry in known) == [1, 2]
        assert "User's order #4821 has not arrived." in [entry["text"] for entry in known]

        answer = ask_memory_aware_bot(follow_up, customer_id)
        assert "order #4821 arrived" in answer
        assert "has not arrived" not in answer

        all_memories = memory.get_all(filters={"user_id": customer_id})
        lines = [f"{item['id']} - {item['memory']}" for item in all_memories["results"]]
        assert len(lines) == 2
        assert any(line.endswith(" - User's order #4821 arrived.") for line in lines)

        memory_id = all_memories["results"][0]["id"]
        assert memory.delete(memory_id) == {"message": "Memory deleted successfully!"}
        assert len(memory.get_all(filters={"user_id": customer_id})["results"]) == 1

        # Irreversible: deletes all memories for this user
        assert memory.delete_all(user_id=customer_id)["message"] == "Memories deleted successfully!"
        assert memory.get_all(filters={"user_id": customer_id}) == {"results": []}
        memory.close()


class TestChatbotWithQdrantConfig:
    """A chatbot over OpenAI's client, its memory configured with an embedder and a Qdrant server."""

    def test_it_runs_and_yields_what_the_article_prints(
        self, server: ScriptedServer, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The older spelling; OpenAI's embeddings; the vector store's address noted and left alone."""
        config = {
            "llm": {
                "provider": "openai",
                "config": {
                    "model": "gpt-4o-mini",  # Use a cheap model for memory extraction
                    "temperature": 0,
                },
            },
            "embedder": {
                "provider": "openai",
                "config": {"model": "text-embedding-3-small"},
            },
            "vector_store": {
                "provider": "qdrant",
                "config": {
                    "collection_name": "ai_memories",
                    "host": "localhost",
                    "port": 6333,
                },
            },
        }

        with caplog.at_level(logging.INFO, "memchat"):
            memory = Memory.from_config(config)
        assert "vector_store.config.host" in caplog.text
        openai_client = OpenAI()

        def chat_with_memory(user_message: str, user_id: str) -> str:
            # Step 1: Retrieve relevant memories for this user + query
            relevant_memories = memory.search(
                query=user_message,
                user_id=user_id,
                limit=5,  # Top 5 most relevant facts
            )

            # Step 2: Format memories as context
            memory_context = ""
            if relevant_memories["results"]:
                facts = [m["memory"] for m in relevant_memories["results"]]
                memory_context = "What you remember about this user:\n" + "\n".join(f"- {f}" for f in facts)

            # Step 3: Build prompt with memory context
            messages = [
                {
                    "role": "system",
                    "content": f"""You are a helpful AI assistant.
{memory_context}

Use the above memories to personalise your response.
Do not ask for information you already know.""",
                },
                {"role": "user", "content": user_message},
            ]

            # Step 4: Get LLM response
            response = openai_client.chat.completions.create(
                model="gpt-4o",
                messages=messages,  # type: ignore[arg-type]
            )
            assistant_message = response.choices[0].message.content

            # Step 5: Store the conversation in memory (async in production)
            memory.add(
                messages=[
                    {"role": "user", "content": user_message},
                    {"role": "assistant", "content": assistant_message},
                ],
                user_id=user_id,
            )

            return str(assistant_message)

        chat_with_memory("I'm building a SaaS product in Laravel for small clinics.", "user_123")
        reply = chat_with_memory("Can you help me with my Laravel SaaS product?", "user_123")
        assert reply == "You told me: User is building a SaaS product in Laravel."
        assert {r["json"]["model"] for r in server.requests if r["path"].endswith("/embeddings")} == {
            "text-embedding-3-small"
        }
        assert inputs(extractions(server.requests)[0])["assistant"] == "You told me:"

        # View all memories for a user
        memories = memory.get_all(user_id="user_123")
        for m in memories["results"]:
            line = f"[{m['id']}] {m['memory']} (created: {m['created_at']})"
            assert "User is building a SaaS product in Laravel." in line
            assert datetime.fromisoformat(m["created_at"]).tzinfo is not None
        (mem_abc,) = (m["id"] for m in memories["results"])

        # Update a specific memory (e.g., user changed their stack)
        updated = memory.update(memory_id=mem_abc, data="Now using Next.js instead of Vue.js")
        assert updated == {"message": "Memory updated successfully!"}
        assert memory.get(mem_abc)["memory"] == "Now using Next.js instead of Vue.js"

        # Delete a specific memory
        assert memory.delete(memory_id=mem_abc) == {"message": "Memory deleted successfully!"}

        # Delete all memories for a user (GDPR compliance)
        assert memory.delete_all(user_id="user_123")["message"] == "Memories deleted successfully!"
        assert memory.get_all(user_id="user_123") == {"results": []}
        memory.close()
        openai_client.close()


class TestMemoryLayer:
    """The core shape: `Memory()` with nothing configured, and an agent's loop."""

    def test_it_runs_and_yields_what_the_article_prints(self, server: ScriptedServer) -> None:
        """Two sessions of Alice: what the first taught is in the prompt of the second."""
        m = Memory()

        # --- After a conversation turn ---
        messages = [
            {"role": "user", "content": "I'm vegetarian and I live in Berlin."},
            {"role": "assistant", "content": "Got it — I'll keep that in mind!"},
        ]
        result = m.add(messages, user_id="alice")
        assert [item["memory"] for item in result["results"]] == ["User is vegetarian.", "User lives in Berlin."]
        m.close()

        # --- At the start of the NEXT session ---
        m = Memory()
        user_message = "Can you suggest a restaurant near me for tonight?"
        relevant = m.search(query=user_message, user_id="alice")
        memory_block = "\n".join(item["memory"] for item in relevant["results"])
        system_prompt = f"""You are a helpful assistant.
What you know about this user:
{memory_block}
"""
        assert "User is vegetarian." in system_prompt
        assert "User lives in Berlin." in system_prompt

        prompts: list[str] = []

        def call_llm(system: str, user: str) -> str:
            prompts.append(system)
            return f"Understood: {user}"

        def agent_turn(user_id: str, user_message: str) -> str:
            # 1. Retrieve relevant memories for this user
            relevant = m.search(query=user_message, user_id=user_id)
            memory_text = "\n".join(r["memory"] for r in relevant["results"][:5])

            # 2. Build the prompt with injected memories
            system = f"You are a helpful assistant.\n\nAbout this user:\n{memory_text}"

            # 3. Call your agent LLM (any provider)
            response = call_llm(system=system, user=user_message)

            # 4. Store the new exchange as memories for future sessions
            m.add(
                [
                    {"role": "user", "content": user_message},
                    {"role": "assistant", "content": response},
                ],
                user_id=user_id,
            )
            return response

        assert agent_turn("alice", "I just moved to Amsterdam.") == "Understood: I just moved to Amsterdam."
        agent_turn("alice", "Where do I live?")
        assert "User lives in Amsterdam." in prompts[1]
        assert "Berlin" not in prompts[1]
        agent_turn("bob", "Where do I live?")
        assert prompts[2] == "You are a helpful assistant.\n\nAbout this user:\n"
        m.close()

    def test_the_answer_that_ends_mem0_is_asked_for_again(self, server: ScriptedServer) -> None:
        """`{"memory": ["text"]}` from a model is no error of the caller's: the second answer counts."""
        with Memory() as m:
            server.enqueue(Reply(json.dumps({"memory": ["text"]})))
            added = m.add("I live in Berlin", user_id="alice")
        assert [item["memory"] for item in added["results"]] == ["User lives in Berlin."]
