package cluster

import (
	"testing"

	"github.com/netcause/netcause/collectors/cluster/clustertest"
)

func TestMain(m *testing.M) { clustertest.Main(m) }
