//! A Redis server of a test, which can be killed, stopped and started again where it was.

use std::{net::SocketAddr, path::Path, process::Command};

use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

use super::{DEADLINE, Wire, eventually, process::Process};

/// A running server; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Redis {
    process: Process,
    address: SocketAddr,
    settings: Vec<String>,
    folder: TempDir,
}

impl Redis {
    /// A server that takes connections, with more settings such as `--requirepass`.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        Self::start_on("--port", settings).await
    }

    /// A server that takes connections over TLS alone, without certificates of clients.
    pub(crate) async fn start_over_tls(settings: &[&str]) -> Self {
        let settings = [&["--port", "0", "--tls-auth-clients", "no"], settings].concat();
        Self::start_on("--tls-port", &settings).await
    }

    async fn start_on(port: &str, settings: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a loopback port must be free");
        let address = listener.local_addr().expect("a listener has an address");
        drop(listener);
        let number = address.port().to_string();
        let settings = settings.iter().chain(&[port, &number]).map(|&setting| setting.to_owned()).collect::<Vec<_>>();
        let folder = TempDir::new().expect("a folder must be made");
        let process = launch(&settings, folder.path());
        let mut redis = Self { process, address, settings, folder };
        redis.ready().await;
        redis
    }

    async fn ready(&mut self) {
        eventually(DEADLINE, "Redis takes connections", || {
            self.process.assert_running();
            TcpStream::connect(self.address)
        })
        .await;
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Ends it at once.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again where it was, with nothing in it.
    pub(crate) async fn revive(&mut self) {
        self.process = launch(&self.settings, self.folder.path());
        self.ready().await;
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// All that it answers to a command.
    pub(crate) async fn ask(&self, command: &str) -> String {
        let mut wire = Wire::open(self.address).await;
        wire.send(format!("{command}\r\nQUIT\r\n")).await;
        String::from_utf8_lossy(&wire.rest().await).into_owned()
    }
}

fn launch(settings: &[String], folder: &Path) -> Process {
    let server = std::env::var("PAIFANG_REDIS_SERVER");
    let server = server.expect("PAIFANG_REDIS_SERVER must name a Redis server: run make test TIERS=redis");
    let mut command = Command::new(server);
    command.current_dir(folder).args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    command.args(settings);
    Process::start(&mut command, &folder.join("redis.log"))
}
