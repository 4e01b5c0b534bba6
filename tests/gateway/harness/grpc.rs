//! A service of grpc-go (`tests/peers/grpc`), and clients of others: grpcurl, and one of gRPC-Web
//! (`tests/peers/grpc-web`).

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use super::{DEADLINE, eventually, process::Process};

/// A running service; dropping it kills it.
#[derive(Debug)]
pub(crate) struct GrpcGo {
    _process: Process,
    address: SocketAddr,
    _log: TempDir,
}

impl GrpcGo {
    /// A service of `shop.proto` that tells of itself by this version of reflection, or `none`.
    pub(crate) async fn start(reflection: &str) -> Self {
        let log = TempDir::new().expect("a folder must be made");
        let mut command = Command::new(tool("PAIFANG_GRPC_PEER"));
        command.args(["-reflection", reflection, "-protos", protos()]);
        let mut process = Process::start(&mut command, &log.path().join("grpc.log"));
        let address = eventually(DEADLINE, "the service says where it listens", || {
            process.assert_running();
            let log = process.log();
            std::future::ready(log.lines().find_map(|line| line.parse().ok()).ok_or(log))
        })
        .await;
        Self { _process: process, address, _log: log }
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Runs grpcurl without TLS, at most for the deadline.
pub(crate) async fn grpcurl(address: SocketAddr, arguments: &[&str], call: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(tool("PAIFANG_GRPCURL"));
    command.args(["-plaintext", "-max-time", "10"]).args(arguments).arg(address.to_string()).args(call);
    command.kill_on_drop(true).output().await.expect("grpcurl must run")
}

/// Calls a method of `shop.v1.Shop` by gRPC-Web from Node.js, which knows the service by a set of descriptors.
pub(crate) async fn grpc_web(address: SocketAddr, method: &str, message: &str) -> Output {
    let descriptors = tempfile::NamedTempFile::new().expect("a file must be made");
    std::fs::write(descriptors.path(), described()).expect("the file must be written");
    let mut command = tokio::process::Command::new(tool("PAIFANG_GRPC_WEB_CLIENT"));
    command.arg(format!("http://{address}")).arg(descriptors.path()).args(["shop.v1.Shop", method, message]);
    command.kill_on_drop(true).output().await.expect("the client of gRPC-Web must run")
}

/// The descriptors of `shop.proto` and of what it imports.
fn described() -> Vec<u8> {
    let mut compiler = protox::Compiler::new([protos()]).expect("the folder must be there");
    compiler.include_imports(true).open_file("shop.proto").expect("the file must compile");
    compiler.encode_file_descriptor_set()
}

fn tool(key: &str) -> String {
    std::env::var(key).unwrap_or_else(|_| panic!("{key} is not set: make test TIERS=grpc"))
}

fn protos() -> &'static str {
    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/grpc");
    assert!(Path::new(FOLDER).is_dir());
    FOLDER
}
