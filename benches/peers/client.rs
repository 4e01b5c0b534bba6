//! Clients: one that sends an exact number of requests, and one that holds idle connections.

use crate::Failure;
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use std::{
    io::{Read, Write},
    net::{Ipv4Addr, TcpStream},
    sync::Arc,
};

const HOST: &str = "bench.example";

/// A connection, whatever it speaks.
trait Transport: Read + Write {}

impl<T: Read + Write> Transport for T {}

/// Opens connections to a proxy.
struct Dialer {
    port: u16,
    tls: Option<Arc<ClientConfig>>,
}

impl Dialer {
    /// To this port, over TLS where a file has the server's certificate.
    fn new(port: u16, certificate: Option<&str>) -> Result<Self, Failure> {
        Ok(Self { port, tls: certificate.map(trust).transpose()? })
    }

    fn dial(&self) -> Result<Box<dyn Transport>, Failure> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_nodelay(true)?;
        let Some(config) = &self.tls else { return Ok(Box::new(stream)) };
        let session = ClientConnection::new(Arc::clone(config), ServerName::try_from(HOST)?)?;
        Ok(Box::new(StreamOwned::new(session, stream)))
    }
}

/// Trusts this certificate alone.
fn trust(certificate: &str) -> Result<Arc<ClientConfig>, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    Ok(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()))
}

fn request(path: &str, fields: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: {HOST}\r\nUser-Agent: bench\r\nAccept: */*\r\n{fields}\r\n")
}

/// Sends so many requests, one after the other, over one connection.
pub(crate) fn ask(port: u16, path: &str, count: u64, certificate: Option<&str>) -> Result<(), Failure> {
    let (mut stream, request) = (Dialer::new(port, certificate)?.dial()?, request(path, ""));
    let mut answer = Vec::new();
    for _ in 0..count {
        exchange(&mut *stream, &request, &mut answer, "200")?;
    }
    Ok(())
}

/// Opens so many connections with one request each, says so, and holds them until it is ended.
pub(crate) fn idle(port: u16, path: &str, count: usize, kind: Option<&str>) -> Result<(), Failure> {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (certificate, fields, status) = match kind {
        Some("websocket") => (None, upgrade, "101"),
        certificate => (certificate, "", "200"),
    };
    let (dialer, request, mut answer) = (Dialer::new(port, certificate)?, request(path, fields), Vec::new());
    let mut held = Vec::with_capacity(count);
    for _ in 0..count {
        let mut stream = dialer.dial()?;
        exchange(&mut *stream, &request, &mut answer, status)?;
        held.push(stream);
    }
    writeln!(std::io::stdout(), "open")?;
    loop {
        std::thread::park();
    }
}

/// Sends a request and reads until the whole answer is there.
fn exchange(stream: &mut dyn Transport, request: &str, answer: &mut Vec<u8>, status: &str) -> Result<(), Failure> {
    stream.write_all(request.as_bytes())?;
    let mut buffer = [0; 16 * 1024];
    answer.clear();
    while !is_whole(answer)? {
        let count = stream.read(&mut buffer)?;
        answer.extend_from_slice(&buffer[..count]);
        if count == 0 || answer.len() >= 12 && &answer[9..12] != status.as_bytes() {
            return Err(format!("expected {status} from the backend, got: {}", answer.escape_ascii()).into());
        }
    }
    Ok(())
}

/// Whether head and body are there. An answer without a length has no body.
fn is_whole(answer: &[u8]) -> Result<bool, Failure> {
    let Some(end) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(&answer[..end])?.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    Ok(answer.len() >= end + 4 + length.map_or(Ok(0), |length| length.trim().parse::<usize>())?)
}
