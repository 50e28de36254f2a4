FROM dockercache-test-tiny:1 AS builder
WORKDIR /app
COPY requirements.txt ./
RUN cat requirements.txt && echo pip install -r requirements.txt && sleep 1
COPY src ./src
RUN cat src/main.py > /program
FROM dockercache-test-tiny:1
COPY --from=builder /program /
