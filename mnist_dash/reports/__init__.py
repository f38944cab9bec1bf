"""Self-contained HTML files. No Streamlit: the command line can write them too."""
