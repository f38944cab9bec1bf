# MNIST Dash as an image: the dashboard, or with another command a worker or what advances studies. docs/hosting.md says how.
#   docker build -t mnist-dash .
#   docker run --init -p 127.0.0.1:8501:8501 -v mnist-dash:/data mnist-dash

FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    MNIST_DASH_HOME=/data

RUN groupadd --gid 10001 dash \
 && useradd --uid 10001 --gid dash --create-home --home-dir /srv/dash --shell /usr/sbin/nologin dash \
 && install --directory --owner dash --group dash /data

WORKDIR /app
# The requirements change seldom and are large: a layer of their own.
COPY requirements.txt ./
RUN pip install --requirement requirements.txt
COPY .streamlit/config.toml .streamlit/
COPY mnist_dash mnist_dash
COPY studies studies
COPY streamlit_app.py LICENSE ./
RUN python -m compileall -q mnist_dash streamlit_app.py

USER dash
VOLUME /data
EXPOSE 8501
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8501/readyz', timeout=4)"]
CMD ["python", "-m", "streamlit", "run", "streamlit_app.py", "--server.address", "0.0.0.0", "--server.headless", "true"]
