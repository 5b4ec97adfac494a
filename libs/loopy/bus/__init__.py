"""The bus on NATS JetStream: subjects, streams, the wire format, reading and writing."""
