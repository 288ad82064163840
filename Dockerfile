# One image for every part: web, workers, beat, the demo. What a container does is its command (see Procfile).
FROM python:3.13-slim AS packages
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
COPY requirements/base.txt /tmp/requirements.txt
RUN python -m venv /opt/eventhub \
    && /opt/eventhub/bin/pip install --require-hashes --no-deps -r /tmp/requirements.txt

FROM python:3.13-slim
LABEL org.opencontainers.image.title="EventHub" \
      org.opencontainers.image.description="See, trust and repair event flows" \
      org.opencontainers.image.licenses="MIT"
ENV PATH=/opt/eventhub/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 VAR_DIR=/var/lib/eventhub
RUN useradd --system --create-home --home-dir /var/lib/eventhub --uid 10001 eventhub
COPY --from=packages /opt/eventhub /opt/eventhub
WORKDIR /app
COPY manage.py Procfile ./
COPY eventhub eventhub
COPY monitoring monitoring
COPY dlq dlq
COPY templates templates
COPY static static
RUN SECRET_KEY=only-to-collect python manage.py collectstatic --noinput --verbosity 0 \
    && chown -R eventhub:eventhub /var/lib/eventhub
USER eventhub
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["sh", "-c", "DATABASE_POOL=1 exec uvicorn eventhub.asgi:application --host 0.0.0.0 --port 8000 --lifespan on --log-level warning --no-access-log --ws-per-message-deflate false --timeout-graceful-shutdown 10"]
