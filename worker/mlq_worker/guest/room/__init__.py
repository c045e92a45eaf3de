"""Room for others when their use grows: who is squeezed, and who is handed back."""
