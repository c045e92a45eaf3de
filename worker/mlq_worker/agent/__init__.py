"""The worker's turn: look, decide, act. It may die at any time, and must never block."""
