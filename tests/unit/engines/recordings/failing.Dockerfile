FROM engines-tiny
RUN echo 1795350079074310746
RUN echo before the end; exit 3
RUN echo never
