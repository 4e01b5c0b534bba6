#!/usr/bin/env node
// A client of gRPC-Web that is not ours. It calls one method, and prints a line of JSON for each message of the reply, and
// one for the error where there is one.
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary, fromJson, toJson } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const [url, descriptors, service, method, message] = process.argv.slice(2);
if (message === undefined) {
  console.error("usage: client.mjs URL DESCRIPTOR-SET package.Service method MESSAGE");
  process.exit(2);
}

const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const described = registry.getService(service).method[method];
const client = createClient(described.parent, createGrpcWebTransport({ baseUrl: url }));
const print = (value) => console.log(JSON.stringify(value));
const printReply = (reply) => print(toJson(described.output, reply, { registry }));

try {
  const request = fromJson(described.input, JSON.parse(message), { registry });
  const replies = client[method](request, { timeoutMs: 10_000 });
  if (described.methodKind === "unary") printReply(await replies);
  else for await (const reply of replies) printReply(reply);
} catch (error) {
  if (!(error instanceof ConnectError)) throw error;
  print({ code: Code[error.code], message: error.rawMessage, details: error.details.map(({ type }) => type) });
}
