# The page to draw on, in a container: docs/guide/nas.md. Photos are mounted at /photos, everything else lies in /data.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY src src
RUN python -m venv /opt/sketchseek \
 && /opt/sketchseek/bin/pip install --no-cache-dir --constraint constraints.txt '.[clip,raw,watch]'

FROM python:3.13-slim
RUN useradd --uid 1000 --home-dir /data --create-home --shell /usr/sbin/nologin sketchseek
COPY --from=build /opt/sketchseek /opt/sketchseek
ENV PATH=/opt/sketchseek/bin:$PATH \
    HOME=/data \
    SKETCHSEEK_GALLERY=/data/gallery \
    SKETCHSEEK_MODELS=/data/models \
    SKETCHSEEK_CACHE=/data/cache \
    XDG_CACHE_HOME=/data/cache
USER sketchseek
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["sketchseek"]
CMD ["serve", "/photos", "--browse", "/photos", "--host", "0.0.0.0", "--port", "8000", "--no-browser"]
