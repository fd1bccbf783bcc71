# The image of custctl. With Microsoft's ODBC driver, which has a licence of its own (https://aka.ms/odbc18eula):
#   docker build --build-arg MSSQL=1 --tag custctl .
FROM python:3.13-slim AS build
ARG MSSQL=0
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.txt requirements/run.txt requirements/mssql.txt requirements/
# Wheels alone: nothing is compiled from C, and no setup script of a stranger runs. Bytecode is never compared with the time of
# its source: the root file system is read-only. A release that changes no dependency builds from here.
RUN python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --no-deps --require-hashes --only-binary :all: --requirement requirements/build.txt \
 && if [ "$MSSQL" = 1 ]; then locked=mssql; else locked=run; fi \
 && python -m venv --without-pip /opt/custctl \
 && /opt/build/bin/python -m pip --python /opt/custctl/bin/python install --no-compile --no-deps --require-hashes \
      --only-binary :all: --requirement "requirements/$locked.txt" \
 && /opt/custctl/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/custctl/lib \
 && find /opt/custctl -exec touch --no-dereference --date=@0 {} +
COPY pyproject.toml README.md LICENSE ./
COPY custctl custctl
COPY sql sql
COPY profiles profiles
# Seconds since 1970 that the files are dated: the same sources give the same files. Whoever builds may have profiles that
# nobody else can read.
ARG SOURCE_DATE_EPOCH=0
RUN /opt/build/bin/python -m pip wheel --no-deps --no-build-isolation --no-index --wheel-dir /dist . \
 && /opt/build/bin/python -m pip --python /opt/custctl/bin/python install --no-compile --no-deps --no-index /dist/*.whl \
 && /opt/custctl/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/custctl/lib/python*/site-packages/custctl \
 && find /opt/custctl -newermt @0 -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} + \
 && chmod -R u=rwX,go=rX profiles

FROM python:3.13-slim
ARG MSSQL=0
# The driver manager, and what Microsoft's driver links to.
# hadolint ignore=DL3008
RUN if [ "$MSSQL" = 1 ]; then \
      apt-get update \
      && apt-get install --yes --no-install-recommends libodbc2 libodbcinst2 libltdl7 libgssapi-krb5-2 \
      && rm -rf /var/lib/apt/lists/* /var/cache/* /var/log/*; \
    fi \
 && useradd --uid 10001 --no-create-home --home-dir /var/lib/custctl --shell /usr/sbin/nologin custctl \
 && install --directory --owner 10001 --group 10001 --mode 700 /var/lib/custctl
COPY --from=build /opt/custctl /opt/custctl
COPY --from=build /src/profiles /etc/custctl/profiles
ARG VERSION=0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="custctl" \
      org.opencontainers.image.description="Administer a customer database" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
ENV PATH=/opt/custctl/bin:$PATH \
    CUSTCTL_PROFILES_DIR=/etc/custctl/profiles \
    HOME=/var/lib/custctl \
    XDG_STATE_HOME=/var/lib/custctl
WORKDIR /var/lib/custctl
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=30s --start-period=20s --retries=3 CMD ["custctl", "doctor", "--check"]
ENTRYPOINT ["custctl"]
