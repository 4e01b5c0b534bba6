//go:build tools

package main

// The client that the tests run beside the service.
import _ "github.com/fullstorydev/grpcurl/cmd/grpcurl"
