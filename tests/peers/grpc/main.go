// A service of grpc-go for the tests: every shape of call, errors with details, deadlines, and reflection.
// It reads shop.proto when it starts, so no generated code is needed. It prints its address.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/linker"
	"google.golang.org/grpc"
	"google.golang.org/grpc/reflection"
	reflectionv1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	reflectionv1alpha "google.golang.org/grpc/reflection/grpc_reflection_v1alpha"
	"google.golang.org/protobuf/reflect/protoreflect"
)

func main() {
	protos := flag.String("protos", "tests/data/grpc", "the folder of shop.proto")
	told := flag.String("reflection", "v1", "v1, v1alpha or none")
	listen := flag.String("listen", "127.0.0.1:0", "the address")
	flag.Parse()
	file, err := compile(*protos)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	for i := range file.Services().Len() {
		server.RegisterService(describe(file.Services().Get(i)), nil)
	}
	if err := reflect(server, *told, linker.Files{file}.AsResolver()); err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

func compile(folder string) (linker.File, error) {
	source := &protocompile.SourceResolver{ImportPaths: []string{folder}}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(source)}
	files, err := compiler.Compile(context.Background(), "shop.proto")
	if err != nil {
		return nil, err
	}
	return files[0], nil
}

func reflect(server *grpc.Server, version string, resolver linker.Resolver) error {
	options := reflection.ServerOptions{Services: server, DescriptorResolver: resolver, ExtensionResolver: noExtensions{resolver}}
	switch version {
	case "v1":
		reflectionv1.RegisterServerReflectionServer(server, reflection.NewServerV1(options))
	case "v1alpha":
		reflectionv1alpha.RegisterServerReflectionServer(server, reflection.NewServer(options))
	case "none":
	default:
		return fmt.Errorf("-reflection %q: v1, v1alpha or none", version)
	}
	return nil
}

// noExtensions knows no message by its extensions: the tests ask for none.
type noExtensions struct{ linker.Resolver }

func (noExtensions) RangeExtensionsByMessage(protoreflect.FullName, func(protoreflect.ExtensionType) bool) {
}
