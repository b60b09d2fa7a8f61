package redis

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis/internal/client"
)

// An epoch is the server's master_replid, which is another one after every
// restart and failover, and the identity of the stream.
//
// The stream's identity is the name of a consumer group, which nobody reads
// through. The group is created together with the stream and is deleted with
// it (DEL, FLUSHALL, eviction), so a stream that was created anew has another
// identity, although its positions begin at 1 again. It is replicated and
// persisted with the stream.
const identityPrefix = "crier:"

var (
	errNoStream = errors.New("the stream does not exist")
	errReplica  = errors.New("the server is a replica")
	errEpoch    = errors.New("the server was restarted or replaced, or the stream was created anew")
)

// epochCmds are the commands that ask for the epoch.
type epochCmds struct {
	replication *redis.StringCmd
	groups      *redis.XInfoGroupsCmd
}

func askEpoch(ctx context.Context, p redis.Pipeliner, stream string) epochCmds {
	return epochCmds{p.Info(ctx, "replication"), p.XInfoGroups(ctx, stream)}
}

// epoch returns the epoch once the commands have been answered. errNoStream
// means that there is no stream yet, on a server that could have one.
func (e epochCmds) epoch(b *Backplane) (string, error) {
	if err := e.replication.Err(); err != nil {
		return "", client.Failed(b.client, "ask the server for its state", err)
	}
	replid, err := master(e.replication.Val())
	if err != nil {
		return "", err
	}
	if err := e.groups.Err(); err != nil {
		if strings.HasPrefix(err.Error(), "ERR no such key") {
			return "", errNoStream
		}
		return "", client.Failed(b.client, fmt.Sprintf("look at the stream %q", b.options.Stream), err)
	}
	identity := identityOf(e.groups.Val())
	if identity == "" {
		return "", fmt.Errorf("redis: the key %q is a stream that this package did not create; set Options.Stream to another key", b.options.Stream)
	}
	return replid + "/" + strings.TrimPrefix(identity, identityPrefix), nil
}

func identityOf(groups []redis.XInfoGroup) string {
	for _, g := range groups {
		if strings.HasPrefix(g.Name, identityPrefix) {
			return g.Name
		}
	}
	return ""
}

// master returns the replication id of a server that is a master.
func master(info string) (string, error) {
	if role := client.Field(info, "role"); role != "master" {
		if role == "slave" {
			return "", client.Unavailable("ask the server for its state", fmt.Errorf("%w of %s:%s", errReplica, client.Field(info, "master_host"), client.Field(info, "master_port")))
		}
		return "", client.Unavailable("ask the server for its state", fmt.Errorf("its role is %.50q", role))
	}
	id := client.Field(info, "master_replid")
	if id == "" {
		return "", errors.New("redis: the server does not tell its master_replid in INFO replication, so that a failover could not be noticed")
	}
	return id, nil
}
