//! The other programs of a measurement: the backend, a raw byte relay, a bare hyper forwarder, and
//! a client that sends an exact number of requests. One current-thread runtime each, so that all of
//! them are measured as the gateway is with one core.

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use std::{
    cell::{Cell, RefCell},
    error::Error,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr},
    rc::Rc,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::{Builder, LocalOptions},
    task::spawn_local,
};

type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "usage: bench-peers ports COUNT | backend PORT | relay PORT BACKEND-PORT | \
                     forward PORT BACKEND-PORT | ask PORT PATH COUNT";
/// The backend answers on so many addresses, 127.0.0.1 and up: an endpoint each.
const ENDPOINTS: u8 = 3;
/// What the backend answers: a body of 65 bytes.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 65\r\n\r\n\
    {\"id\":\"0123456789\",\"name\":\"a small answer of sixty-five bytes..\"}";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["ports", count] => ports(count.parse()?),
        ["backend", port] => serve(backend(port.parse()?)),
        ["relay", port, to] => serve(relay(port.parse()?, to.parse()?)),
        ["forward", port, to] => serve(forward(port.parse()?, to.parse()?)),
        ["ask", port, path, count] => ask(port.parse()?, path, count.parse()?),
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

async fn backend(port: u16) -> Result<(), Failure> {
    let endpoints = Endpoints::new(port);
    for _ in 1..ENDPOINTS {
        spawn_local(answer_all(TcpListener::bind(endpoints.next()).await?));
    }
    answer_all(TcpListener::bind(endpoints.next()).await?).await;
    Ok(())
}

async fn answer_all(listener: TcpListener) {
    while let Ok(stream) = accept(&listener).await {
        spawn_local(answer(stream));
    }
}

/// Answers requests without bodies until the peer leaves.
async fn answer(mut stream: TcpStream) {
    let mut head = Vec::with_capacity(4096);
    while let Ok(1..) = stream.read_buf(&mut head).await {
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        if stream.write_all(ANSWER).await.is_err() {
            return;
        }
    }
}

/// Two reads and two writes for each request, with no look at the bytes: the least that any proxy
/// can do. A connection of its own to the backend for each client.
async fn relay(port: u16, to: u16) -> Result<(), Failure> {
    let (listener, endpoints) = (listen(port).await?, Endpoints::new(to));
    loop {
        let client = accept(&listener).await?;
        spawn_local(carry(client, endpoints.next()));
    }
}

async fn carry(mut client: TcpStream, to: SocketAddr) {
    let Ok(mut server) = connect(to).await else { return };
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(()) = pass(&mut client, &mut server, &mut buffer).await {
        if pass(&mut server, &mut client, &mut buffer).await.is_err() {
            return;
        }
    }
}

async fn pass(from: &mut TcpStream, to: &mut TcpStream, buffer: &mut [u8]) -> Result<(), Failure> {
    let count = from.read(buffer).await?;
    if count == 0 {
        return Err("closed".into());
    }
    Ok(to.write_all(&buffer[..count]).await?)
}

/// What hyper costs with nothing added: the head goes on as it came, over a connection from a pool.
async fn forward(port: u16, to: u16) -> Result<(), Failure> {
    let (listener, endpoints) = (listen(port).await?, Endpoints::new(to));
    let pool = Rc::new(Pool { endpoints, idle: RefCell::default() });
    loop {
        let stream = accept(&listener).await?;
        let pool = Rc::clone(&pool);
        spawn_local(async move {
            let service = service_fn(|request| hand_on(&pool, request));
            // A client that went away is no matter of the measurement.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

struct Pool {
    endpoints: Rc<Endpoints>,
    idle: RefCell<Vec<SendRequest<Incoming>>>,
}

type Answer = Response<BoxBody<Bytes, hyper::Error>>;

async fn hand_on(pool: &Pool, request: Request<Incoming>) -> Result<Answer, Failure> {
    let idle = pool.idle.borrow_mut().pop().filter(|sender| !sender.is_closed());
    let mut sender = match idle {
        Some(sender) => sender,
        None => dial(pool.endpoints.next()).await?,
    };
    sender.ready().await?;
    let response = sender.send_request(request).await?;
    pool.idle.borrow_mut().push(sender);
    Ok(response.map(BoxBody::new))
}

async fn dial(to: SocketAddr) -> Result<SendRequest<Incoming>, Failure> {
    let (sender, connection) = handshake(TokioIo::new(connect(to).await?)).await?;
    spawn_local(connection);
    Ok(sender)
}

/// Sends so many requests, one after the other, over one connection.
fn ask(port: u16, path: &str, count: u64) -> Result<(), Failure> {
    let mut stream = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench.example\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n");
    let mut answer = Vec::new();
    for _ in 0..count {
        stream.write_all(request.as_bytes())?;
        read_answer(&mut stream, &mut answer)?;
    }
    Ok(())
}

/// Reads until the body of the backend's answer is there.
fn read_answer(stream: &mut std::net::TcpStream, answer: &mut Vec<u8>) -> Result<(), Failure> {
    const BODY: usize = 65;
    let mut buffer = [0; 4096];
    answer.clear();
    while answer.windows(4).position(|end| end == b"\r\n\r\n").is_none_or(|end| answer.len() < end + 4 + BODY) {
        let count = stream.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..count]);
        if count == 0 || !answer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("expected {} from the backend, got: {}", StatusCode::OK, answer.escape_ascii()).into());
        }
    }
    Ok(())
}
