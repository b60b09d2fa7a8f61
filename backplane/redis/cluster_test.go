package redis_test

import (
	"fmt"
	"strconv"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/crier-go/crier/backplane/redis"
	"github.com/crier-go/crier/backplane/redis/internal/client"
	"github.com/crier-go/crier/backplane/redis/internal/redistest"
	"github.com/crier-go/crier/hub"
)

// In a Redis Cluster the stream is on one node. When its slot moves to another,
// that is another epoch, and nothing is lost.
func TestCluster(t *testing.T) {
	var servers [2]*redistest.Server
	var admin [2]*goredis.Client
	var ids [2]string
	for i := range servers {
		servers[i] = redistest.Start(t, "--cluster-enabled", "yes")
		admin[i] = servers[i].Client(t)
		ids[i] = admin[i].Do(ctx, "CLUSTER", "MYID").Val().(string)
	}
	run(t, admin[0], "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	run(t, admin[1], "CLUSTER", "SET-CONFIG-EPOCH", 2)
	run(t, admin[0], "CLUSTER", "MEET", "127.0.0.1", servers[1].Port)
	for i := range admin {
		redistest.Eventually(t, "the cluster is up", func() error {
			info, err := admin[i].ClusterInfo(ctx).Result()
			if err == nil && (client.Field(info, "cluster_state") != "ok" || client.Field(info, "cluster_known_nodes") != "2") {
				err = fmt.Errorf("it says %s", info)
			}
			return err
		})
	}
	c := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{servers[0].Addr()}})
	defer c.Close()
	b := redis.New(c, nil)
	before := mustTail(t, b)
	mustAppend(t, b, 0, 10)
	f := follow(t, b, 0)
	old := f.until(t, 10)

	slot := strconv.FormatInt(admin[0].ClusterKeySlot(ctx, "crier").Val(), 10)
	run(t, admin[1], "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
	run(t, admin[0], "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
	run(t, admin[0], "MIGRATE", "127.0.0.1", servers[1].Port, "crier", 0, 5000)
	run(t, admin[1], "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
	run(t, admin[0], "CLUSTER", "SETSLOT", slot, "NODE", ids[1])
	f.ended(t)
	after := eventually(t, "Tail", func() (hub.Tail, error) { return b.Tail(ctx) })
	if after.Epoch == before.Epoch || after.First != 1 || after.Last != 10 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	mustAppend(t, b, 10, 1)
	got := follow(t, b, 9).until(t, 2)
	if got[0].ID != old[9].ID || got[1].Position != 11 {
		t.Errorf("got %v at %d and then %d", got[0].ID, got[0].Position, got[1].Position)
	}
}
