package redisq

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"hotline/queue"
)

// startCluster starts three masters that share the slots.
func startCluster(t *testing.T) (nodes []*server) {
	t.Helper()
	const slots, masters = 16384, 3
	buses := make([]string, masters)
	for n := range masters {
		buses[n] = freePort(t) // of the node's own choice it would be 10,000 above, which need not be a port
		nodes = append(nodes, startRedis(t, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
			"--cluster-node-timeout", "1000", "--cluster-port", buses[n]))
		nodes[n].Do("CLUSTER", "ADDSLOTSRANGE", n*slots/masters, (n+1)*slots/masters-1)
		host, port, _ := net.SplitHostPort(nodes[n].Addr)
		nodes[0].Do("CLUSTER", "MEET", host, port, buses[n])
	}
	return nodes
}

func freePort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	return port
}

// One line in a cluster: all keys are at one of its nodes, to which whoever asks another is sent. As that node is away each
// service goes on by itself, and both are together again with what each has once it is back.
func TestInACluster(t *testing.T) {
	nodes := startCluster(t)
	through := func(o *Options) {
		o.Redis.Addrs = nil
		for _, n := range nodes {
			o.Redis.Addrs = append(o.Redis.Addrs, n.Addr)
		}
	}
	north, south := openWith(t, nodes[0], "north", through, "1001"), openWith(t, nodes[0], "south", through, "2001")
	for _, h := range []*house{north, south} {
		h.together()
	}
	south.signIn("2001")
	north.must(north.offered(north.join("talk"), "2001").Connected())
	north.join("waits")
	south.stands("waits")

	at := slices.IndexFunc(nodes, func(n *server) bool {
		return strings.Contains(fmt.Sprint(n.Client.Exists(t.Context(), keys(DefaultSpace)...)), ": 4")
	})
	if at < 0 {
		t.Fatal("no node of the cluster has all four keys")
	}
	nodes[at].Kill()
	for _, h := range []*house{north, south} {
		h.alone()
	}
	nodes[at].Start()
	for _, h := range []*house{north, south} {
		h.together()
		h.stands("waits")
		h.inState("2001", queue.StateTalking)
	}
}
