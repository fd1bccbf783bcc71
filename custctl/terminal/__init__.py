"""Output for people and pipes, and questions to people."""
