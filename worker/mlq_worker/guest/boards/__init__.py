"""What the mlq of several users tell each other, and how they share a machine fairly."""
