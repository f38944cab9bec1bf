"""Rows in, Plotly figures out; pure, and without Streamlit."""
