"""What is written for people and pipes, and what is asked of people."""
