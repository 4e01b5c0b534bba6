// Command etcd is the store behind the API server of the cluster tests,
// built from its Go module so that the tests need no package and no root.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
