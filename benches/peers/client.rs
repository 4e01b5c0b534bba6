//! A client that sends an exact number of requests.

use crate::Failure;
use hyper::StatusCode;
use std::{
    io::{Read as _, Write as _},
    net::Ipv4Addr,
};

/// Sends so many requests, one after the other, over one connection.
pub(crate) fn ask(port: u16, path: &str, count: u64) -> Result<(), Failure> {
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
