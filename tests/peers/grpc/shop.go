package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

type message = dynamicpb.Message

// describe makes a service of its descriptor.
func describe(service protoreflect.ServiceDescriptor) *grpc.ServiceDesc {
	described := &grpc.ServiceDesc{ServiceName: string(service.FullName()), Metadata: service.ParentFile().Path()}
	for i := range service.Methods().Len() {
		method := service.Methods().Get(i)
		name, client, server := string(method.Name()), method.IsStreamingClient(), method.IsStreamingServer()
		if client || server {
			handler := func(_ any, stream grpc.ServerStream) error { return streamed(method, stream) }
			described.Streams = append(described.Streams,
				grpc.StreamDesc{StreamName: name, Handler: handler, ClientStreams: client, ServerStreams: server})
			continue
		}
		handler := func(_ any, ctx context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			request := dynamicpb.NewMessage(method.Input())
			if err := read(request); err != nil {
				return nil, err
			}
			return unary(ctx, method, request)
		}
		described.Methods = append(described.Methods, grpc.MethodDesc{MethodName: name, Handler: handler})
	}
	return described
}

func unary(ctx context.Context, method protoreflect.MethodDescriptor, request *message) (*message, error) {
	switch method.Name() {
	case "ListItems", "Orders":
		reply := dynamicpb.NewMessage(method.Output())
		items := reply.Mutable(field(reply, "items")).List()
		for i := range get(request, "page_size").Int() {
			items.Append(protoreflect.ValueOfMessage(item(items.NewElement().Message(), i+1)))
		}
		return reply, nil
	case "PutItem":
		return get(request, "item").Message().Interface().(*message), nil
	case "CreateOrder", "UpdateOrder":
		return request, nil
	}
	return one(ctx, method, request)
}

// one answers the item of a number. Some numbers fail.
func one(ctx context.Context, method protoreflect.MethodDescriptor, request *message) (*message, error) {
	id := get(request, "id").Int()
	switch id {
	case 404:
		failed := status.New(codes.NotFound, `no item "404"`)
		info := &errdetails.ErrorInfo{Reason: "NO_SUCH_ITEM", Domain: "shop.example"}
		detailed, err := failed.WithDetails(info)
		if err != nil {
			return nil, err
		}
		return nil, detailed.Err()
	case 408:
		<-ctx.Done()
		return nil, status.FromContextError(ctx.Err()).Err()
	case 500:
		return nil, errors.New("plain failure")
	}
	reply := item(dynamicpb.NewMessage(method.Output()), id)
	labels := reply.Mutable(field(reply, "labels")).Map()
	note := func(key, value string) {
		labels.Set(protoreflect.ValueOfString(key).MapKey(), protoreflect.ValueOfString(value))
	}
	if shelf := get(request, "shelf").String(); shelf != "" {
		note("shelf", shelf)
	}
	if deadline, ok := ctx.Deadline(); ok {
		note("seconds", fmt.Sprint(time.Until(deadline).Round(time.Second).Seconds()))
	}
	received, _ := metadata.FromIncomingContext(ctx)
	for _, key := range []string{"x-tenant", "x-request-id", "authorization"} {
		if values := received.Get(key); len(values) > 0 {
			note(key, values[0])
		}
	}
	return reply.Interface().(*message), nil
}

func streamed(method protoreflect.MethodDescriptor, stream grpc.ServerStream) error {
	switch method.Name() {
	case "Watch":
		return watch(method, stream)
	case "Upload":
		return upload(method, stream)
	default:
		return chat(method, stream)
	}
}

// watch sends as many items as the number says, and fails after the third of 404.
func watch(method protoreflect.MethodDescriptor, stream grpc.ServerStream) error {
	request := dynamicpb.NewMessage(method.Input())
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	most := get(request, "id").Int()
	for i := range most {
		if most == 404 && i == 3 {
			return status.Error(codes.NotFound, "no more items")
		}
		if err := stream.SendMsg(item(dynamicpb.NewMessage(method.Output()), i+1).Interface()); err != nil {
			return err
		}
	}
	return nil
}

// upload answers all items that were sent.
func upload(method protoreflect.MethodDescriptor, stream grpc.ServerStream) error {
	reply := dynamicpb.NewMessage(method.Output())
	items := reply.Mutable(field(reply, "items")).List()
	for {
		request := dynamicpb.NewMessage(method.Input())
		switch err := stream.RecvMsg(request); {
		case err == io.EOF:
			return stream.SendMsg(reply)
		case err != nil:
			return err
		}
		items.Append(protoreflect.ValueOfMessage(request))
	}
}

// chat answers each item at once. The name "fail" ends it with an error.
func chat(method protoreflect.MethodDescriptor, stream grpc.ServerStream) error {
	for {
		request := dynamicpb.NewMessage(method.Input())
		switch err := stream.RecvMsg(request); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		name := get(request, "display_name").String()
		if name == "fail" {
			return status.Error(codes.FailedPrecondition, "asked to fail")
		}
		request.Set(field(request, "display_name"), protoreflect.ValueOfString("echo "+name))
		if err := stream.SendMsg(request); err != nil {
			return err
		}
	}
}

func item(reply protoreflect.Message, id int64) protoreflect.Message {
	reply.Set(field(reply, "id"), protoreflect.ValueOfInt64(id))
	reply.Set(field(reply, "display_name"), protoreflect.ValueOfString(fmt.Sprint("item ", id)))
	return reply
}

func field(of protoreflect.Message, name protoreflect.Name) protoreflect.FieldDescriptor {
	return of.Descriptor().Fields().ByName(name)
}

func get(of protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return of.Get(field(of, name))
}
