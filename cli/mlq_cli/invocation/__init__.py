"""What every command uses: its parser, the queue, and questions at a terminal."""
