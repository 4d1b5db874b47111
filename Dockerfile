# Two targets of one file: `cpu` and `gpu`.
#   docker build --target cpu -t deliberate:cpu --build-arg TORCH_INDEX_URL=… .
# TORCH_INDEX_URL is PyTorch's package index for CPU builds (see its installation page). Without it the ordinary build is
# taken, which works the same and carries several GB of CUDA libraries that a CPU image has no use for.

FROM python:3.11-slim AS base
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 \
    VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
RUN useradd --create-home --uid 10001 deliberate \
    && mkdir -p /home/deliberate/.cache/huggingface /home/deliberate/.deliberate \
    && chown -R deliberate:deliberate /home/deliberate
WORKDIR /app

# What pyproject.toml names, without our own code: this layer is built again only when the dependencies change.
FROM base AS dependencies
RUN python -m venv /opt/venv
COPY pyproject.toml constraints.txt ./
RUN python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))" \
    > /tmp/requirements.txt

FROM dependencies AS dependencies-cpu
ARG TORCH_INDEX_URL=
RUN pip install -c constraints.txt ${TORCH_INDEX_URL:+--index-url "$TORCH_INDEX_URL"} torch==2.13.0 \
    && pip install -c constraints.txt -r /tmp/requirements.txt

FROM dependencies AS dependencies-gpu
RUN pip install -c constraints.txt -r /tmp/requirements.txt

FROM base AS cpu
# The engine compiles its CPU kernels at the start: about 1.6 times faster than without a compiler.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY --from=dependencies-cpu /opt/venv /opt/venv
COPY . .
RUN pip install -c constraints.txt --no-deps -e .
USER deliberate
CMD ["deliberate", "--help"]

FROM base AS gpu
COPY --from=dependencies-gpu /opt/venv /opt/venv
COPY . .
RUN pip install -c constraints.txt --no-deps -e .
USER deliberate
CMD ["deliberate", "--help"]
