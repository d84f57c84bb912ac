# The service as one static program in an otherwise empty image. Prompts are
# built outside of it (hotline prompts build needs espeak-ng and sox) into a
# folder that Asterisk and the service share; the state is a volume.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o /hotline ./cmd/hotline && mkdir /state

FROM scratch
COPY --from=build /hotline /hotline
COPY --from=build --chown=65532:65532 /state /var/lib/hotline
COPY configs/hotline.yaml /etc/hotline/hotline.yaml
USER 65532:65532
ENV HOTLINE_CONFIG=/etc/hotline/hotline.yaml
WORKDIR /var/lib/hotline
VOLUME /var/lib/hotline
EXPOSE 9090
ENTRYPOINT ["/hotline"]
CMD ["serve"]
