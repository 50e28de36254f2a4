FROM engines-tiny AS a
ARG STAMP=1795350079074310746
COPY a/f /f
RUN sleep 0.5; echo two $STAMP
FROM engines-tiny AS b
ARG STAMP=1795350079074310746
COPY b/f /f
RUN sleep 0.5; echo two $STAMP
FROM engines-tiny
COPY --from=a /f /t
COPY --from=b /f /u
