# Workers of Apache Beam for Flink, Spark and Dataflow: `pipelines` and what it needs, no TensorFlow.
#   docker build --build-arg PYTHON=3.11 -t IMAGE .
# BEAM has to be the launcher's version of Beam, and PYTHON its Python: 3.11 or 3.12.
ARG PYTHON=3.11
ARG BEAM=2.77.0
FROM apache/beam_python${PYTHON}_sdk:${BEAM}
ARG BEAM
# Stores that the workers read and write, for example EXTRAS="s3fs" or "gcsfs".
ARG EXTRAS=""
WORKDIR /opt/fesr
COPY constraints constraints
COPY pipelines/requirements.txt requirements.txt
RUN version=$(python -c 'import sys; print("py%d%d" % sys.version_info[:2])') && \
    pip install --no-cache-dir -c constraints/$version.txt -r requirements.txt apache-beam==$BEAM $EXTRAS
COPY pipelines pipelines
ENV PYTHONPATH=/opt/fesr
# A worker without this package, or with another Beam, fails here and not in the job.
RUN python -c "import pipelines.job.steps"
