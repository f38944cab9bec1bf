"""What trains and what is made of it: torch and numpy. No database and no Streamlit."""
