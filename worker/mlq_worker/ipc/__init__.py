"""What agent, supervisor and launcher share: messages, channel, clock, process table."""
