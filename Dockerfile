# syntax=docker/dockerfile:1
# One image for every part: foryou, torch for the CPU, the NATS and Valkey servers, HAProxy. Not root.
#   docker build -t foryou .
#   docker run --rm -p 8000:8000 --shm-size=1g -v foryou:/var/lib/foryou foryou      # everything on one machine
ARG PYTHON=3.12-slim-bookworm

FROM python:${PYTHON} AS build
# torch's default wheels bring several GB of CUDA; this index has the ones for the CPU.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
# The dependencies are a layer of their own: a change of code does not fetch them again.
RUN python -c 'import tomllib; print("\n".join(tomllib.load(open("pyproject.toml", "rb"))["project"]["dependencies"]))' \
      > requirements.txt \
 && pip install --extra-index-url "${TORCH_INDEX}" -r requirements.txt
COPY messages messages
COPY parameter_server parameter_server
COPY learners learners
COPY monitoring monitoring
COPY actors actors
COPY serve_app serve_app
COPY simulations simulations
COPY foryou foryou
RUN pip install --no-deps . && find /opt/venv -name __pycache__ -prune -exec rm -rf {} +

FROM python:${PYTHON}
# procps: `ray stop`. wget: KubeRay's probes. rsync: Ray's launcher.
RUN apt-get update \
 && apt-get install -y --no-install-recommends procps rsync wget \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 1000 --create-home --shell /bin/bash foryou \
 && install -d -o foryou -g foryou /var/lib/foryou /snapshots
COPY --from=build /opt/venv /opt/venv
COPY deploy/clusters /opt/foryou/deploy/clusters
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 RAY=/opt/venv/bin/ray
USER 1000
WORKDIR /var/lib/foryou
RUN python -m foryou.warm_up
ENV FORYOU_HTTP__HOST=0.0.0.0 FORYOU_SERVICES__STATE=/var/lib/foryou
EXPOSE 8000
HEALTHCHECK --start-period=90s --interval=10s --timeout=3s CMD wget -q -O /dev/null http://127.0.0.1:8000/v1/health
ENTRYPOINT ["foryou"]
CMD ["up"]
