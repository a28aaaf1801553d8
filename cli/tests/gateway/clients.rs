//! OpenAI's own clients.
