"""What every command is given: its parser, the queue, questions at a terminal."""
