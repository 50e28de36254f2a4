ARG BASE=engines-tiny
FROM ${BASE} AS Builder
ARG STAMP=1795350079074310746
WORKDIR /deps
COPY environment.yml ./
RUN cat environment.yml \
    && echo $STAMP > env

FROM ${BASE}
ENV MODE=test
COPY --from=builder /deps/env /env
COPY src/ /src/
RUN cat /src/main.py
CMD ["true"]
