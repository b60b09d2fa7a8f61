module github.com/crier-go/crier/proof/cluster

go 1.26.0

replace (
	github.com/crier-go/crier => ../..
	github.com/crier-go/crier/backplane/nats => ../../backplane/nats
	github.com/crier-go/crier/backplane/nats/natsembedded => ../../backplane/nats/natsembedded
	github.com/crier-go/crier/backplane/postgres => ../../backplane/postgres
	github.com/crier-go/crier/backplane/redis => ../../backplane/redis
)

require (
	github.com/crier-go/crier v0.0.0-00010101000000-000000000000
	github.com/crier-go/crier/backplane/nats v0.0.0-00010101000000-000000000000
	github.com/crier-go/crier/backplane/nats/natsembedded v0.0.0-00010101000000-000000000000
	github.com/crier-go/crier/backplane/postgres v0.0.0-00010101000000-000000000000
	github.com/crier-go/crier/backplane/redis v0.0.0-00010101000000-000000000000
	github.com/google/uuid v1.6.0
	github.com/gorilla/websocket v1.5.3
	github.com/jackc/pgx/v5 v5.12.0
	github.com/nats-io/nats-server/v2 v2.15.2
	github.com/nats-io/nats.go v1.55.0
	github.com/redis/go-redis/v9 v9.23.0
)

require (
	github.com/antithesishq/antithesis-sdk-go v0.8.0-default-no-op // indirect
	github.com/cespare/xxhash/v2 v2.3.0 // indirect
	github.com/google/go-tpm v0.9.8 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	github.com/klauspost/compress v1.20.3 // indirect
	github.com/minio/highwayhash v1.0.4 // indirect
	github.com/nats-io/jwt/v2 v2.8.2 // indirect
	github.com/nats-io/nkeys v0.4.16 // indirect
	github.com/nats-io/nuid v1.0.1 // indirect
	go.uber.org/atomic v1.12.0 // indirect
	golang.org/x/crypto v0.58.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/sys v0.49.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/time v0.16.0 // indirect
)
