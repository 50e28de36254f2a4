FROM engines-onbuild
RUN echo 1795350079074310746
RUN echo b
