//! The other programs of a measurement: backends, a raw byte relay, a bare hyper forwarder, and
//! clients that send an exact number of requests or hold idle connections. One current-thread
//! runtime each, so that all of them are measured as the gateway is with one core.

mod backend;
mod client;
mod described;
mod forward;
mod relay;

use std::{
    cell::Cell,
    error::Error,
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions},
};

type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "usage: bench-peers ports COUNT | backend PORT [small|large|websocket|grpc|mucp] | \
                     relay PORT BACKEND-PORT [small|large] | forward PORT BACKEND-PORT | \
                     ask PORT PATH COUNT [CERTIFICATE] | idle PORT PATH COUNT [websocket|CERTIFICATE]";
/// The backend answers on so many addresses, 127.0.0.1 and up: an endpoint each.
const ENDPOINTS: u8 = 3;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["ports", count] => ports(count.parse()?),
        ["backend", port] => serve(backend::serve(port.parse()?, "small")),
        ["backend", port, kind] => serve(backend::serve(port.parse()?, kind)),
        ["relay", port, to] => serve(relay::serve(port.parse()?, to.parse()?, "small")),
        ["relay", port, to, kind] => serve(relay::serve(port.parse()?, to.parse()?, kind)),
        ["forward", port, to] => serve(forward::serve(port.parse()?, to.parse()?)),
        ["ask", port, path, count] => client::ask(port.parse()?, path, count.parse()?, None),
        ["ask", port, path, count, certificate] => client::ask(port.parse()?, path, count.parse()?, Some(certificate)),
        ["idle", port, path, count] => client::idle(port.parse()?, path, count.parse()?, None),
        ["idle", port, path, count, kind] => client::idle(port.parse()?, path, count.parse()?, Some(kind)),
        _ => Err(USAGE.into()),
    }
}

fn serve(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?.block_on(work)
}

/// Prints ports that nobody uses, on any of the backend's addresses.
fn ports(count: usize) -> Result<(), Failure> {
    let listeners: Vec<_> =
        (0..count).map(|_| std::net::TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0))).collect::<Result<_, _>>()?;
    let mut out = std::io::stdout();
    for listener in &listeners {
        writeln!(out, "{}", listener.local_addr()?.port())?;
    }
    Ok(())
}

async fn listen(port: u16) -> Result<TcpListener, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?)
}

async fn accept(listener: &TcpListener) -> Result<TcpStream, Failure> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn connect(to: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The addresses of the backend, one after the other.
struct Endpoints {
    port: u16,
    turn: Cell<u8>,
}

impl Endpoints {
    fn new(port: u16) -> Rc<Self> {
        Rc::new(Self { port, turn: Cell::new(0) })
    }

    fn next(&self) -> SocketAddr {
        let turn = self.turn.get();
        self.turn.set((turn + 1) % ENDPOINTS);
        (Ipv4Addr::new(127, 0, 0, turn + 1), self.port).into()
    }
}
